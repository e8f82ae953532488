import { Injectable } from '@nestjs/common';
import { Database } from '../database/database';
import type { Statement } from '../database/statement';
import type { AccessControlList } from './access-control.types';
import type { ObjectOwnership } from '../settings/settings';
import type {
  BucketAccess,
  BucketEncryptionRule,
  BucketInfo,
  BucketObjectLock,
  VersioningState,
} from './object-storage.types';

/** The same number as in the commit functions of the migration. */
const BUCKET_LOCK = 7_340_513;

const COLUMNS = `id, name, owner, versioning, encryption, encryption_deleted, escrow, ownership, ownership_chosen, created_at,
  (SELECT d.content FROM bucket_document d WHERE d.bucket_id = id AND d.document = 'object-lock') AS object_lock`;

const INSERT: Statement = {
  name: 'bucket.insert',
  text: `INSERT INTO bucket (name, owner, ownership, ownership_chosen, acl) VALUES ($1, $2, $3, $4, $5)
    ON CONFLICT (name) DO NOTHING`,
};
const ACCESS: Statement = {
  name: 'bucket.access',
  text: `SELECT b.owner, b.ownership, b.ownership_chosen, b.acl,
      (SELECT d.content FROM bucket_document d WHERE d.bucket_id = b.id AND d.document = 'policy') AS policy,
      (SELECT d.content FROM bucket_document d WHERE d.bucket_id = b.id AND d.document = 'publicAccessBlock') AS block
    FROM bucket b WHERE b.name = $1`,
};
const SET_ACL: Statement = {
  name: 'bucket.set-acl',
  text: `UPDATE bucket SET acl = $2 WHERE name = $1 AND ownership IS DISTINCT FROM 'BucketOwnerEnforced'`,
};
const SET_OWNERSHIP: Statement = {
  name: 'bucket.set-ownership',
  text: `UPDATE bucket SET ownership = $2, ownership_chosen = true
    WHERE name = $1 AND (acl IS NULL OR $2 IS DISTINCT FROM 'BucketOwnerEnforced')`,
};
const FIND: Statement = { name: 'bucket.find', text: `SELECT ${COLUMNS} FROM bucket WHERE name = $1` };
const LIST: Statement = {
  name: 'bucket.list',
  text: `SELECT ${COLUMNS} FROM bucket WHERE name > $1 AND starts_with(name, $2) ORDER BY name LIMIT $3`,
};
const LOCK: Statement = { name: 'bucket.lock', text: `SELECT id FROM bucket WHERE name = $1 FOR UPDATE` };
const LOCK_COMMITS: Statement = {
  name: 'bucket.lock-commits',
  text: `SELECT pg_advisory_xact_lock(${BUCKET_LOCK}, $1::integer)`,
};
const HAS_OBJECTS: Statement = {
  name: 'bucket.has-objects',
  text: `SELECT EXISTS (SELECT FROM object_version WHERE bucket_id = $1) AS found`,
};
const LOCK_UPLOADS: Statement = {
  name: 'bucket.lock-uploads',
  text: `SELECT id FROM multipart_upload WHERE bucket_id = $1 FOR UPDATE`,
};
const QUEUE_PARTS: Statement = {
  name: 'bucket.queue-parts',
  text: `UPDATE blob SET deleted_at = clock_timestamp() WHERE id IN (
    SELECT p.blob_id FROM upload_part p JOIN multipart_upload u ON u.id = p.upload_id WHERE u.bucket_id = $1)`,
};
const DELETE: Statement = { name: 'bucket.delete', text: `DELETE FROM bucket WHERE id = $1` };
const SET_ENCRYPTION: Statement = {
  name: 'bucket.set-encryption',
  text: `UPDATE bucket SET encryption = $2, encryption_deleted = $3 WHERE name = $1`,
};
const SET_ESCROW: Statement = {
  name: 'bucket.set-escrow',
  text: `UPDATE bucket SET escrow = $2 WHERE name = $1`,
};
const SET_VERSIONING: Statement = {
  name: 'bucket.set-versioning',
  text: `UPDATE bucket SET versioning = $2 WHERE name = $1`,
};
const GET_DOCUMENT: Statement = {
  name: 'bucket.get-document',
  text: `SELECT d.content FROM bucket b LEFT JOIN bucket_document d ON d.bucket_id = b.id AND d.document = $2
    WHERE b.name = $1`,
};
const PUT_DOCUMENT: Statement = {
  name: 'bucket.put-document',
  text: `INSERT INTO bucket_document (bucket_id, document, content) SELECT id, $2, $3 FROM bucket WHERE name = $1
    ON CONFLICT (bucket_id, document) DO UPDATE SET content = excluded.content`,
};
const DELETE_DOCUMENT: Statement = {
  name: 'bucket.delete-document',
  text: `DELETE FROM bucket_document d USING bucket b WHERE b.name = $1 AND d.bucket_id = b.id AND d.document = $2`,
};

interface BucketRow {
  readonly id: number;
  readonly name: string;
  readonly owner: string;
  readonly versioning: VersioningState;
  readonly encryption: BucketEncryptionRule | null;
  readonly encryption_deleted: boolean;
  readonly escrow: string | null;
  readonly ownership: ObjectOwnership | null;
  readonly ownership_chosen: boolean;
  readonly object_lock: string | null;
  readonly created_at: Date;
}

interface AccessRow {
  readonly owner: string;
  readonly ownership: ObjectOwnership | null;
  readonly ownership_chosen: boolean;
  readonly acl: AccessControlList | null;
  readonly policy: string | null;
  readonly block: string | null;
}

/** A bucket with the number its rows refer to it by. */
export interface StoredBucket extends BucketInfo {
  readonly id: number;
}

/** The buckets in Postgres. */
@Injectable()
export class BucketRepository {
  constructor(private readonly database: Database) {}

  /** False when the name is taken. */
  async insert(
    name: string,
    owner: string,
    ownership: ObjectOwnership,
    ownershipChosen: boolean,
    acl: AccessControlList | undefined,
  ): Promise<boolean> {
    return (await this.database.execute(INSERT, [name, owner, ownership, ownershipChosen, aclValue(acl)])) > 0;
  }

  /** What decides on access to a bucket, in one look; undefined when there is no such bucket. */
  async access(name: string): Promise<BucketAccess | undefined> {
    const [row] = await this.database.query<AccessRow>(ACCESS, [name]);
    return (
      row && {
        owner: row.owner,
        ownership: row.ownership ?? undefined,
        ownershipChosen: row.ownership_chosen,
        acl: row.acl ?? undefined,
        policy: row.policy ?? undefined,
        publicAccessBlock: row.block ?? undefined,
      }
    );
  }

  /** False when there is no such bucket, or none with access lists. */
  async setAcl(name: string, acl: AccessControlList | undefined): Promise<boolean> {
    return (await this.database.execute(SET_ACL, [name, aclValue(acl)])) > 0;
  }

  /**
   * Sets or, with null, removes the ownership controls.
   * @returns false when there is no such bucket, or when its access list grants more than an enforced owner may
   */
  async setOwnership(name: string, ownership: ObjectOwnership | null): Promise<boolean> {
    return (await this.database.execute(SET_OWNERSHIP, [name, ownership])) > 0;
  }

  async find(name: string): Promise<StoredBucket | undefined> {
    const [row] = await this.database.query<BucketRow>(FIND, [name]);
    return row === undefined ? undefined : storedBucket(row);
  }

  /** Buckets in the order of their names. */
  async list(after: string, prefix: string, limit: number): Promise<StoredBucket[]> {
    return (await this.database.query<BucketRow>(LIST, [after, prefix, limit])).map(storedBucket);
  }

  /** Deletes a bucket without objects, its uploads in progress included. Waits for commits under way. */
  async delete(name: string): Promise<'deleted' | 'missing' | 'not-empty'> {
    return this.database.transaction(async (tx) => {
      const [bucket] = await tx.query<{ id: number }>(LOCK, [name]);
      if (bucket === undefined) {
        return 'missing';
      }
      await tx.query(LOCK_COMMITS, [bucket.id]);
      const [objects] = await tx.query<{ found: boolean }>(HAS_OBJECTS, [bucket.id]);
      if (objects?.found) {
        return 'not-empty';
      }
      await tx.query(LOCK_UPLOADS, [bucket.id]);
      await tx.execute(QUEUE_PARTS, [bucket.id]);
      await tx.execute(DELETE, [bucket.id]);
      return 'deleted';
    });
  }

  /** False when there is no such bucket. */
  async setEncryption(name: string, rule: BucketEncryptionRule | null): Promise<boolean> {
    const document = rule === null ? null : JSON.stringify(rule);
    return (await this.database.execute(SET_ENCRYPTION, [name, document, rule === null])) > 0;
  }

  /**
   * Sets the key of the second seal: null for none, undefined to follow the deployment.
   * @returns false when there is no such bucket
   */
  async setEscrow(name: string, keyReference: string | null | undefined): Promise<boolean> {
    return (await this.database.execute(SET_ESCROW, [name, keyReference === null ? '' : keyReference])) > 0;
  }

  /** False when there is no such bucket. */
  async setVersioning(name: string, state: VersioningState): Promise<boolean> {
    return (await this.database.execute(SET_VERSIONING, [name, state])) > 0;
  }

  /** The content, null when the bucket has no such document, undefined when there is no such bucket. */
  async getDocument(name: string, document: string): Promise<string | null | undefined> {
    const [row] = await this.database.query<{ content: string | null }>(GET_DOCUMENT, [name, document]);
    return row?.content;
  }

  async putDocument(name: string, document: string, content: string): Promise<void> {
    await this.database.execute(PUT_DOCUMENT, [name, document, content]);
  }

  async deleteDocument(name: string, document: string): Promise<void> {
    await this.database.execute(DELETE_DOCUMENT, [name, document]);
  }
}

function storedBucket(row: BucketRow): StoredBucket {
  return {
    id: row.id,
    name: row.name,
    createdAt: row.created_at,
    owner: row.owner,
    versioning: row.versioning,
    ownership: row.ownership ?? undefined,
    ownershipChosen: row.ownership_chosen,
    encryption: row.encryption ?? (row.encryption_deleted ? null : undefined),
    escrow: row.escrow === '' ? null : (row.escrow ?? undefined),
    objectLock: row.object_lock === null ? undefined : (JSON.parse(row.object_lock) as BucketObjectLock),
  };
}

/** A list as a value of a `jsonb` column. */
function aclValue(acl: AccessControlList | undefined): string | undefined {
  return acl === undefined ? undefined : JSON.stringify(acl);
}
