import { Injectable } from '@nestjs/common';
import type { Queryable } from '../database/statement';
import { BucketDocumentCache } from '../object-storage/bucket-document-cache.service';
import { BucketService } from '../object-storage/bucket.service';
import { Settings } from '../settings/settings';
import { EventDelivery } from './event-delivery.service';
import { type EventCause, eventMessage, type ObjectEvent, testMessage } from './event-record';
import { NOTIFICATION_DOCUMENT, type NotificationRule, parseNotificationRules, wants } from './notification-rules';
import { type OutboxEntry, OutboxRepository } from './outbox.repository';
import { targetOfArn } from './target-arn';

/**
 * Puts messages about events into the outbox, after what they tell of was committed and before anybody is told that it
 * was done. Buckets without a configuration pay a look into a cache.
 */
@Injectable()
export class EventPublisher {
  constructor(
    private readonly documents: BucketDocumentCache,
    private readonly buckets: BucketService,
    private readonly outbox: OutboxRepository,
    private readonly delivery: EventDelivery,
    private readonly settings: Settings,
  ) {}

  /**
   * Queues the messages that the configuration of a bucket asks for.
   *
   * @param on a transaction that the messages shall share the fate of
   * @throws whatever the database refuses with; the events are then not queued
   */
  async publish(bucket: string, events: readonly ObjectEvent[], cause: EventCause, on?: Queryable): Promise<void> {
    const rules = await this.rulesOf(bucket);
    if (rules === undefined) {
      return;
    }
    const wanted = events.flatMap((event) =>
      rules.filter((rule) => wants(rule, event.name, event.key)).map((rule) => ({ event, rule })),
    );
    if (wanted.length === 0) {
      return;
    }
    const { owner } = await this.buckets.get(bucket);
    const place = { region: this.settings.region, bucket, bucketOwner: owner };
    await this.queue(
      wanted.map(({ event, rule }) => ({
        target: targetOfArn(rule.arn) ?? '',
        message: eventMessage(event, rule, cause, place),
      })),
      on,
    );
  }

  /** Queues the message by which a target learns that it was configured. */
  async publishTest(bucket: string, targets: readonly string[], cause: EventCause): Promise<void> {
    const message = testMessage(bucket, new Date(), cause.requestId, cause.hostId);
    await this.queue(targets.map((target) => ({ target, message })));
  }

  private async queue(entries: readonly OutboxEntry[], on?: Queryable): Promise<void> {
    const kept = entries.filter(({ target }) => this.delivery.accepts(target));
    if (kept.length > 0) {
      await this.outbox.add(kept, on);
      this.delivery.wake();
    }
  }

  private rulesOf(bucket: string): Promise<readonly NotificationRule[] | undefined> {
    return this.documents.get(bucket, NOTIFICATION_DOCUMENT, parseNotificationRules);
  }
}
