import { Module } from '@nestjs/common';
import { KmsModule } from '../kms/kms.module';
import { ObjectStorageModule } from '../object-storage/object-storage.module';
import { KeyDestroyer } from './key-destroyer.service';

/** Deletes KMS keys at the end of their waiting time. */
@Module({ imports: [KmsModule, ObjectStorageModule], providers: [KeyDestroyer], exports: [KeyDestroyer] })
export class KeyDeletionModule {}
