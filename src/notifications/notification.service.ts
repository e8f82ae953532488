import { Injectable } from '@nestjs/common';
import { DomainError } from '../common/domain-error';
import { EventDelivery } from './event-delivery.service';
import { OutboxRepository, type TargetStatus } from './outbox.repository';
import { arnOfTarget } from './target-arn';
import { WebhookTargets } from './webhook-targets.service';

/** A target with how its deliveries go. */
export interface NotificationTarget extends TargetStatus {
  readonly arn: string;
  /** Whether it is configured and enabled. */
  readonly configured: boolean;
}

/** Targets of events as an operator sees them. */
@Injectable()
export class NotificationService {
  constructor(
    private readonly outbox: OutboxRepository,
    private readonly targets: WebhookTargets,
    private readonly delivery: EventDelivery,
  ) {}

  /** Every target that is configured or has had messages. */
  async list(): Promise<NotificationTarget[]> {
    const known = await this.outbox.status();
    const names = this.targets.names();
    const fresh = names
      .filter((name) => !known.some(({ target }) => target === name))
      .map((target) => ({ target, pending: 0, dead: 0, delivered: 0, failures: 0 }));
    return [...known, ...fresh]
      .map((status) => ({ ...status, arn: arnOfTarget(status.target), configured: names.includes(status.target) }))
      .sort((left, right) => (left.target < right.target ? -1 : 1));
  }

  /** Has messages that were given up delivered after all. @throws DomainError `no-such-target` */
  async redeliver(target: string): Promise<number> {
    await this.require(target);
    const revived = await this.outbox.revive(target);
    this.delivery.wake();
    return revived;
  }

  /** Forgets messages that were given up. @throws DomainError `no-such-target` */
  async discard(target: string): Promise<number> {
    await this.require(target);
    return this.outbox.discard(target);
  }

  private async require(target: string): Promise<void> {
    if (!(await this.list()).some((known) => known.target === target)) {
      throw new DomainError('no-such-target', `There is no notification target "${target}"`, {
        remedy: `Configure notify_webhook:${target}`,
      });
    }
  }
}
