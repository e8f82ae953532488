import type { MigrationInterface, QueryRunner } from 'typeorm';

/** First number of the two-integer advisory lock on a bucket; the same as in the other commit functions. */
const BUCKET_LOCK = 7_340_513;

const LOCK_KEY = `
  PERFORM pg_advisory_xact_lock_shared(${BUCKET_LOCK}, p_bucket_id);
  PERFORM pg_advisory_xact_lock(hashtextextended(p_key, p_bucket_id));
  SELECT b.versioning INTO state FROM bucket b WHERE b.id = p_bucket_id;
  IF NOT FOUND THEN
    outcome := 'NoSuchBucket';
    RETURN;
  END IF;
  SELECT v.seq, v.version_id, v.delete_marker, v.etag, coalesce(v.blob_id, v.parts #>> '{0,b}') AS blob
    INTO cur FROM object_version v WHERE v.bucket_id = p_bucket_id AND v.key = p_key AND v.is_current;
  live := cur.seq IS NOT NULL AND NOT cur.delete_marker;`;

/** The second seal of an object key: what the columns without the prefix are for the first one. */
const ESCROW = [
  ['escrow_iv', 'bytea'],
  ['escrow_seal_algorithm', 'text'],
  ['escrow_sealed_key', 'bytea'],
  ['escrow_wrapped_key', 'bytea'],
  ['escrow_kms', 'text'],
  ['escrow_key_id', 'text'],
  ['escrow_key_version', 'text'],
] as const;

const ADDED = ESCROW.map(([name, type]) => `ADD ${name} ${type}`).join(', ');
const DROPPED = ESCROW.map(([name]) => `DROP ${name}`).join(', ');
const ADD_TO_OBJECTS = `ALTER TABLE object_version ${ADDED}`;
const ADD_TO_UPLOADS = `ALTER TABLE multipart_upload ${ADDED}`;
const DROP_FROM_UPLOADS = `ALTER TABLE multipart_upload ${DROPPED}`;
const DROP_FROM_OBJECTS = `ALTER TABLE object_version ${DROPPED}`;

/** Room for a second seal beside every object key, and for what a bucket and a rewrap job say about it. */
export class CreateEscrow1764000000122 implements MigrationInterface {
  readonly name = 'CreateEscrow1764000000122';

  async up(runner: QueryRunner): Promise<void> {
    await runner.query(ADD_TO_OBJECTS);
    await runner.query(ADD_TO_UPLOADS);
    await runner.query(`
      CREATE INDEX object_version_escrow ON object_version (escrow_kms, escrow_key_id, escrow_key_version) INCLUDE (size, bucket_key)
        WHERE escrow_kms IS NOT NULL`);
    await runner.query(`
      CREATE INDEX multipart_upload_escrow ON multipart_upload (escrow_kms, escrow_key_id, escrow_key_version)
        WHERE escrow_kms IS NOT NULL AND completed_at IS NULL`);
    // Null follows the deployment, an empty text means none.
    await runner.query(`ALTER TABLE bucket ADD escrow text`);
    await runner.query(`ALTER TABLE rewrap_job ADD escrow text NOT NULL DEFAULT 'keep' CHECK (escrow IN ('keep', 'add', 'drop')),
      ADD escrow_kms text, ADD escrow_key_id text`);
    // Kept for the way back.
    await runner.query(`ALTER FUNCTION object_commit RENAME TO object_commit_single_seal`);
    await runner.query(COMMIT);
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query(`DROP FUNCTION object_commit`);
    await runner.query(`ALTER FUNCTION object_commit_single_seal RENAME TO object_commit`);
    await runner.query(`ALTER TABLE rewrap_job DROP escrow, DROP escrow_kms, DROP escrow_key_id`);
    await runner.query(`ALTER TABLE bucket DROP escrow`);
    await runner.query(DROP_FROM_UPLOADS);
    await runner.query(DROP_FROM_OBJECTS);
  }
}

const COLUMNS = [
  'seq',
  'is_current',
  'delete_marker',
  'size',
  'etag',
  'last_modified',
  'owner',
  'metadata',
  'tags',
  'checksum_algorithm',
  'checksum_value',
  'checksum_type',
  'inline',
  'blob_id',
  'parts',
  'mode',
  'iv',
  'seal_algorithm',
  'sealed_key',
  'wrapped_key',
  'kms',
  'kms_key_id',
  'kms_key_version',
  'kms_context',
  'bucket_key',
  'multipart',
  ...ESCROW.map(([name]) => name),
];

/**
 * Makes an object version visible. `p_blob_size` null with a `p_blob_id` means that the blob is already known, as when an
 * object is copied onto itself; `p_expected_blob` then names the blob the current version must still have.
 *
 * Outcomes: `ok`, or the S3 error code, or `changed` when the expected blob is gone.
 */
const COMMIT = `
CREATE FUNCTION object_commit(
  p_bucket_id integer, p_key text, p_nonce text, p_if_match text, p_if_none_match boolean, p_expected_blob text,
  p_size bigint, p_etag text, p_owner text, p_metadata jsonb, p_tags jsonb,
  p_checksum_algorithm text, p_checksum_value text, p_checksum_type text,
  p_inline bytea, p_blob_id text, p_blob_size bigint, p_blob_crc32c bigint, p_parts jsonb,
  p_mode text, p_iv bytea, p_seal_algorithm text, p_sealed_key bytea, p_wrapped_key bytea, p_kms text,
  p_kms_key_id text, p_kms_key_version text, p_kms_context jsonb, p_bucket_key boolean, p_multipart boolean,
  ${ESCROW.map(([name, type]) => `p_${name} ${type} DEFAULT NULL`).join(', ')},
  OUT outcome text, OUT committed_version text, OUT committed_at timestamptz
) LANGUAGE plpgsql AS $$
DECLARE
  state text;
  cur record;
  old record;
  live boolean;
  new_seq bigint;
BEGIN
  ${LOCK_KEY}
  IF p_if_none_match AND live THEN
    outcome := 'PreconditionFailed';
    RETURN;
  ELSIF p_if_match IS NOT NULL AND NOT live THEN
    outcome := 'NoSuchKey';
    RETURN;
  ELSIF p_if_match IS NOT NULL AND p_if_match <> '*' AND p_if_match <> cur.etag THEN
    outcome := 'PreconditionFailed';
    RETURN;
  ELSIF p_expected_blob IS NOT NULL AND (NOT live OR state = 'enabled' OR cur.blob IS DISTINCT FROM p_expected_blob) THEN
    outcome := 'changed';
    RETURN;
  END IF;

  new_seq := nextval('object_version_seq');
  committed_at := date_trunc('milliseconds', clock_timestamp());
  IF state = 'enabled' THEN
    committed_version := lpad(to_hex(-new_seq), 16, '0') || p_nonce;
  ELSE
    committed_version := 'null';
    SELECT v.seq, v.is_current, v.inline, v.blob_id, v.parts INTO old FROM object_version v
      WHERE v.bucket_id = p_bucket_id AND v.key = p_key AND v.version_id = 'null';
    IF FOUND THEN
      IF old.is_current THEN
        new_seq := old.seq;
      END IF;
      IF old.inline AND (p_inline IS NULL OR new_seq <> old.seq) THEN
        DELETE FROM object_inline i WHERE i.seq = old.seq;
      END IF;
      IF old.blob_id IS NOT NULL OR old.parts IS NOT NULL THEN
        UPDATE blob b SET deleted_at = clock_timestamp()
          WHERE b.id = ANY (object_blobs(old.blob_id, old.parts)) AND b.id <> ALL (object_blobs(p_blob_id, p_parts));
      END IF;
    END IF;
  END IF;
  IF cur.seq IS NOT NULL AND cur.version_id <> committed_version THEN
    UPDATE object_version v SET is_current = false
      WHERE v.bucket_id = p_bucket_id AND v.key = p_key AND v.is_current;
  END IF;
  IF p_blob_size IS NOT NULL THEN
    INSERT INTO blob (id, size, crc32c) VALUES (p_blob_id, p_blob_size, p_blob_crc32c);
  END IF;
  INSERT INTO object_version (bucket_id, key, version_id, ${COLUMNS.join(', ')})
    VALUES (p_bucket_id, p_key, committed_version, new_seq, true, false, p_size, p_etag, committed_at, p_owner,
      p_metadata, p_tags, p_checksum_algorithm, p_checksum_value, p_checksum_type, p_inline IS NOT NULL, p_blob_id,
      p_parts, p_mode, p_iv, p_seal_algorithm, p_sealed_key, p_wrapped_key, p_kms, p_kms_key_id, p_kms_key_version,
      p_kms_context, p_bucket_key, p_multipart, ${ESCROW.map(([name]) => `p_${name}`).join(', ')})
    ON CONFLICT (bucket_id, key, version_id) DO UPDATE
      SET (${COLUMNS.join(', ')}) = (${COLUMNS.map((column) => `excluded.${column}`).join(', ')});
  IF p_inline IS NOT NULL THEN
    INSERT INTO object_inline (seq, data) VALUES (new_seq, p_inline)
      ON CONFLICT (seq) DO UPDATE SET data = excluded.data;
  END IF;
  outcome := 'ok';
END
$$`;
