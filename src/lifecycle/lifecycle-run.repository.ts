import { Injectable } from '@nestjs/common';
import { randomUUID } from 'node:crypto';
import { Database } from '../database/database';
import type { Queryable, Statement } from '../database/statement';
import { LIFECYCLE_DOCUMENT, parseLifecycleRules } from './lifecycle-rules';
import type { LeasedRun, LifecycleCounts, LifecycleCursor, LifecycleRun } from './lifecycle.types';

/** Wakes the workers of the whole fleet. */
export const LIFECYCLE_CHANNEL = 'strongroom_lifecycle';

const LEASE_SECONDS = 30;

const COUNTERS = {
  scanned: 'scanned',
  objectsExpired: 'objects_expired',
  versionsRemoved: 'versions_removed',
  markersRemoved: 'markers_removed',
  uploadsAborted: 'uploads_aborted',
  bytes: 'bytes',
  locked: 'locked',
  changed: 'changed',
} as const satisfies Record<keyof LifecycleCounts, string>;
const COUNTER_COLUMNS = Object.values(COUNTERS);

const ENSURE: Statement = {
  name: 'lifecycle.ensure',
  text: `INSERT INTO lifecycle_run (bucket_id) SELECT d.bucket_id FROM bucket_document d
    WHERE d.document = $1 AND NOT EXISTS (SELECT FROM lifecycle_run r WHERE r.bucket_id = d.bucket_id)
    ON CONFLICT (bucket_id) DO NOTHING`,
};
const TAKE: Statement = {
  name: 'lifecycle.take',
  text: `WITH due AS (
      SELECT r.bucket_id, r.state = 'running' AS resumed, b.name, d.content
      FROM lifecycle_run r JOIN bucket b ON b.id = r.bucket_id
        JOIN bucket_document d ON d.bucket_id = r.bucket_id AND d.document = $3
      WHERE (r.state = 'running' AND r.lease_until < clock_timestamp())
        OR (r.state <> 'running' AND r.due_at <= clock_timestamp())
      ORDER BY r.due_at LIMIT 1 FOR UPDATE OF r SKIP LOCKED)
    UPDATE lifecycle_run r SET state = 'running', lease = $1,
      lease_until = clock_timestamp() + make_interval(secs => $2),
      started_at = CASE WHEN resumed THEN started_at ELSE clock_timestamp() END,
      finished_at = NULL, error = NULL,
      stage = CASE WHEN resumed THEN stage ELSE 'objects' END,
      cursor_key = CASE WHEN resumed THEN cursor_key ELSE '' END,
      cursor_seq = CASE WHEN resumed THEN cursor_seq END,
      cursor_upload = CASE WHEN resumed THEN cursor_upload ELSE '' END,
      ${COUNTER_COLUMNS.map((column) => `${column} = CASE WHEN resumed THEN r.${column} ELSE 0 END`).join(', ')}
    FROM due WHERE r.bucket_id = due.bucket_id
    RETURNING r.*, due.name, due.content`,
};
const ADVANCE: Statement = {
  name: 'lifecycle.advance',
  text: `UPDATE lifecycle_run SET lease_until = clock_timestamp() + make_interval(secs => $3),
      stage = $4, cursor_key = $5, cursor_seq = $6, cursor_upload = $7,
      ${COUNTER_COLUMNS.map((column, index) => `${column} = ${column} + $${index + 8}`).join(', ')}
    WHERE bucket_id = $1 AND state = 'running' AND lease = $2
    RETURNING (SELECT d.content FROM bucket_document d
      WHERE d.bucket_id = lifecycle_run.bucket_id AND d.document = '${LIFECYCLE_DOCUMENT}') AS content`,
};
const FINISH: Statement = {
  name: 'lifecycle.finish',
  text: `UPDATE lifecycle_run SET state = $3, error = $4, lease = NULL, lease_until = NULL,
      finished_at = clock_timestamp(), due_at = clock_timestamp() + make_interval(secs => $5)
    WHERE bucket_id = $1 AND state = 'running' AND lease = $2 RETURNING *, '' AS name`,
};
const RELEASE: Statement = {
  name: 'lifecycle.release',
  text: `UPDATE lifecycle_run SET lease_until = clock_timestamp() - interval '1 second'
    WHERE bucket_id = $1 AND state = 'running' AND lease = $2`,
};
const REQUEST: Statement = {
  name: 'lifecycle.request',
  text: `INSERT INTO lifecycle_run (bucket_id) SELECT id FROM bucket WHERE name = $1
    ON CONFLICT (bucket_id) DO UPDATE SET due_at = least(lifecycle_run.due_at, clock_timestamp())`,
};
const LIST: Statement = {
  name: 'lifecycle.list',
  text: `SELECT r.*, b.name FROM lifecycle_run r JOIN bucket b ON b.id = r.bucket_id
      JOIN bucket_document d ON d.bucket_id = r.bucket_id AND d.document = $1
    WHERE b.name > $2 ORDER BY b.name LIMIT $3`,
};
const FIND: Statement = {
  name: 'lifecycle.find',
  text: `SELECT r.*, b.name FROM lifecycle_run r JOIN bucket b ON b.id = r.bucket_id WHERE b.name = $1`,
};
const LAG: Statement = {
  name: 'lifecycle.lag',
  text: `SELECT extract(epoch FROM clock_timestamp() - min(r.due_at))::float8 AS seconds FROM lifecycle_run r
      JOIN bucket_document d ON d.bucket_id = r.bucket_id AND d.document = $1
    WHERE r.state <> 'running' AND r.due_at <= clock_timestamp()`,
};

type CounterRow = Readonly<Record<(typeof COUNTERS)[keyof LifecycleCounts], string>>;

interface RunRow extends CounterRow {
  readonly bucket_id: number;
  readonly name: string;
  readonly state: LifecycleRun['state'];
  readonly due_at: Date;
  readonly started_at: Date | null;
  readonly finished_at: Date | null;
  readonly error: string | null;
  readonly stage: LifecycleCursor['stage'];
  readonly cursor_key: string;
  readonly cursor_seq: string | null;
  readonly cursor_upload: string;
}

/** Runs of lifecycle rules in Postgres: who works on which bucket, how far it is, what it has done. */
@Injectable()
export class LifecycleRunRepository {
  constructor(private readonly database: Database) {}

  /** Takes the bucket that has been due the longest, or a run whose process gives no sign any more. */
  async take(): Promise<LeasedRun | undefined> {
    await this.database.execute(ENSURE, [LIFECYCLE_DOCUMENT]);
    const lease = randomUUID();
    const [row] = await this.database.query<RunRow & { content: string }>(TAKE, [
      lease,
      LEASE_SECONDS,
      LIFECYCLE_DOCUMENT,
    ]);
    return row === undefined
      ? undefined
      : {
          bucketId: row.bucket_id,
          bucket: row.name,
          lease,
          startedAt: row.started_at as Date,
          cursor: {
            stage: row.stage,
            key: row.cursor_key,
            seq: row.cursor_seq ?? undefined,
            upload: row.cursor_upload,
          },
          rules: parseLifecycleRules(row.content),
          document: row.content,
        };
  }

  /**
   * Stores how far a run is, what it did since, and renews its lease.
   * @returns the rules as they are now, null when they are gone; undefined when the run is no longer this process's
   */
  async advance(
    run: LeasedRun,
    cursor: LifecycleCursor,
    counts: LifecycleCounts,
    on: Queryable = this.database,
  ): Promise<string | null | undefined> {
    const [row] = await on.query<{ content: string | null }>(ADVANCE, [
      run.bucketId,
      run.lease,
      LEASE_SECONDS,
      cursor.stage,
      cursor.key,
      cursor.seq,
      cursor.upload,
      ...Object.keys(COUNTERS).map((name) => counts[name as keyof LifecycleCounts]),
    ]);
    return row?.content;
  }

  /**
   * Ends a run.
   * @param nextInSeconds when the next one begins
   * @returns undefined when the run is no longer this process's
   */
  async finish(run: LeasedRun, nextInSeconds: number, error?: string): Promise<LifecycleRun | undefined> {
    const state = error === undefined ? 'completed' : 'failed';
    const [row] = await this.database.query<RunRow>(FINISH, [run.bucketId, run.lease, state, error, nextInSeconds]);
    return row === undefined ? undefined : runOf({ ...row, name: run.bucket });
  }

  /** Gives a run back, for another process to go on with at once. */
  async release(run: LeasedRun): Promise<void> {
    await this.database.execute(RELEASE, [run.bucketId, run.lease]);
    await this.database.notify(LIFECYCLE_CHANNEL, '');
  }

  /** Makes a bucket due at once; a run under way is not disturbed. */
  async request(bucket: string): Promise<void> {
    await this.database.execute(REQUEST, [bucket]);
    await this.database.notify(LIFECYCLE_CHANNEL, '');
  }

  /** Runs of buckets that have rules, by name, from the one behind `after`. */
  async list(after: string, limit: number): Promise<LifecycleRun[]> {
    return (await this.database.query<RunRow>(LIST, [LIFECYCLE_DOCUMENT, after, limit])).map(runOf);
  }

  async find(bucket: string): Promise<LifecycleRun | undefined> {
    const [row] = await this.database.query<RunRow>(FIND, [bucket]);
    return row === undefined ? undefined : runOf(row);
  }

  /** Seconds that the bucket which waits the longest is late; 0 when none is. */
  async lagSeconds(): Promise<number> {
    const [row] = await this.database.query<{ seconds: number | null }>(LAG, [LIFECYCLE_DOCUMENT]);
    return row?.seconds ?? 0;
  }
}

function runOf(row: RunRow): LifecycleRun {
  const counts = Object.entries(COUNTERS).map(([name, column]) => [name, Number(row[column])]);
  return {
    ...(Object.fromEntries(counts) as unknown as LifecycleCounts),
    bucket: row.name,
    state: row.state,
    dueAt: row.due_at,
    startedAt: row.started_at ?? undefined,
    finishedAt: row.finished_at ?? undefined,
    error: row.error ?? undefined,
  };
}
