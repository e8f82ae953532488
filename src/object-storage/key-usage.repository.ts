import { Injectable } from '@nestjs/common';
import { Database } from '../database/database';
import type { Statement } from '../database/statement';
import type { BucketEncryptionRule } from './object-storage.types';

const OF_KEY = `($1::text IS NULL OR kms = $1) AND ($2::text IS NULL OR kms_key_id = $2)`;

/** Only columns of the index on the keys, so that the table itself is hardly read. */
const OBJECTS: Statement = {
  name: 'key-usage.objects',
  text: `SELECT kms, kms_key_id, kms_key_version, count(*) AS objects, sum(size) AS bytes,
      count(*) FILTER (WHERE bucket_key) AS bucket_key_objects
    FROM object_version WHERE kms IS NOT NULL AND ${OF_KEY} GROUP BY kms, kms_key_id, kms_key_version`,
};
const UPLOADS: Statement = {
  name: 'key-usage.uploads',
  text: `SELECT kms, kms_key_id, kms_key_version, count(*) AS uploads
    FROM multipart_upload WHERE kms IS NOT NULL AND completed_at IS NULL AND ${OF_KEY}
    GROUP BY kms, kms_key_id, kms_key_version`,
};
const ESCROW_OBJECTS: Statement = {
  name: 'key-usage.escrow-objects',
  text: `SELECT escrow_kms AS kms, escrow_key_id AS kms_key_id, escrow_key_version AS kms_key_version,
      count(*) AS objects, sum(size) AS bytes, count(*) FILTER (WHERE bucket_key) AS bucket_key_objects
    FROM object_version WHERE escrow_kms IS NOT NULL
      AND ($1::text IS NULL OR escrow_kms = $1) AND ($2::text IS NULL OR escrow_key_id = $2) GROUP BY 1, 2, 3`,
};
const ESCROW_UPLOADS: Statement = {
  name: 'key-usage.escrow-uploads',
  text: `SELECT escrow_kms AS kms, escrow_key_id AS kms_key_id, escrow_key_version AS kms_key_version, count(*) AS uploads
    FROM multipart_upload WHERE escrow_kms IS NOT NULL AND completed_at IS NULL
      AND ($1::text IS NULL OR escrow_kms = $1) AND ($2::text IS NULL OR escrow_key_id = $2) GROUP BY 1, 2, 3`,
};
const RULES: Statement = {
  name: 'key-usage.rules',
  text: `SELECT name, encryption FROM bucket WHERE encryption ->> 'mode' IN ('sse-kms', 'dsse-kms') ORDER BY name`,
};

interface KeyColumns {
  readonly kms: string;
  readonly kms_key_id: string;
  readonly kms_key_version: string | null;
}

/** Objects of one key version; counts come as text, because they may be beyond 32 bits. */
export interface ObjectUsageRow extends KeyColumns {
  readonly objects: string;
  readonly bytes: string;
  readonly bucket_key_objects: string;
}

export interface UploadUsageRow extends KeyColumns {
  readonly uploads: string;
}

export interface BucketRuleRow {
  readonly name: string;
  readonly encryption: BucketEncryptionRule;
}

/** Which KMS is meant, and which of its keys; all without. */
export interface KeyUsageFilter {
  /** `<type>:<target>` */
  readonly kms?: string;
  readonly keyId?: string;
}

/** Counts by KMS key in Postgres. */
@Injectable()
export class KeyUsageRepository {
  constructor(private readonly database: Database) {}

  async objects({ kms, keyId }: KeyUsageFilter): Promise<ObjectUsageRow[]> {
    return this.database.query<ObjectUsageRow>(OBJECTS, [kms, keyId]);
  }

  async uploads({ kms, keyId }: KeyUsageFilter): Promise<UploadUsageRow[]> {
    return this.database.query<UploadUsageRow>(UPLOADS, [kms, keyId]);
  }

  /** Objects by the key of their second seal. */
  async escrowObjects({ kms, keyId }: KeyUsageFilter): Promise<ObjectUsageRow[]> {
    return this.database.query<ObjectUsageRow>(ESCROW_OBJECTS, [kms, keyId]);
  }

  /** Uploads in progress by the key of their second seal. */
  async escrowUploads({ kms, keyId }: KeyUsageFilter): Promise<UploadUsageRow[]> {
    return this.database.query<UploadUsageRow>(ESCROW_UPLOADS, [kms, keyId]);
  }

  /** The buckets whose default encryption asks a KMS. */
  async bucketRules(): Promise<BucketRuleRow[]> {
    return this.database.query<BucketRuleRow>(RULES);
  }
}
