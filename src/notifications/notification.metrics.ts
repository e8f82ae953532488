import { Counter, Gauge } from 'prom-client';

const deliveries = new Counter({
  name: 'strongroom_notification_deliveries_total',
  help: 'Event messages by what became of them: delivered, failed (tried again), dead (given up), dropped (queue full)',
  labelNames: ['target', 'outcome'] as const,
});

const pending = new Gauge({
  name: 'strongroom_notification_pending',
  help: 'Event messages that wait for delivery',
  labelNames: ['target'] as const,
  aggregator: 'max',
});

const dead = new Gauge({
  name: 'strongroom_notification_dead',
  help: 'Event messages that were given up and are kept for an operator',
  labelNames: ['target'] as const,
  aggregator: 'max',
});

/** Counts what became of messages. */
export function countDelivery(target: string, outcome: 'delivered' | 'failed' | 'dead' | 'dropped', count = 1): void {
  deliveries.inc({ target, outcome }, count);
}

/** Tells how many messages are kept for a target. */
export function setQueued(target: string, waiting: number, givenUp: number): void {
  pending.set({ target }, waiting);
  dead.set({ target }, givenUp);
}
