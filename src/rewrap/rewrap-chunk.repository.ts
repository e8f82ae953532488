import { Injectable } from '@nestjs/common';
import { randomUUID } from 'node:crypto';
import type { RewrapWay } from '../crypto/object-rewrapper.service';
import { Database } from '../database/database';
import type { Queryable, Statement } from '../database/statement';
import {
  FIRST_POSITION,
  type Reseal,
  type SealedKey,
  type SealedKeySelection,
  SealedKeyRepository,
  type SealedPosition,
} from '../object-storage/sealed-key.repository';
import { REWRAP_CHANNEL } from './rewrap-job.repository';
import { type RewrapRow, rewrapOrder } from './rewrap-row';
import type { RewrapChunk, RewrapOrder } from './rewrap.types';

const TAKE_ABANDONED: Statement = {
  name: 'rewrap-chunk.take-abandoned',
  text: `UPDATE rewrap_chunk SET lease = $1, lease_until = clock_timestamp() + make_interval(secs => $2)
    WHERE (job_id, number) = (
      SELECT c.job_id, c.number FROM rewrap_chunk c JOIN rewrap_job j ON j.id = c.job_id
      WHERE j.state = 'running' AND c.lease_until < clock_timestamp()
      ORDER BY j.created_at, c.number LIMIT 1 FOR UPDATE OF c SKIP LOCKED)
    RETURNING *`,
};
const JOB: Statement = { name: 'rewrap-chunk.job', text: `SELECT * FROM rewrap_job WHERE id = $1` };
const LOCK_WALKING: Statement = {
  name: 'rewrap-chunk.lock-walking',
  text: `SELECT * FROM rewrap_job WHERE state = 'running' AND stage IN ('uploads', 'objects') AND NOT dry_run
    ORDER BY created_at LIMIT 1 FOR NO KEY UPDATE SKIP LOCKED`,
};
const INSERT: Statement = {
  name: 'rewrap-chunk.insert',
  text: `INSERT INTO rewrap_chunk (job_id, number, kind, after_bucket, after_key, after_version,
      until_bucket, until_key, until_version, lease, lease_until)
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, clock_timestamp() + make_interval(secs => $11))`,
};
const ADVANCE_WALK: Statement = {
  name: 'rewrap-chunk.advance-walk',
  text: `UPDATE rewrap_job SET stage = $2, cursor_bucket = $3, cursor_key = $4, cursor_version = $5, next_chunk = $6
    WHERE id = $1`,
};
const FINISH_WALK: Statement = {
  name: 'rewrap-chunk.finish-walk',
  text: `UPDATE rewrap_job j SET
      stage = CASE WHEN again THEN 'plan' ELSE stage END,
      pass = CASE WHEN again THEN pass + 1 ELSE pass END,
      state = CASE WHEN again THEN state ELSE 'completed' END,
      active = CASE WHEN again THEN active ELSE active + coalesce(clock_timestamp() - running_since, '0') END,
      running_since = CASE WHEN again THEN running_since END,
      finished_at = CASE WHEN again THEN NULL ELSE clock_timestamp() END,
      waiting_for = NULL
    FROM (SELECT id AS found, pass_progress > 0 AND pass < $1 AS again FROM rewrap_job
      WHERE state = 'running' AND (stage = 'drain' OR dry_run AND stage <> 'plan')
        AND NOT EXISTS (SELECT FROM rewrap_chunk c WHERE c.job_id = id)
      ORDER BY created_at LIMIT 1 FOR NO KEY UPDATE SKIP LOCKED) f
    WHERE j.id = f.found RETURNING j.id, j.state`,
};
const RENEW: Statement = {
  name: 'rewrap-chunk.renew',
  text: `UPDATE rewrap_chunk SET lease_until = clock_timestamp() + make_interval(secs => $3) WHERE job_id = $1 AND number = $2
    AND lease = $4`,
};
const RELEASE: Statement = {
  name: 'rewrap-chunk.release',
  text: `UPDATE rewrap_chunk SET lease_until = '-infinity' WHERE job_id = $1 AND number = $2 AND lease = $3`,
};
const ADVANCE: Statement = {
  name: 'rewrap-chunk.advance',
  text: `UPDATE rewrap_chunk SET after_bucket = $4, after_key = $5, after_version = $6,
      lease_until = clock_timestamp() + make_interval(secs => $7)
    WHERE job_id = $1 AND number = $2 AND lease = $3`,
};
const REMOVE: Statement = {
  name: 'rewrap-chunk.remove',
  text: `DELETE FROM rewrap_chunk WHERE job_id = $1 AND number = $2 AND lease = $3`,
};
const COUNT: Statement = {
  name: 'rewrap-chunk.count',
  text: `UPDATE rewrap_job SET objects = objects + $2, bytes = bytes + $3, uploads = uploads + $4, changed = changed + $5,
      pass_progress = pass_progress + $6, inside_kms = inside_kms + $7, waiting_for = NULL WHERE id = $1`,
};
const FAIL: Statement = {
  name: 'rewrap-chunk.fail',
  text: `INSERT INTO rewrap_failure (job_id, kind, bucket, key, version_id, reason, message)
    SELECT $1, $2, * FROM unnest($3::text[], $4::text[], $5::text[], $6::text[], $7::text[])
    ON CONFLICT (job_id, kind, bucket, key, version_id)
      DO UPDATE SET reason = excluded.reason, message = excluded.message, failed_at = clock_timestamp()`,
};
const FORGIVE: Statement = {
  name: 'rewrap-chunk.forgive',
  text: `DELETE FROM rewrap_failure f USING unnest($3::text[], $4::text[], $5::text[]) AS g (bucket, key, version_id)
    WHERE f.job_id = $1 AND f.kind = $2 AND f.bucket = g.bucket AND f.key = g.key AND f.version_id = g.version_id`,
};

/** A job goes round at most so often, however much is written under its old keys meanwhile. */
const MAX_PASSES = 20;

/** A chunk with the token that shows it is still ours. */
export interface LeasedChunk {
  readonly chunk: RewrapChunk;
  readonly order: RewrapOrder;
  readonly lease: string;
}

/** A new seal, and which way it came about. */
export interface WayedReseal extends Reseal {
  readonly way: RewrapWay;
}

/** The outcome of one batch of a chunk. */
export interface RewrapBatch {
  readonly reseals: readonly WayedReseal[];
  readonly failures: readonly { readonly sealed: SealedKey; readonly reason: string; readonly message: string }[];
  /** Where the chunk goes on; undefined when this was its last batch. */
  readonly next?: SealedPosition;
}

export interface BatchOutcome {
  readonly rewrapped: number;
  /** Those of them that the KMS rewrapped itself. */
  readonly insideKms: number;
  readonly changed: number;
}

interface ChunkRow {
  readonly job_id: string;
  readonly number: number;
  readonly kind: RewrapChunk['kind'];
  readonly after_bucket: number;
  readonly after_key: string;
  readonly after_version: string;
  readonly until_bucket: number;
  readonly until_key: string;
  readonly until_version: string;
}

/** Hands the walk over sealed keys out in chunks, and takes in what became of them. A chunk has one owner at a time. */
@Injectable()
export class RewrapChunkRepository {
  constructor(
    private readonly database: Database,
    private readonly sealedKeys: SealedKeyRepository,
  ) {}

  /** Takes over a chunk whose owner has given it back or died. */
  async takeAbandoned(leaseSeconds: number): Promise<LeasedChunk | undefined> {
    const lease = randomUUID();
    const [row] = await this.database.query<ChunkRow>(TAKE_ABANDONED, [lease, leaseSeconds]);
    if (row === undefined) {
      return undefined;
    }
    const [job] = await this.database.query<RewrapRow>(JOB, [row.job_id]);
    return job === undefined ? undefined : { chunk: chunkOf(row), order: rewrapOrder(job), lease };
  }

  /**
   * Cuts the next chunk off the walk of a running job. The walk of one job is locked meanwhile; others are passed on to.
   *
   * @param select makes the selection of an order
   * @returns undefined when no job has anything left to hand out; `walked` when the walk has come to the end of a stage
   */
  async take(
    select: (order: RewrapOrder) => SealedKeySelection,
    size: number,
    leaseSeconds: number,
  ): Promise<LeasedChunk | 'walked' | undefined> {
    return this.database.transaction(async (tx) => {
      const [row] = await tx.query<RewrapRow>(LOCK_WALKING);
      if (row === undefined) {
        return undefined;
      }
      const order = rewrapOrder(row);
      const kind = order.stage === 'uploads' ? 'upload' : 'object';
      const after = { bucketId: row.cursor_bucket, key: row.cursor_key, versionId: row.cursor_version };
      const until = await this.sealedKeys.walk(kind, select(order), after, size, tx);
      if (until === undefined) {
        const stage = order.stage === 'uploads' ? 'objects' : 'drain';
        await tx.execute(ADVANCE_WALK, [row.id, stage, ...values(FIRST_POSITION), row.next_chunk]);
        return 'walked';
      }
      const lease = randomUUID();
      const number = row.next_chunk;
      await tx.execute(INSERT, [row.id, number, kind, ...values(after), ...values(until), lease, leaseSeconds]);
      await tx.execute(ADVANCE_WALK, [row.id, order.stage, ...values(until), number + 1]);
      return { chunk: { jobId: row.id, number, kind, after, until }, order, lease };
    });
  }

  /**
   * Ends a walk whose chunks are all done: the job goes round again as long as it found anything to do, for that may have
   * missed what was written meanwhile, and is completed by a round that did not.
   *
   * @returns the job that was moved on
   */
  async finishWalk(): Promise<{ id: string; completed: boolean } | undefined> {
    const [row] = await this.database.query<{ id: string; state: string }>(FINISH_WALK, [MAX_PASSES]);
    if (row === undefined) {
      return undefined;
    }
    await this.database.notify(REWRAP_CHANNEL, row.id);
    return { id: row.id, completed: row.state === 'completed' };
  }

  /** Keeps a chunk; false when it is no longer ours. */
  async renew({ chunk, lease }: LeasedChunk, leaseSeconds: number): Promise<boolean> {
    return (await this.database.execute(RENEW, [chunk.jobId, chunk.number, leaseSeconds, lease])) > 0;
  }

  /** Gives a chunk back to whoever comes next. */
  async release({ chunk, lease }: LeasedChunk): Promise<void> {
    await this.database.execute(RELEASE, [chunk.jobId, chunk.number, lease]);
  }

  /**
   * Stores a batch: new seals, failures, counts and the place where the chunk goes on, all or nothing, so that after a
   * crash nothing is counted twice or left out.
   *
   * @returns undefined when the chunk is no longer ours; then nothing has been stored
   */
  async commit(leased: LeasedChunk, batch: RewrapBatch, leaseSeconds: number): Promise<BatchOutcome | undefined> {
    const { chunk, lease } = leased;
    return this.database.transaction(async (tx) => {
      const place = [chunk.jobId, chunk.number, lease];
      const ours =
        batch.next === undefined
          ? await tx.execute(REMOVE, place)
          : await tx.execute(ADVANCE, [...place, ...values(batch.next), leaseSeconds]);
      if (ours === 0) {
        return undefined;
      }
      const stored = await this.sealedKeys.replace(chunk.kind, batch.reseals, tx);
      await this.recordFailures(leased, batch, tx);
      await this.forgive(leased, stored, tx);
      const changed = batch.reseals.length - stored.length;
      const objects = chunk.kind === 'object' ? stored.length : 0;
      const bytes = stored.reduce((sum, { sealed }) => sum + sealed.size, 0);
      const progress = batch.reseals.length;
      const insideKms = stored.filter(({ way }) => way === 'kms').length;
      await tx.execute(COUNT, [chunk.jobId, objects, bytes, stored.length - objects, changed, progress, insideKms]);
      return { rewrapped: stored.length, insideKms, changed };
    });
  }

  private async recordFailures({ chunk }: LeasedChunk, { failures }: RewrapBatch, on: Queryable): Promise<void> {
    if (failures.length > 0) {
      await on.execute(FAIL, [
        chunk.jobId,
        chunk.kind,
        ...names(failures),
        failures.map(({ reason }) => reason),
        failures.map(({ message }) => message),
      ]);
    }
  }

  /** Takes back failures of earlier rounds. */
  private async forgive({ chunk, order }: LeasedChunk, stored: readonly Reseal[], on: Queryable): Promise<void> {
    if (order.pass > 1 && stored.length > 0) {
      await on.execute(FORGIVE, [chunk.jobId, chunk.kind, ...names(stored)]);
    }
  }
}

function names(list: readonly { readonly sealed: SealedKey }[]): string[][] {
  return [
    list.map(({ sealed }) => sealed.bucket),
    list.map(({ sealed }) => sealed.position.key),
    list.map(({ sealed }) => sealed.position.versionId),
  ];
}

function values({ bucketId, key, versionId }: SealedPosition): unknown[] {
  return [bucketId, key, versionId];
}

function chunkOf(row: ChunkRow): RewrapChunk {
  return {
    jobId: row.job_id,
    number: row.number,
    kind: row.kind,
    after: { bucketId: row.after_bucket, key: row.after_key, versionId: row.after_version },
    until: { bucketId: row.until_bucket, key: row.until_key, versionId: row.until_version },
  };
}
