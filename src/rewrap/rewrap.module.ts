import { Module } from '@nestjs/common';
import { CryptoModule } from '../crypto/crypto.module';
import { KmsModule } from '../kms/kms.module';
import { ObjectStorageModule } from '../object-storage/object-storage.module';
import { RewrapChunkRunner } from './rewrap-chunk-runner.service';
import { RewrapChunkRepository } from './rewrap-chunk.repository';
import { RewrapJobRepository } from './rewrap-job.repository';
import { RewrapPlanner } from './rewrap-planner.service';
import { RewrapWorker } from './rewrap-worker.service';
import { RewrapService } from './rewrap.service';

/** Moves objects from one KMS key to another without touching their data. */
@Module({
  imports: [CryptoModule, KmsModule, ObjectStorageModule],
  providers: [
    RewrapJobRepository,
    RewrapChunkRepository,
    RewrapChunkRunner,
    RewrapPlanner,
    RewrapWorker,
    RewrapService,
  ],
  exports: [RewrapService],
})
export class RewrapModule {}
