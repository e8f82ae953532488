import { Global, Module } from '@nestjs/common';
import { RequestObserver } from '../common/request-observer';
import { Database } from '../database/database';
import { HealthController, MinioHealthController } from './health.controller';
import { MetricsController } from './metrics.controller';
import { MetricsService } from './metrics.service';
import { databaseCheck } from './readiness-checks';
import { READINESS_CHECKS, ReadinessService, type ReadinessCheck } from './readiness.service';
import { RequestLog } from './request-log';

/** What can be seen from outside: health, metrics and the request log. */
@Global()
@Module({
  controllers: [HealthController, MinioHealthController, MetricsController],
  providers: [
    { provide: RequestObserver, useClass: RequestLog },
    {
      provide: READINESS_CHECKS,
      inject: [Database],
      useFactory: (database: Database): readonly ReadinessCheck[] => [databaseCheck(database)],
    },
    ReadinessService,
    MetricsService,
  ],
  exports: [RequestObserver],
})
export class ObservabilityModule {}
