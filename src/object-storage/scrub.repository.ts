import { Injectable } from '@nestjs/common';
import { randomUUID } from 'node:crypto';
import { Database } from '../database/database';
import type { Statement } from '../database/statement';

const LEASE_SECONDS = 60;

const TAKE: Statement = {
  name: 'scrub.take',
  text: `UPDATE blob_scrub s SET running = true, lease = $1, lease_until = clock_timestamp() + make_interval(secs => $2),
      started_at = CASE WHEN running THEN started_at ELSE clock_timestamp() END,
      cursor_blob = CASE WHEN running THEN cursor_blob ELSE '' END,
      blobs = CASE WHEN running THEN blobs ELSE 0 END, bytes = CASE WHEN running THEN bytes ELSE 0 END,
      damaged = CASE WHEN running THEN damaged ELSE 0 END
    WHERE id = (SELECT id FROM blob_scrub
      WHERE (running AND (lease_until IS NULL OR lease_until < clock_timestamp()))
        OR (NOT running AND due_at <= clock_timestamp())
      FOR UPDATE SKIP LOCKED)
    RETURNING cursor_blob`,
};
const RENEW: Statement = {
  name: 'scrub.renew',
  text: `UPDATE blob_scrub SET lease_until = clock_timestamp() + make_interval(secs => $2) WHERE id = 1 AND lease = $1`,
};
const ADVANCE: Statement = {
  name: 'scrub.advance',
  text: `UPDATE blob_scrub SET lease_until = clock_timestamp() + make_interval(secs => $2), cursor_blob = $3,
      blobs = blobs + 1, bytes = bytes + $4, damaged = damaged + $5
    WHERE id = 1 AND lease = $1`,
};
const RELEASE: Statement = {
  name: 'scrub.release',
  text: `UPDATE blob_scrub SET lease = NULL, lease_until = NULL WHERE id = 1 AND lease = $1`,
};
const FINISH: Statement = {
  name: 'scrub.finish',
  text: `UPDATE blob_scrub SET running = false, lease = NULL, lease_until = NULL, finished_at = clock_timestamp(),
      due_at = clock_timestamp() + make_interval(secs => $2)
    WHERE id = 1 AND lease = $1`,
};
const REQUEST: Statement = {
  name: 'scrub.request',
  text: `UPDATE blob_scrub SET due_at = least(due_at, clock_timestamp()) WHERE id = 1`,
};
const STATUS: Statement = { name: 'scrub.status', text: `SELECT * FROM blob_scrub WHERE id = 1` };
const BLOBS: Statement = {
  name: 'scrub.blobs',
  text: `SELECT id, size, crc32c FROM blob WHERE id > $1 AND deleted_at IS NULL ORDER BY id LIMIT $2`,
};
// Finds the object by a scan, which only damage is worth.
const REPORT: Statement = {
  name: 'scrub.report',
  text: `INSERT INTO blob_damage (blob_id, reason, bucket, key, version_id)
    SELECT b.id, $2, o.bucket, o.key, o.version_id FROM blob b
      LEFT JOIN LATERAL (
        SELECT k.name AS bucket, v.key, v.version_id FROM object_version v JOIN bucket k ON k.id = v.bucket_id
        WHERE v.blob_id = b.id OR v.parts @> jsonb_build_array(jsonb_build_object('b', b.id)) LIMIT 1) o ON true
    WHERE b.id = $1 AND b.deleted_at IS NULL
    ON CONFLICT (blob_id) DO UPDATE SET reason = excluded.reason, bucket = excluded.bucket, key = excluded.key,
      version_id = excluded.version_id
    RETURNING bucket, key, version_id`,
};
const FORGET_GONE: Statement = {
  name: 'scrub.forget-gone',
  text: `DELETE FROM blob_damage d
    WHERE NOT EXISTS (SELECT FROM blob b WHERE b.id = d.blob_id AND b.deleted_at IS NULL)`,
};
const FORGET: Statement = { name: 'scrub.forget', text: `DELETE FROM blob_damage WHERE blob_id = $1` };
const DAMAGE: Statement = {
  name: 'scrub.damage',
  text: `SELECT * FROM blob_damage WHERE blob_id > $1 ORDER BY blob_id LIMIT $2`,
};

/** A blob as it must be. */
export interface ExpectedBlob {
  readonly id: string;
  readonly size: number;
  readonly crc32c: number;
}

export type DamageReason = 'missing' | 'short' | 'altered' | 'unreadable';

/** A damaged blob and, where one was found, an object that has it. */
export interface BlobDamage {
  readonly blobId: string;
  readonly reason: DamageReason;
  readonly bucket?: string;
  readonly key?: string;
  readonly versionId?: string;
  readonly foundAt: Date;
}

/** The round under way, or the last one. */
export interface ScrubStatus {
  readonly running: boolean;
  /** When the next round begins at the earliest. */
  readonly dueAt: Date;
  readonly startedAt?: Date;
  readonly finishedAt?: Date;
  readonly blobs: number;
  readonly bytes: number;
  readonly damaged: number;
}

/** A round in the hands of this process. */
export interface LeasedScrub {
  readonly lease: string;
  /** The last blob that was verified. */
  readonly cursor: string;
}

interface StatusRow {
  readonly running: boolean;
  readonly due_at: Date;
  readonly started_at: Date | null;
  readonly finished_at: Date | null;
  readonly blobs: string;
  readonly bytes: string;
  readonly damaged: string;
}

interface DamageRow {
  readonly blob_id: string;
  readonly reason: DamageReason;
  readonly bucket: string | null;
  readonly key: string | null;
  readonly version_id: string | null;
  readonly found_at: Date;
}

/** Where the verification of stored bytes is, and what it found, in Postgres. */
@Injectable()
export class ScrubRepository {
  constructor(private readonly database: Database) {}

  /** Takes the round that is due, or one whose process gives no sign any more. */
  async take(): Promise<LeasedScrub | undefined> {
    const lease = randomUUID();
    const [row] = await this.database.query<{ cursor_blob: string }>(TAKE, [lease, LEASE_SECONDS]);
    return row === undefined ? undefined : { lease, cursor: row.cursor_blob };
  }

  async renew({ lease }: LeasedScrub): Promise<void> {
    await this.database.execute(RENEW, [lease, LEASE_SECONDS]);
  }

  /** Stores that a blob was verified; false when the round is no longer this process's. */
  async advance({ lease }: LeasedScrub, blob: ExpectedBlob, damaged: boolean): Promise<boolean> {
    const values = [lease, LEASE_SECONDS, blob.id, blob.size, damaged ? 1 : 0];
    return (await this.database.execute(ADVANCE, values)) > 0;
  }

  async release({ lease }: LeasedScrub): Promise<void> {
    await this.database.execute(RELEASE, [lease]);
  }

  async finish({ lease }: LeasedScrub, nextInSeconds: number): Promise<void> {
    await this.database.execute(FINISH, [lease, nextInSeconds]);
    await this.database.execute(FORGET_GONE);
  }

  /** Makes a round due at once. */
  async request(): Promise<void> {
    await this.database.execute(REQUEST);
  }

  async status(): Promise<ScrubStatus> {
    const [row] = await this.database.query<StatusRow>(STATUS);
    const found = row as StatusRow;
    return {
      running: found.running,
      dueAt: found.due_at,
      startedAt: found.started_at ?? undefined,
      finishedAt: found.finished_at ?? undefined,
      blobs: Number(found.blobs),
      bytes: Number(found.bytes),
      damaged: Number(found.damaged),
    };
  }

  /** The blobs behind one, in the order of their ids. */
  async blobs(after: string, limit: number): Promise<ExpectedBlob[]> {
    const rows = await this.database.query<{ id: string; size: string; crc32c: string }>(BLOBS, [after, limit]);
    return rows.map(({ id, size, crc32c }) => ({ id, size: Number(size), crc32c: Number(crc32c) }));
  }

  /** Keeps a damage; undefined when the blob has been deleted meanwhile and nobody misses it. */
  async report(id: string, reason: DamageReason): Promise<Omit<BlobDamage, 'foundAt'> | undefined> {
    const [row] = await this.database.query<Pick<DamageRow, 'bucket' | 'key' | 'version_id'>>(REPORT, [id, reason]);
    return row === undefined
      ? undefined
      : {
          blobId: id,
          reason,
          bucket: row.bucket ?? undefined,
          key: row.key ?? undefined,
          versionId: row.version_id ?? undefined,
        };
  }

  /** Forgets a damage that was mended. */
  async forget(id: string): Promise<void> {
    await this.database.execute(FORGET, [id]);
  }

  /** Damaged blobs by id, from the one behind `after`. */
  async damage(after: string, limit: number): Promise<BlobDamage[]> {
    return (await this.database.query<DamageRow>(DAMAGE, [after, limit])).map((row) => ({
      blobId: row.blob_id,
      reason: row.reason,
      bucket: row.bucket ?? undefined,
      key: row.key ?? undefined,
      versionId: row.version_id ?? undefined,
      foundAt: row.found_at,
    }));
  }
}
