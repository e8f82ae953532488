import type { AccessControlList } from './access-control.types';
import { Injectable } from '@nestjs/common';
import { randomBytes } from 'node:crypto';
import { Database } from '../database/database';
import type { Queryable, Statement } from '../database/statement';
import type { EncryptionRecord } from '../crypto/encryption.types';
import type { StoredBlob } from './blob-store';
import { ENCRYPTION_COLUMNS, encryptionValues } from './encryption-columns';
import { OBJECT_COLUMNS, type ObjectRow, type StoredPart } from './object-row';
import type {
  DeleteEntry,
  ObjectLock,
  ObjectMetadata,
  StoredChecksum,
  VersioningState,
  WriteConditions,
} from './object-storage.types';

/** The random half of a version id, so that ids cannot be guessed. */
const NONCE_BYTES = 8;

/** Those beside the columns of the encryption. */
const OWN_PARAMETERS = 20;
const COMMIT_PARAMETERS = OWN_PARAMETERS + ENCRYPTION_COLUMNS.length;

const COMMIT: Statement = {
  name: 'object.commit',
  text: `SELECT * FROM object_commit(${Array.from({ length: COMMIT_PARAMETERS }, (_, index) => `$${index + 1}`).join(', ')})`,
};

function find(name: string, which: string, inline: boolean): Statement {
  return {
    name,
    text: `SELECT b.versioning, v.bucket_id IS NOT NULL AS found, ${OBJECT_COLUMNS}${inline ? ', i.data' : ''}
      FROM bucket b
      LEFT JOIN object_version v ON v.bucket_id = b.id AND v.key = $2 AND ${which}
      ${inline ? 'LEFT JOIN object_inline i ON v.inline AND i.seq = v.seq' : ''}
      WHERE b.name = $1`,
  };
}

const FIND_CURRENT = find('object.find-current', 'v.is_current', true);
const FIND_VERSION = find('object.find-version', 'v.version_id = $3', true);
const HEAD_CURRENT = find('object.head-current', 'v.is_current', false);
const HEAD_VERSION = find('object.head-version', 'v.version_id = $3', false);

const DELETE: Statement = {
  name: 'object.delete',
  text: `SELECT d.*, date_trunc('milliseconds', clock_timestamp()) AS deleted_at
    FROM bucket b CROSS JOIN LATERAL object_delete_many(b.id, $2, $3, $4, $5, $6) d WHERE b.name = $1`,
};

const SET_TAGS_CURRENT: Statement = {
  name: 'object.set-tags-current',
  text: `UPDATE object_version v SET tags = $3 FROM bucket b
    WHERE b.name = $1 AND v.bucket_id = b.id AND v.key = $2 AND v.is_current AND NOT v.delete_marker`,
};
const SET_TAGS_VERSION: Statement = {
  name: 'object.set-tags-version',
  text: `UPDATE object_version v SET tags = $3 FROM bucket b
    WHERE b.name = $1 AND v.bucket_id = b.id AND v.key = $2 AND v.version_id = $4 AND NOT v.delete_marker`,
};

const SET_ACL: Statement = {
  name: 'object.set-acl',
  text: `UPDATE object_version v SET acl = $4 FROM bucket b
    WHERE b.name = $1 AND v.bucket_id = b.id AND v.key = $2 AND v.version_id = $3 AND NOT v.delete_marker`,
};

const SET_LOCK: Statement = {
  name: 'object.set-lock',
  text: `UPDATE object_version v SET metadata = jsonb_set(v.metadata, '{lock}', $5::jsonb) FROM bucket b
    WHERE b.name = $1 AND v.bucket_id = b.id AND v.key = $2 AND v.version_id = $3 AND NOT v.delete_marker
      AND coalesce(v.metadata -> 'lock', '{}'::jsonb) = $4::jsonb`,
};

/** Everything that becomes visible when an object is committed. */
export interface ObjectCommit {
  readonly bucketId: number;
  readonly key: string;
  readonly conditions?: WriteConditions;
  readonly size: number;
  readonly etag: string;
  readonly owner: string;
  /** Undefined when the owner alone is granted anything. */
  readonly acl?: AccessControlList;
  readonly metadata: ObjectMetadata;
  readonly tags?: Readonly<Record<string, string>>;
  readonly checksum?: StoredChecksum;
  readonly record?: EncryptionRecord;
  readonly content:
    | { readonly kind: 'inline'; readonly data: Buffer }
    | { readonly kind: 'blob'; readonly blob: StoredBlob }
    | { readonly kind: 'parts'; readonly parts: readonly StoredPart[] }
    /** The blob that the current version has, kept when an object is copied onto itself. */
    | { readonly kind: 'kept-blob'; readonly id: string }
    | { readonly kind: 'kept-parts'; readonly parts: readonly StoredPart[] };
}

export interface CommitOutcome {
  readonly outcome: string;
  readonly committed_version: string;
  readonly committed_at: Date;
}

export interface DeleteOutcome {
  readonly outcome: string;
  readonly removed_marker: boolean | null;
  readonly marker_version: string | null;
  readonly deleted_at: Date;
}

/** The row of an object, and of its bucket alone when `found` is false. */
export type FoundObject = ObjectRow & { readonly versioning: VersioningState; readonly found: boolean };

/** The object versions in Postgres; every method is one round trip. */
@Injectable()
export class ObjectRepository {
  constructor(private readonly database: Database) {}

  /** Makes an object visible, or tells in `outcome` why not. Atomic with the conditions. */
  async commit(commit: ObjectCommit, on: Queryable = this.database): Promise<CommitOutcome> {
    const { content, checksum } = commit;
    const blob = content.kind === 'blob' ? content.blob : undefined;
    const parts = content.kind === 'parts' || content.kind === 'kept-parts' ? content.parts : undefined;
    const [outcome] = await on.query<CommitOutcome>(COMMIT, [
      commit.bucketId,
      commit.key,
      nonce(),
      commit.conditions?.ifMatch,
      commit.conditions?.ifNoneMatchAny ?? false,
      keptBlob(content),
      blob?.size,
      blob?.crc32c,
      commit.size,
      commit.etag,
      commit.owner,
      JSON.stringify(commit.metadata),
      commit.tags === undefined ? undefined : JSON.stringify(commit.tags),
      checksum?.algorithm,
      checksum?.value,
      checksum?.type,
      content.kind === 'inline' ? content.data : undefined,
      content.kind === 'kept-blob' ? content.id : blob?.id,
      parts === undefined ? undefined : JSON.stringify(parts),
      ...encryptionValues(commit.record),
      commit.acl === undefined ? undefined : JSON.stringify(commit.acl),
    ]);
    return outcome as CommitOutcome;
  }

  /**
   * Finds an object with its inlined bytes, and whether its bucket exists.
   * @returns undefined when there is no such bucket
   */
  async find(bucket: string, key: string, versionId?: string): Promise<FoundObject | undefined> {
    const [row] =
      versionId === undefined
        ? await this.database.query<FoundObject>(FIND_CURRENT, [bucket, key])
        : await this.database.query<FoundObject>(FIND_VERSION, [bucket, key, versionId]);
    return row;
  }

  /** The same without the inlined bytes. */
  async head(
    bucket: string,
    key: string,
    versionId?: string,
    on: Queryable = this.database,
  ): Promise<FoundObject | undefined> {
    const [row] =
      versionId === undefined
        ? await on.query<FoundObject>(HEAD_CURRENT, [bucket, key])
        : await on.query<FoundObject>(HEAD_VERSION, [bucket, key, versionId]);
    return row;
  }

  /**
   * Deletes objects and versions in one transaction.
   *
   * @param bypass whether retention in governance mode counts for nothing
   * @returns an outcome for each entry, in their order; none at all when there is no such bucket
   */
  async delete(bucket: string, entries: readonly DeleteEntry[], bypass: boolean): Promise<DeleteOutcome[]> {
    const nonces = randomBytes(NONCE_BYTES * entries.length).toString('hex');
    return this.database.query<DeleteOutcome>(DELETE, [
      bucket,
      entries.map((entry) => entry.key),
      entries.map((entry) => entry.versionId),
      entries.map((_, index) => nonces.slice(2 * NONCE_BYTES * index, 2 * NONCE_BYTES * (index + 1))),
      entries.map((entry) => entry.ifMatch),
      bypass,
    ]);
  }

  /** Replaces the tags of a version; false when there is none. */
  async setTags(bucket: string, entry: DeleteEntry, tags: Readonly<Record<string, string>>): Promise<boolean> {
    const values = [bucket, entry.key, JSON.stringify(tags)];
    const changed =
      entry.versionId === undefined
        ? await this.database.execute(SET_TAGS_CURRENT, values)
        : await this.database.execute(SET_TAGS_VERSION, [...values, entry.versionId]);
    return changed > 0;
  }

  /** Replaces the access list of a version; false when there is none. */
  async setAcl(
    bucket: string,
    entry: DeleteEntry & { readonly versionId: string },
    acl: AccessControlList | undefined,
  ): Promise<boolean> {
    const value = acl === undefined ? undefined : JSON.stringify(acl);
    return (await this.database.execute(SET_ACL, [bucket, entry.key, entry.versionId, value])) > 0;
  }

  /** Replaces the lock of a version, provided that it still is as expected; false when not. */
  async setLock(bucket: string, entry: DeleteEntry, expected: ObjectLock, lock: ObjectLock): Promise<boolean> {
    const values = [bucket, entry.key, entry.versionId, JSON.stringify(expected), JSON.stringify(lock)];
    return (await this.database.execute(SET_LOCK, values)) > 0;
  }
}

function nonce(): string {
  return randomBytes(NONCE_BYTES).toString('hex');
}

function keptBlob(content: ObjectCommit['content']): string | undefined {
  if (content.kind === 'kept-blob') {
    return content.id;
  }
  return content.kind === 'kept-parts' ? content.parts[0]?.b : undefined;
}
