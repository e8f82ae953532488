import { Global, Module } from '@nestjs/common';
import { RequestObserver } from '../common/request-observer';
import { Database } from '../database/database';
import { KmsModule } from '../kms/kms.module';
import { KmsService } from '../kms/kms.service';
import { BlobStore } from '../object-storage/blob-store';
import { ObjectStorageModule } from '../object-storage/object-storage.module';
import { HealthController, MinioHealthController } from './health.controller';
import { MetricsController } from './metrics.controller';
import { MetricsService } from './metrics.service';
import { blobStoreCheck, databaseCheck, kmsCheck } from './readiness-checks';
import { READINESS_CHECKS, ReadinessService, type ReadinessCheck } from './readiness.service';
import { RequestLog } from './request-log';

/** What can be seen from outside: health, metrics and the request log. */
@Global()
@Module({
  imports: [KmsModule, ObjectStorageModule],
  controllers: [HealthController, MinioHealthController, MetricsController],
  providers: [
    { provide: RequestObserver, useClass: RequestLog },
    {
      provide: READINESS_CHECKS,
      inject: [Database, BlobStore, KmsService],
      useFactory: (database: Database, blobs: BlobStore, kms: KmsService): readonly ReadinessCheck[] => [
        databaseCheck(database),
        blobStoreCheck(blobs),
        kmsCheck(kms),
      ],
    },
    ReadinessService,
    MetricsService,
  ],
  exports: [RequestObserver],
})
export class ObservabilityModule {}
