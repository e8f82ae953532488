import { Module, type OnModuleInit } from '@nestjs/common';
import { DataKeys } from '../kms/data-keys';
import { KmsModule } from '../kms/kms.module';
import { BucketKeys } from './bucket-keys';
import { loadChecksums } from './checksums';
import { ObjectCipher } from './object-cipher.service';
import { ObjectRewrapper } from './object-rewrapper.service';

/** Object keys, packages of ciphertext, and checksums; its bytes-only parts are plain functions. */
@Module({
  imports: [KmsModule],
  providers: [
    { provide: BucketKeys, inject: [DataKeys], useFactory: (dataKeys: DataKeys) => new BucketKeys(dataKeys) },
    ObjectCipher,
    ObjectRewrapper,
  ],
  exports: [ObjectCipher, ObjectRewrapper],
})
export class CryptoModule implements OnModuleInit {
  /** Compiles the WebAssembly checksums, so that hashers can be made synchronously from then on. */
  async onModuleInit(): Promise<void> {
    await loadChecksums();
  }
}
