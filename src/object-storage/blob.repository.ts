import { Injectable } from '@nestjs/common';
import { Database } from '../database/database';
import type { Statement } from '../database/statement';

/** Any fixed number that nothing else locks on. */
const REAPER_LOCK = 7_340_514_001;

const TRY_LOCK: Statement = {
  name: 'blob.try-lock',
  text: `SELECT pg_try_advisory_xact_lock(${REAPER_LOCK}) AS locked`,
};
const QUEUED: Statement = {
  name: 'blob.queued',
  text: `SELECT id FROM blob WHERE deleted_at < clock_timestamp() - make_interval(secs => $1)
    ORDER BY deleted_at LIMIT $2`,
};
const FORGET: Statement = {
  name: 'blob.forget',
  text: `DELETE FROM blob WHERE id = ANY ($1::text[]) AND deleted_at IS NOT NULL`,
};
const UNKNOWN: Statement = {
  name: 'blob.unknown',
  text: `SELECT t.id FROM unnest($1::text[]) AS t (id) WHERE NOT EXISTS (SELECT FROM blob b WHERE b.id = t.id)`,
};

/** What the database knows of blobs: which exist, and which wait for deletion. */
@Injectable()
export class BlobRepository {
  constructor(private readonly database: Database) {}

  /** Runs the work unless another process is at it; the lock goes with the connection, so a dead process frees it. */
  async exclusively<T>(work: () => Promise<T>): Promise<T | undefined> {
    return this.database.transaction(async (tx) => {
      const [row] = await tx.query<{ locked: boolean }>(TRY_LOCK);
      return row?.locked ? work() : undefined;
    });
  }

  /** Ids of blobs that have been waiting for deletion this long, the longest first. */
  async queued(ageSeconds: number, limit: number): Promise<string[]> {
    return (await this.database.query<{ id: string }>(QUEUED, [ageSeconds, limit])).map((row) => row.id);
  }

  /** Forgets blobs whose bytes are gone. */
  async forget(ids: readonly string[]): Promise<void> {
    await this.database.execute(FORGET, [ids]);
  }

  /** Which of these ids no metadata knows of. */
  async unknown(ids: readonly string[]): Promise<string[]> {
    return (await this.database.query<{ id: string }>(UNKNOWN, [ids])).map((row) => row.id);
  }
}
