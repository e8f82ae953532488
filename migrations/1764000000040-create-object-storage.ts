import type { MigrationInterface, QueryRunner } from 'typeorm';

/** Columns that both an object version and an upload in progress carry: how the bytes are encrypted. */
const ENCRYPTION_COLUMNS = `
  mode text NOT NULL,
  iv bytea,
  seal_algorithm text,
  sealed_key bytea,
  wrapped_key bytea,
  kms text,
  kms_key_id text,
  kms_key_version text,
  kms_context jsonb,
  bucket_key boolean,
  multipart boolean NOT NULL DEFAULT false`;

const OBJECT_VERSION = `
    CREATE TABLE object_version (
      bucket_id integer NOT NULL,
      key text COLLATE "C" NOT NULL,
      version_id text COLLATE "C" NOT NULL,
      seq bigint NOT NULL,
      is_current boolean NOT NULL,
      delete_marker boolean NOT NULL DEFAULT false,
      size bigint NOT NULL,
      etag text NOT NULL,
      last_modified timestamptz(3) NOT NULL,
      owner text NOT NULL,
      metadata jsonb NOT NULL,
      tags jsonb,
      checksum_algorithm text,
      checksum_value text,
      checksum_type text,
      inline boolean NOT NULL DEFAULT false,
      blob_id text COLLATE "C",
      parts jsonb,
      ${ENCRYPTION_COLUMNS},
      PRIMARY KEY (bucket_id, key, version_id)
    ) WITH (fillfactor = 85)`;

const MULTIPART_UPLOAD = `
    CREATE TABLE multipart_upload (
      id text COLLATE "C" PRIMARY KEY,
      bucket_id integer NOT NULL REFERENCES bucket ON DELETE CASCADE,
      key text COLLATE "C" NOT NULL,
      owner text NOT NULL,
      initiated_at timestamptz(3) NOT NULL DEFAULT date_trunc('milliseconds', clock_timestamp()),
      metadata jsonb NOT NULL,
      tags jsonb,
      checksum_algorithm text,
      checksum_type text,
      completed_at timestamptz,
      completion jsonb,
      ${ENCRYPTION_COLUMNS}
    )`;

/** Buckets, object versions, blobs and uploads in progress; see ARCHITECTURE.md for how they hang together. */
export class CreateObjectStorage1764000000040 implements MigrationInterface {
  readonly name = 'CreateObjectStorage1764000000040';

  async up(runner: QueryRunner): Promise<void> {
    await createBuckets(runner);
    await createObjects(runner);
    await createUploads(runner);
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query(`DROP TABLE upload_part, multipart_upload, object_inline, object_version, blob`);
    await runner.query(`DROP TABLE bucket_document, bucket`);
    await runner.query(`DROP SEQUENCE object_version_seq`);
  }
}

async function createBuckets(runner: QueryRunner): Promise<void> {
  await runner.query(`
    CREATE TABLE bucket (
      id integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
      name text COLLATE "C" NOT NULL UNIQUE,
      owner text NOT NULL,
      versioning text NOT NULL DEFAULT 'unversioned' CHECK (versioning IN ('unversioned', 'enabled', 'suspended')),
      encryption jsonb,
      encryption_deleted boolean NOT NULL DEFAULT false,
      created_at timestamptz(3) NOT NULL DEFAULT date_trunc('milliseconds', clock_timestamp())
    )`);
  await runner.query(`
    CREATE TABLE bucket_document (
      bucket_id integer NOT NULL REFERENCES bucket ON DELETE CASCADE,
      document text COLLATE "C" NOT NULL,
      content text NOT NULL,
      PRIMARY KEY (bucket_id, document)
    )`);
}

async function createObjects(runner: QueryRunner): Promise<void> {
  await runner.query(`
    CREATE TABLE blob (
      id text COLLATE "C" PRIMARY KEY,
      size bigint NOT NULL,
      crc32c bigint NOT NULL,
      deleted_at timestamptz
    )`);
  await runner.query(`CREATE INDEX blob_deleted ON blob (deleted_at) WHERE deleted_at IS NOT NULL`);
  // Negative and falling, so that ascending order is newest first and one row comparison continues a listing.
  await runner.query(`CREATE SEQUENCE object_version_seq AS bigint INCREMENT -1 MAXVALUE -1 START -1 CACHE 1`);
  // No foreign key to the bucket: it would lock the bucket's row on every write. The commit functions take a shared
  // advisory lock on the bucket instead, and deleting a bucket takes it exclusively.
  await runner.query(OBJECT_VERSION);
  await runner.query(`CREATE UNIQUE INDEX object_version_current ON object_version (bucket_id, key) WHERE is_current`);
  await runner.query(`CREATE UNIQUE INDEX object_version_newest ON object_version (bucket_id, key, seq)`);
  await runner.query(`CREATE TABLE object_inline (seq bigint PRIMARY KEY, data bytea NOT NULL)`);
  await runner.query(`ALTER TABLE object_inline ALTER COLUMN data SET STORAGE EXTERNAL`);
}

async function createUploads(runner: QueryRunner): Promise<void> {
  await runner.query(MULTIPART_UPLOAD);
  await runner.query(
    `CREATE INDEX multipart_upload_open ON multipart_upload (bucket_id, key, id) WHERE completed_at IS NULL`,
  );
  await runner.query(
    `CREATE INDEX multipart_upload_completed ON multipart_upload (completed_at) WHERE completed_at IS NOT NULL`,
  );
  await runner.query(`
    CREATE TABLE upload_part (
      upload_id text COLLATE "C" NOT NULL REFERENCES multipart_upload ON DELETE CASCADE,
      number integer NOT NULL,
      size bigint NOT NULL,
      etag text NOT NULL,
      checksum text NOT NULL,
      blob_id text COLLATE "C" NOT NULL,
      last_modified timestamptz(3) NOT NULL,
      PRIMARY KEY (upload_id, number)
    )`);
}
