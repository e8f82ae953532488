import { Injectable } from '@nestjs/common';
import { randomUUID } from 'node:crypto';
import { Database } from '../database/database';
import type { Queryable, Statement } from '../database/statement';

/** Longer than one message may take. */
const LEASE_SECONDS = 90;

const ADD: Statement = {
  name: 'outbox.add',
  text: `WITH known AS (
      INSERT INTO notification_target (target) SELECT DISTINCT t FROM unnest($1::text[]) t ON CONFLICT (target) DO NOTHING)
    INSERT INTO notification_outbox (target, message) SELECT * FROM unnest($1::text[], $2::text[])`,
};
const TAKE: Statement = {
  name: 'outbox.take',
  text: `UPDATE notification_target SET lease = $1, lease_until = clock_timestamp() + make_interval(secs => $2)
    WHERE target = (SELECT t.target FROM notification_target t
      WHERE t.target = ANY ($3::text[]) AND t.retry_at <= clock_timestamp()
        AND (t.lease_until IS NULL OR t.lease_until < clock_timestamp())
        AND EXISTS (SELECT FROM notification_outbox o
          WHERE o.target = t.target AND NOT o.dead AND o.due_at <= clock_timestamp())
      ORDER BY t.retry_at LIMIT 1 FOR UPDATE SKIP LOCKED)
    RETURNING target, failures`,
};
const NEXT: Statement = {
  name: 'outbox.next',
  text: `SELECT id, message, refusals, extract(epoch FROM clock_timestamp() - created_at)::float8 AS age
    FROM notification_outbox WHERE target = $1 AND NOT dead AND due_at <= clock_timestamp() ORDER BY id LIMIT $2`,
};
const DELIVERED: Statement = {
  name: 'outbox.delivered',
  text: `WITH gone AS (DELETE FROM notification_outbox WHERE id = $3)
    UPDATE notification_target SET delivered = delivered + 1, failures = 0, last_delivered_at = clock_timestamp(),
      lease_until = clock_timestamp() + make_interval(secs => $4)
    WHERE target = $1 AND lease = $2`,
};
const REFUSED: Statement = {
  name: 'outbox.refused',
  text: `WITH message AS (
      UPDATE notification_outbox SET refusals = refusals + 1, dead = $4,
        due_at = clock_timestamp() + make_interval(secs => $5) WHERE id = $3)
    UPDATE notification_target SET last_error = $6, last_error_at = clock_timestamp(),
      lease_until = clock_timestamp() + make_interval(secs => $7)
    WHERE target = $1 AND lease = $2`,
};
const POSTPONE: Statement = {
  name: 'outbox.postpone',
  text: `UPDATE notification_target SET lease = NULL, lease_until = NULL, failures = failures + 1,
      retry_at = clock_timestamp() + make_interval(secs => $3), last_error = $4, last_error_at = clock_timestamp()
    WHERE target = $1 AND lease = $2`,
};
const RELEASE: Statement = {
  name: 'outbox.release',
  text: `UPDATE notification_target SET lease = NULL, lease_until = NULL WHERE target = $1 AND lease = $2`,
};
const STATUS: Statement = {
  name: 'outbox.status',
  text: `SELECT t.target, t.delivered, t.failures, t.retry_at, t.last_delivered_at, t.last_error, t.last_error_at,
      count(o.id) FILTER (WHERE NOT o.dead) AS pending, count(o.id) FILTER (WHERE o.dead) AS dead,
      min(o.created_at) FILTER (WHERE NOT o.dead) AS oldest
    FROM notification_target t LEFT JOIN notification_outbox o ON o.target = t.target
    GROUP BY t.target ORDER BY t.target`,
};
const REVIVE: Statement = {
  name: 'outbox.revive',
  text: `UPDATE notification_outbox SET dead = false, refusals = 0, created_at = clock_timestamp(), due_at = clock_timestamp()
    WHERE target = $1 AND dead`,
};
const RETRY_NOW: Statement = {
  name: 'outbox.retry-now',
  text: `UPDATE notification_target SET retry_at = clock_timestamp() WHERE target = $1`,
};
const DISCARD: Statement = {
  name: 'outbox.discard',
  text: `DELETE FROM notification_outbox WHERE target = $1 AND dead`,
};

/** A message for a target. */
export interface OutboxEntry {
  readonly target: string;
  readonly message: string;
}

/** A target that this process delivers to for a while. */
export interface LeasedTarget {
  readonly target: string;
  readonly lease: string;
  /** Deliveries in a row that failed. */
  readonly failures: number;
}

export interface WaitingMessage {
  readonly id: string;
  readonly message: string;
  readonly refusals: number;
  /** Seconds. */
  readonly age: number;
}

/** How a target's deliveries go. */
export interface TargetStatus {
  readonly target: string;
  readonly pending: number;
  /** Messages that were given up. */
  readonly dead: number;
  readonly delivered: number;
  /** Deliveries in a row that failed. */
  readonly failures: number;
  readonly oldestPending?: Date;
  readonly lastDeliveredAt?: Date;
  readonly lastError?: string;
  readonly lastErrorAt?: Date;
}

interface StatusRow {
  readonly target: string;
  readonly delivered: string;
  readonly failures: number;
  readonly last_delivered_at: Date | null;
  readonly last_error: string | null;
  readonly last_error_at: Date | null;
  readonly pending: string;
  readonly dead: string;
  readonly oldest: Date | null;
}

/** Messages in Postgres until their targets have taken them. */
@Injectable()
export class OutboxRepository {
  constructor(private readonly database: Database) {}

  async add(entries: readonly OutboxEntry[], on: Queryable = this.database): Promise<void> {
    await on.execute(ADD, [entries.map(({ target }) => target), entries.map(({ message }) => message)]);
  }

  /** Takes one of these targets that has something due and nobody at it. */
  async take(targets: readonly string[]): Promise<LeasedTarget | undefined> {
    const lease = randomUUID();
    const [row] = await this.database.query<{ target: string; failures: number }>(TAKE, [
      lease,
      LEASE_SECONDS,
      targets,
    ]);
    return row === undefined ? undefined : { ...row, lease };
  }

  /** The oldest messages of a target. */
  async next({ target }: LeasedTarget, limit: number): Promise<WaitingMessage[]> {
    return this.database.query<WaitingMessage>(NEXT, [target, limit]);
  }

  /** Forgets a message that was taken; false when the target is no longer this process's. */
  async delivered({ target, lease }: LeasedTarget, id: string): Promise<boolean> {
    return (await this.database.execute(DELIVERED, [target, lease, id, LEASE_SECONDS])) > 0;
  }

  /** Sets a message aside that the target does not want: for some seconds, or for good. False as in {@link delivered}. */
  async refused(
    { target, lease }: LeasedTarget,
    id: string,
    retry: { readonly seconds: number } | 'dead',
    error: string,
  ): Promise<boolean> {
    const dead = retry === 'dead';
    const values = [target, lease, id, dead, dead ? 0 : retry.seconds, error, LEASE_SECONDS];
    return (await this.database.execute(REFUSED, values)) > 0;
  }

  /** Leaves a target alone for some seconds, because it cannot be delivered to. */
  async postpone({ target, lease }: LeasedTarget, seconds: number, error: string): Promise<void> {
    await this.database.execute(POSTPONE, [target, lease, seconds, error]);
  }

  async release({ target, lease }: LeasedTarget): Promise<void> {
    await this.database.execute(RELEASE, [target, lease]);
  }

  /** Every target that ever got a message. */
  async status(): Promise<TargetStatus[]> {
    return (await this.database.query<StatusRow>(STATUS)).map((row) => ({
      target: row.target,
      pending: Number(row.pending),
      dead: Number(row.dead),
      delivered: Number(row.delivered),
      failures: row.failures,
      oldestPending: row.oldest ?? undefined,
      lastDeliveredAt: row.last_delivered_at ?? undefined,
      lastError: row.last_error ?? undefined,
      lastErrorAt: row.last_error_at ?? undefined,
    }));
  }

  /** Has messages that were given up tried again. @returns how many */
  async revive(target: string): Promise<number> {
    const revived = await this.database.execute(REVIVE, [target]);
    await this.database.execute(RETRY_NOW, [target]);
    return revived;
  }

  /** Forgets messages that were given up. @returns how many */
  async discard(target: string): Promise<number> {
    return this.database.execute(DISCARD, [target]);
  }
}
