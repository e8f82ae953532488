import type { AccessControlList } from './access-control.types';
import { Injectable } from '@nestjs/common';
import { randomBytes } from 'node:crypto';
import type { EncryptionRecord } from '../crypto/encryption.types';
import { Database } from '../database/database';
import type { Queryable, Statement } from '../database/statement';
import type { StoredBlob } from './blob-store';
import { ENCRYPTION_COLUMNS, type EncryptionRow, encryptionValues } from './encryption-columns';
import type {
  ChecksumAlgorithm,
  ChecksumType,
  ObjectMetadata,
  StoredChecksum,
  VersioningState,
} from './object-storage.types';

/** The same number as in the commit functions of the migration. */
const BUCKET_LOCK = 7_340_513;

const UPLOAD_COLUMNS = [
  'id',
  'bucket_id',
  'key',
  'owner',
  'initiator',
  'acl',
  'initiated_at',
  'metadata',
  'tags',
  'checksum_algorithm',
  'checksum_type',
  'completion',
  ...ENCRYPTION_COLUMNS,
]
  .map((column) => `u.${column}`)
  .join(', ');

const INSERT: Statement = {
  name: 'multipart.insert',
  text: `INSERT INTO multipart_upload
    (id, bucket_id, key, owner, initiator, acl, metadata, tags, checksum_algorithm, checksum_type, request_headers,
      ${ENCRYPTION_COLUMNS.join(', ')})
    VALUES (${Array.from({ length: 11 + ENCRYPTION_COLUMNS.length }, (_, index) => `$${index + 1}`).join(', ')})
    RETURNING initiated_at`,
};
const FIND: Statement = {
  name: 'multipart.find',
  text: `SELECT b.versioning, ${UPLOAD_COLUMNS} FROM bucket b
    LEFT JOIN multipart_upload u ON u.bucket_id = b.id AND u.id = $3 AND u.key = $2
    WHERE b.name = $1`,
};
const REQUEST_HEADERS: Statement = {
  name: 'multipart.request-headers',
  text: `SELECT u.request_headers FROM multipart_upload u JOIN bucket b ON b.id = u.bucket_id
    WHERE b.name = $1 AND u.key = $2 AND u.id = $3`,
};
const LOCK: Statement = {
  name: 'multipart.lock',
  text: `SELECT u.completion, ${ENCRYPTION_COLUMNS.map((column) => `u.${column}`).join(', ')}
    FROM multipart_upload u WHERE u.id = $1 FOR UPDATE`,
};
const LOCK_BUCKET: Statement = {
  name: 'multipart.lock-bucket',
  text: `SELECT pg_advisory_xact_lock_shared(${BUCKET_LOCK}, $1::integer)`,
};
const COMMIT_PART: Statement = {
  name: 'multipart.commit-part',
  text: `SELECT * FROM upload_part_commit($1, $2, $3, $4, $5, $6, $7, $8)`,
};
const PARTS: Statement = {
  name: 'multipart.parts',
  text: `SELECT number, size, etag, checksum, blob_id, last_modified FROM upload_part
    WHERE upload_id = $1 AND number > $2 ORDER BY number LIMIT $3`,
};
const QUEUE_UNUSED: Statement = {
  name: 'multipart.queue-unused',
  text: `UPDATE blob SET deleted_at = clock_timestamp() WHERE id IN (
    SELECT p.blob_id FROM upload_part p WHERE p.upload_id = $1 AND p.blob_id <> ALL ($2::text[]))`,
};
const DELETE_PARTS: Statement = {
  name: 'multipart.delete-parts',
  text: `DELETE FROM upload_part WHERE upload_id = $1`,
};
const FINISH: Statement = {
  name: 'multipart.finish',
  text: `UPDATE multipart_upload SET completed_at = clock_timestamp(), completion = $2 WHERE id = $1`,
};
const DELETE: Statement = { name: 'multipart.delete', text: `DELETE FROM multipart_upload WHERE id = $1` };
const FORGET_COMPLETED: Statement = {
  name: 'multipart.forget-completed',
  text: `DELETE FROM multipart_upload WHERE completed_at < clock_timestamp() - make_interval(secs => $1)`,
};

/** What a finished upload turned into, kept for a while because clients repeat the completing request. */
export interface Completion {
  /** Digest of the list of parts that completed it. */
  readonly fingerprint: string;
  readonly etag: string;
  readonly versionId?: string;
  readonly size: number;
  readonly lastModified: string;
  readonly checksum?: StoredChecksum;
}

export interface UploadRow extends EncryptionRow {
  readonly id: string;
  readonly bucket_id: number;
  readonly key: string;
  readonly owner: string;
  /** Null for uploads begun before initiators were kept; it is then the owner. */
  readonly initiator: string | null;
  readonly acl: AccessControlList | null;
  readonly initiated_at: Date;
  readonly metadata: ObjectMetadata;
  readonly tags: Readonly<Record<string, string>> | null;
  readonly checksum_algorithm: ChecksumAlgorithm | null;
  readonly checksum_type: ChecksumType | null;
  readonly completion: Completion | null;
  readonly versioning: VersioningState;
}

export interface PartRow {
  readonly number: number;
  readonly size: string;
  readonly etag: string;
  readonly checksum: string;
  readonly blob_id: string;
  readonly last_modified: Date;
}

/** An upload to be begun. */
export interface NewUpload {
  readonly bucketId: number;
  readonly key: string;
  readonly owner: string;
  readonly initiator: string;
  readonly acl?: AccessControlList;
  readonly metadata: ObjectMetadata;
  readonly tags?: Readonly<Record<string, string>>;
  readonly checksum?: { readonly algorithm: ChecksumAlgorithm; readonly type: ChecksumType };
  /** Of the request that begins it, by name, as far as its parts may be judged by them. */
  readonly requestHeaders?: Readonly<Record<string, string>>;
  readonly record?: EncryptionRecord;
}

/** A part to be committed. */
export interface NewPart {
  readonly uploadId: string;
  readonly number: number;
  readonly size: number;
  readonly etag: string;
  readonly checksum: string;
  readonly blob: StoredBlob;
}

/** Uploads in progress and their parts in Postgres. */
@Injectable()
export class MultipartRepository {
  constructor(private readonly database: Database) {}

  /** Begins an upload. Ids begin with the time, so that their order is the order of beginning. */
  async insert(upload: NewUpload): Promise<{ id: string; initiatedAt: Date }> {
    const id = Date.now().toString(16).padStart(12, '0') + randomBytes(10).toString('hex');
    const [row] = await this.database.query<{ initiated_at: Date }>(INSERT, [
      id,
      upload.bucketId,
      upload.key,
      upload.owner,
      upload.initiator,
      upload.acl === undefined ? undefined : JSON.stringify(upload.acl),
      JSON.stringify(upload.metadata),
      upload.tags === undefined ? undefined : JSON.stringify(upload.tags),
      upload.checksum?.algorithm,
      upload.checksum?.type,
      upload.requestHeaders === undefined ? undefined : JSON.stringify(upload.requestHeaders),
      ...encryptionValues(upload.record),
    ]);
    return { id, initiatedAt: (row as { initiated_at: Date }).initiated_at };
  }

  /** The upload, null when there is none (or only a finished one without memory), undefined when the bucket is missing. */
  async find(bucket: string, key: string, uploadId: string): Promise<UploadRow | null | undefined> {
    const [row] = await this.database.query<UploadRow>(FIND, [bucket, key, uploadId]);
    return row?.id === null ? null : row;
  }

  /** Headers that an upload was begun with; null when it had none, undefined when there is no such upload. */
  async requestHeaders(
    bucket: string,
    key: string,
    uploadId: string,
  ): Promise<Readonly<Record<string, string>> | null | undefined> {
    const [row] = await this.database.query<{ request_headers: Readonly<Record<string, string>> | null }>(
      REQUEST_HEADERS,
      [bucket, key, uploadId],
    );
    return row?.request_headers;
  }

  /** Adds or replaces a part; `NoSuchUpload` when the upload has ended meanwhile. */
  async commitPart(part: NewPart): Promise<{ outcome: string; committed_at: Date }> {
    const { uploadId, number, size, etag, checksum, blob } = part;
    const [outcome] = await this.database.query<{ outcome: string; committed_at: Date }>(COMMIT_PART, [
      uploadId,
      number,
      size,
      etag,
      checksum,
      blob.id,
      blob.size,
      blob.crc32c,
    ]);
    return outcome as { outcome: string; committed_at: Date };
  }

  /** Parts in the order of their numbers, from the one behind `after`. */
  async parts(uploadId: string, after: number, limit: number, on: Queryable = this.database): Promise<PartRow[]> {
    return on.query<PartRow>(PARTS, [uploadId, after, limit]);
  }

  /**
   * Runs the end of an upload in one transaction, with the upload locked against further parts.
   *
   * @param work gets the completion when the upload has been finished before, undefined when it is still open, and null
   *   when it has gone; beside it the seal of the object key, which may be another than when the upload was found
   */
  async ending<T>(
    upload: UploadRow,
    work: (on: Queryable, completion: Completion | null | undefined, seal: EncryptionRow) => Promise<T>,
  ): Promise<T> {
    return this.database.transaction(async (tx) => {
      // First, because deleting the bucket takes its locks in this order.
      await tx.query(LOCK_BUCKET, [upload.bucket_id]);
      const [locked] = await tx.query<EncryptionRow & { completion: Completion | null }>(LOCK, [upload.id]);
      return work(tx, locked === undefined ? null : (locked.completion ?? undefined), locked ?? upload);
    });
  }

  /** Ends an upload well: remembers the completion and queues the blobs of parts that were not used. */
  async finish(uploadId: string, usedBlobs: readonly string[], completion: Completion, on: Queryable): Promise<void> {
    await on.execute(QUEUE_UNUSED, [uploadId, usedBlobs]);
    await on.execute(DELETE_PARTS, [uploadId]);
    await on.execute(FINISH, [uploadId, JSON.stringify(completion)]);
  }

  /** Ends an upload without an object; the blobs of all its parts are queued for deletion. */
  async abort(uploadId: string, on: Queryable): Promise<void> {
    await on.execute(QUEUE_UNUSED, [uploadId, []]);
    await on.execute(DELETE, [uploadId]);
  }

  /** Forgets uploads that were finished longer ago. */
  async forgetCompleted(ageSeconds: number): Promise<number> {
    return this.database.execute(FORGET_COMPLETED, [ageSeconds]);
  }
}
