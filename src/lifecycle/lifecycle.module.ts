import { Module } from '@nestjs/common';
import { NotificationModule } from '../notifications/notification.module';
import { ObjectStorageModule } from '../object-storage/object-storage.module';
import { LifecycleRunRepository } from './lifecycle-run.repository';
import { LifecycleRunner } from './lifecycle-runner.service';
import { LifecycleWalkRepository } from './lifecycle-walk.repository';
import { LifecycleWalker } from './lifecycle-walker.service';
import { LifecycleWorker } from './lifecycle-worker.service';
import { LifecycleService } from './lifecycle.service';

/** Carries out the lifecycle rules of buckets. */
@Module({
  imports: [ObjectStorageModule, NotificationModule],
  providers: [
    LifecycleRunRepository,
    LifecycleWalkRepository,
    LifecycleWalker,
    LifecycleRunner,
    LifecycleWorker,
    LifecycleService,
  ],
  exports: [LifecycleService],
})
export class LifecycleModule {}
