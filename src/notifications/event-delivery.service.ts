import { type BeforeApplicationShutdown, Injectable, Logger, type OnApplicationBootstrap } from '@nestjs/common';
import { BackgroundLoop } from '../common/background-loop';
import { countDelivery, setQueued } from './notification.metrics';
import { type LeasedTarget, OutboxRepository, type WaitingMessage } from './outbox.repository';
import type { Delivery, WebhookSender } from './webhook-sender';
import { WebhookTargets } from './webhook-targets.service';

const POLL_MS = 2_000;
const BATCH = 100;
const COUNT_EVERY_MS = 5_000;
const FIRST_RETRY_SECONDS = 0.5;
const LONGEST_RETRY_SECONDS = 60;
/** How often one message may be refused before it is given up. */
const MOST_REFUSALS = 5;

/**
 * Delivers messages, in every process of the fleet alike: whoever is free leases a target and sends it what waits, in
 * order, one by one. A message is forgotten only after its target has taken it, so each arrives at least once.
 */
@Injectable()
export class EventDelivery implements OnApplicationBootstrap, BeforeApplicationShutdown {
  private readonly logger = new Logger(EventDelivery.name);
  private readonly loop = new BackgroundLoop({ step: () => this.step(), pollMs: POLL_MS, logger: this.logger });
  /** Targets whose queue was full when it was last counted. */
  private full: ReadonlySet<string> = new Set();
  private countedAt = -Infinity;

  constructor(
    private readonly outbox: OutboxRepository,
    private readonly targets: WebhookTargets,
  ) {}

  onApplicationBootstrap(): void {
    this.targets.whenChanged(() => this.wake());
    this.loop.start();
  }

  async beforeApplicationShutdown(): Promise<void> {
    await this.loop.stop();
  }

  wake(): void {
    this.loop.wake();
  }

  /** Whether a target has room for another message; the refusal is counted. */
  accepts(target: string): boolean {
    if (this.full.has(target)) {
      countDelivery(target, 'dropped');
      return false;
    }
    return true;
  }

  /**
   * Delivers a batch to one target.
   * @returns false when nothing is due
   */
  async step(): Promise<boolean> {
    const names = this.targets.names();
    if (names.length === 0) {
      return false;
    }
    await this.count();
    const leased = await this.outbox.take(names);
    const sender = leased === undefined ? undefined : this.targets.get(leased.target);
    if (leased === undefined || sender === undefined) {
      return false;
    }
    await this.deliver(leased, sender);
    return true;
  }

  private async deliver(leased: LeasedTarget, sender: WebhookSender): Promise<void> {
    for (const message of await this.outbox.next(leased, BATCH)) {
      if (this.loop.stopping) {
        break;
      }
      const goesOn = await this.settle(leased, sender, message, await sender.send(message.message));
      if (!goesOn) {
        return;
      }
    }
    await this.outbox.release(leased);
  }

  /** Stores what came of a delivery; false when the target is not to be delivered to any more for now. */
  private async settle(
    leased: LeasedTarget,
    sender: WebhookSender,
    message: WaitingMessage,
    delivery: Delivery,
  ): Promise<boolean> {
    const { target } = leased;
    if (delivery.outcome === 'delivered') {
      countDelivery(target, 'delivered');
      return this.outbox.delivered(leased, message.id);
    }
    const tooOld = message.age * 1_000 >= sender.settings.retryFor;
    if (delivery.outcome === 'refused' || tooOld) {
      const dead = tooOld || message.refusals + 1 >= MOST_REFUSALS;
      countDelivery(target, dead ? 'dead' : 'failed');
      const retry = dead ? 'dead' : { seconds: backOff(message.refusals) };
      return this.outbox.refused(leased, message.id, retry, delivery.error);
    }
    countDelivery(target, 'failed');
    this.logger.warn(delivery.error);
    await this.outbox.postpone(leased, backOff(leased.failures), delivery.error);
    return false;
  }

  private async count(): Promise<void> {
    if (performance.now() - this.countedAt < COUNT_EVERY_MS) {
      return;
    }
    this.countedAt = performance.now();
    const full = new Set<string>();
    for (const { target, pending, dead } of await this.outbox.status()) {
      setQueued(target, pending, dead);
      if (pending >= (this.targets.get(target)?.settings.queueLimit ?? Infinity)) {
        full.add(target);
      }
    }
    this.full = full;
  }
}

/** Seconds until the next attempt, doubled with each failure and scattered, so that not all come at once. */
function backOff(failures: number): number {
  const longest = Math.min(LONGEST_RETRY_SECONDS, FIRST_RETRY_SECONDS * 2 ** Math.min(failures, 10));
  return longest * (0.5 + Math.random() / 2);
}
