import { Module } from '@nestjs/common';
import { ConfigManagerModule } from '../config/config.module';
import { ObjectStorageModule } from '../object-storage/object-storage.module';
import { EventDelivery } from './event-delivery.service';
import { EventPublisher } from './event-publisher.service';
import { NotificationService } from './notification.service';
import { OutboxRepository } from './outbox.repository';
import { WebhookTargets } from './webhook-targets.service';

/** Tells webhooks what happens to the objects of buckets. */
@Module({
  imports: [ConfigManagerModule, ObjectStorageModule],
  providers: [OutboxRepository, WebhookTargets, EventDelivery, EventPublisher, NotificationService],
  exports: [EventPublisher, NotificationService, WebhookTargets],
})
export class NotificationModule {}
