import { Injectable } from '@nestjs/common';
import { randomBytes } from 'node:crypto';
import { Database } from '../database/database';
import type { Queryable, Statement } from '../database/statement';
import { compareKeys } from '../object-storage/key-bounds';
import type { JudgedVersion, Verdict } from './lifecycle-evaluator';
import type { KeyRange } from './lifecycle-ranges';
import type { LifecycleCursor } from './lifecycle.types';

/** Below every sequence number of a version. */
const LEAST_SEQUENCE = '-9223372036854775808';
/** More than any rule asks to keep. */
const MOST_NEWER_VERSIONS = 100;

const VERSIONS: Statement = {
  name: 'lifecycle.versions',
  text: `SELECT v.key, v.seq, v.version_id, v.is_current, v.delete_marker, v.size, v.last_modified, v.tags,
      v.is_current AND v.delete_marker AND NOT EXISTS (
        SELECT FROM object_version o WHERE o.bucket_id = v.bucket_id AND o.key = v.key AND o.seq > v.seq) AS alone
    FROM object_version v WHERE v.bucket_id = $1 AND (v.key, v.seq) > ($2, $3) AND v.key < $4
    ORDER BY v.key, v.seq LIMIT $5`,
};
const ABOVE: Statement = {
  name: 'lifecycle.above',
  text: `SELECT
    (SELECT v.last_modified FROM object_version v
      WHERE v.bucket_id = $1 AND v.key = $2 AND v.seq <= $3 ORDER BY v.seq DESC LIMIT 1) AS last_modified,
    (SELECT count(*)::integer FROM (SELECT FROM object_version v
      WHERE v.bucket_id = $1 AND v.key = $2 AND v.seq <= $3 AND NOT v.is_current LIMIT ${MOST_NEWER_VERSIONS}) n) AS noncurrent`,
};
// In the order of the keys, so that two such statements never wait for each other in a circle.
const EXPIRE: Statement = {
  name: 'lifecycle.expire',
  text: `SELECT e.position, x.outcome, x.marker_version, x.removed_at
    FROM (SELECT * FROM unnest($2::text[], $3::text[], $4::text[], $5::timestamptz[], $6::text[], $7::integer[], $8::text[])
        WITH ORDINALITY AS t (key, version_id, action, last_modified, tags, newer, nonce, position)
      ORDER BY key COLLATE "C", position) e
    CROSS JOIN LATERAL
      lifecycle_expire($1, e.key, e.version_id, e.action, e.last_modified, e.tags::jsonb, e.newer, e.nonce) x`,
};
const UPLOADS: Statement = {
  name: 'lifecycle.uploads',
  text: `SELECT u.key, u.id, u.initiated_at FROM multipart_upload u
    WHERE u.bucket_id = $1 AND u.completed_at IS NULL AND (u.key, u.id) > ($2, $3) AND u.key < $4
    ORDER BY u.key, u.id LIMIT $5`,
};

interface VersionRow {
  readonly key: string;
  readonly seq: string;
  readonly version_id: string;
  readonly is_current: boolean;
  readonly delete_marker: boolean;
  readonly size: string;
  readonly last_modified: Date;
  readonly tags: Readonly<Record<string, string>> | null;
  readonly alone: boolean;
}

interface ExpireRow {
  readonly position: string;
  readonly outcome: string;
  readonly marker_version: string | null;
  readonly removed_at: Date | null;
}

/** What is above the next version of a key. */
export interface Above {
  readonly key: string;
  readonly lastModified: Date;
  readonly noncurrent: number;
}

/** A version with its place in the walk; what is above it is added by who walks. */
export type WalkedVersion = Omit<JudgedVersion, 'noncurrentSince' | 'newerNoncurrent'> & {
  readonly seq: string;
  readonly versionId: string;
};

/** A version and what is to be done with it. */
export interface Judgement {
  readonly version: WalkedVersion;
  readonly verdict: Verdict;
}

export interface ExpireOutcome {
  /** `ok`, `changed`, or the S3 error code. */
  readonly outcome: string;
  /** The delete marker that was put on top; undefined when the version was removed for good. */
  readonly markerVersion?: string;
  readonly removedAt?: Date;
}

export interface WalkedUpload {
  readonly key: string;
  readonly id: string;
  readonly initiatedAt: Date;
}

/** Walks over the index of a bucket, and deletes what was judged. */
@Injectable()
export class LifecycleWalkRepository {
  constructor(private readonly database: Database) {}

  /** The versions behind a place, newest first within a key. */
  async versions(
    bucketId: number,
    cursor: LifecycleCursor,
    { from, until }: KeyRange,
    limit: number,
  ): Promise<WalkedVersion[]> {
    const inRange = compareKeys(cursor.key, from) >= 0;
    const rows = await this.database.query<VersionRow>(VERSIONS, [
      bucketId,
      inRange ? cursor.key : from,
      inRange ? (cursor.seq ?? LEAST_SEQUENCE) : LEAST_SEQUENCE,
      until,
      limit,
    ]);
    return rows.map((row) => ({
      key: row.key,
      seq: row.seq,
      versionId: row.version_id,
      isCurrent: row.is_current,
      deleteMarker: row.delete_marker,
      size: Number(row.size),
      lastModified: row.last_modified,
      tags: row.tags,
      alone: row.alone,
    }));
  }

  /** What is above the versions behind a place, for a walk that goes on there. */
  async above(bucketId: number, { key, seq }: LifecycleCursor): Promise<Above | undefined> {
    if (seq === undefined) {
      return undefined;
    }
    const [row] = await this.database.query<{ last_modified: Date | null; noncurrent: number }>(ABOVE, [
      bucketId,
      key,
      seq,
    ]);
    return row?.last_modified ? { key, lastModified: row.last_modified, noncurrent: row.noncurrent } : undefined;
  }

  /** Deletes versions that still are as they were judged; outcomes are in the order of the judgements. */
  async expire(bucketId: number, judgements: readonly Judgement[], on: Queryable): Promise<ExpireOutcome[]> {
    const rows = await on.query<ExpireRow>(EXPIRE, [
      bucketId,
      judgements.map(({ version }) => version.key),
      judgements.map(({ version }) => version.versionId),
      judgements.map(({ verdict }) => verdict.action),
      judgements.map(({ version }) => version.lastModified),
      judgements.map(({ version }) => (version.tags ? JSON.stringify(version.tags) : null)),
      judgements.map(({ verdict }) => verdict.newerVersions),
      judgements.map(() => randomBytes(8).toString('hex')),
    ]);
    return rows
      .sort((left, right) => Number(left.position) - Number(right.position))
      .map((row) => ({
        outcome: row.outcome,
        markerVersion: row.marker_version ?? undefined,
        removedAt: row.removed_at ?? undefined,
      }));
  }

  /** The uploads in progress behind a place. */
  async uploads(
    bucketId: number,
    cursor: LifecycleCursor,
    { from, until }: KeyRange,
    limit: number,
  ): Promise<WalkedUpload[]> {
    const inRange = compareKeys(cursor.key, from) >= 0;
    const rows = await this.database.query<{ key: string; id: string; initiated_at: Date }>(UPLOADS, [
      bucketId,
      inRange ? cursor.key : from,
      inRange ? cursor.upload : '',
      until,
      limit,
    ]);
    return rows.map((row) => ({ key: row.key, id: row.id, initiatedAt: row.initiated_at }));
  }
}
