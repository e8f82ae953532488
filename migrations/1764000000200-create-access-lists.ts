import type { MigrationInterface, QueryRunner } from 'typeorm';

/** First number of the two-integer advisory lock on a bucket; the same as in the other commit functions. */
const BUCKET_LOCK = 7_340_513;

/**
 * Room for object ownership and access lists. An access list that is null grants the owner full control and nobody else
 * anything; an ownership that is null is one that was deleted, which means `ObjectWriter`.
 */
export class CreateAccessLists1764000000200 implements MigrationInterface {
  readonly name = 'CreateAccessLists1764000000200';

  async up(runner: QueryRunner): Promise<void> {
    await runner.query(`ALTER TABLE object_version ADD acl jsonb`);
    await runner.query(`ALTER TABLE multipart_upload ADD acl jsonb, ADD initiator text`);
    await runner.query(`ALTER TABLE bucket ADD acl jsonb, ADD ownership text DEFAULT 'BucketOwnerEnforced'
      CHECK (ownership IN ('BucketOwnerEnforced', 'BucketOwnerPreferred', 'ObjectWriter'))`);
    await runner.query(`
      UPDATE bucket b SET ownership = d.content FROM bucket_document d
        WHERE d.bucket_id = b.id AND d.document = 'ownershipControls'`);
    await runner.query(`DELETE FROM bucket_document WHERE document = 'ownershipControls'`);
    // Kept for the way back.
    await runner.query(`ALTER FUNCTION object_commit RENAME TO object_commit_without_acl`);
    await runner.query(COMMIT);
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query(`DROP FUNCTION object_commit`);
    await runner.query(`ALTER FUNCTION object_commit_without_acl RENAME TO object_commit`);
    await runner.query(`
      INSERT INTO bucket_document (bucket_id, document, content)
        SELECT id, 'ownershipControls', ownership FROM bucket WHERE ownership IS NOT NULL`);
    await runner.query(`ALTER TABLE bucket DROP ownership, DROP acl`);
    await runner.query(`ALTER TABLE multipart_upload DROP initiator, DROP acl`);
    await runner.query(`ALTER TABLE object_version DROP acl`);
  }
}

interface Column {
  readonly name: string;
  /** Type of the parameter `p_<name>`; absent when the function itself decides on the value. */
  readonly type?: string;
  /** What is stored, when that is not the parameter as it is. */
  readonly value?: string;
}

/** The columns of a version in the order of their parameters; everything the function says of them is made from here. */
const COLUMNS: readonly Column[] = [
  { name: 'seq', value: 'new_seq' },
  { name: 'is_current', value: 'true' },
  { name: 'delete_marker', value: 'false' },
  { name: 'last_modified', value: 'committed_at' },
  { name: 'size', type: 'bigint' },
  { name: 'etag', type: 'text' },
  { name: 'owner', type: 'text' },
  { name: 'metadata', type: 'jsonb' },
  { name: 'tags', type: 'jsonb' },
  { name: 'checksum_algorithm', type: 'text' },
  { name: 'checksum_value', type: 'text' },
  { name: 'checksum_type', type: 'text' },
  { name: 'inline', type: 'bytea', value: 'p_inline IS NOT NULL' },
  { name: 'blob_id', type: 'text' },
  { name: 'parts', type: 'jsonb' },
  { name: 'mode', type: 'text' },
  { name: 'iv', type: 'bytea' },
  { name: 'seal_algorithm', type: 'text' },
  { name: 'sealed_key', type: 'bytea' },
  { name: 'wrapped_key', type: 'bytea' },
  { name: 'kms', type: 'text' },
  { name: 'kms_key_id', type: 'text' },
  { name: 'kms_key_version', type: 'text' },
  { name: 'kms_context', type: 'jsonb' },
  { name: 'bucket_key', type: 'boolean' },
  { name: 'multipart', type: 'boolean' },
  { name: 'escrow_iv', type: 'bytea' },
  { name: 'escrow_seal_algorithm', type: 'text' },
  { name: 'escrow_sealed_key', type: 'bytea' },
  { name: 'escrow_wrapped_key', type: 'bytea' },
  { name: 'escrow_kms', type: 'text' },
  { name: 'escrow_key_id', type: 'text' },
  { name: 'escrow_key_version', type: 'text' },
  { name: 'acl', type: 'jsonb' },
];

const NAMES = COLUMNS.map(({ name }) => name).join(', ');
const VALUES = COLUMNS.map(({ name, value }) => value ?? `p_${name}`).join(', ');
const EXCLUDED = COLUMNS.map(({ name }) => `excluded.${name}`).join(', ');
const PARAMETERS = COLUMNS.filter(({ type }) => type !== undefined)
  .map(({ name, type }) => `p_${name} ${type}`)
  .join(', ');

/**
 * Makes an object version visible. `p_blob_size` null with a `p_blob_id` means that the blob is already known, as when an
 * object is copied onto itself; `p_expected_blob` then names the blob the current version must still have.
 *
 * Outcomes: `ok`, or the S3 error code, or `changed` when the expected blob is gone.
 */
const COMMIT = `
CREATE FUNCTION object_commit(
  p_bucket_id integer, p_key text, p_nonce text, p_if_match text, p_if_none_match boolean, p_expected_blob text,
  p_blob_size bigint, p_blob_crc32c bigint, ${PARAMETERS},
  OUT outcome text, OUT committed_version text, OUT committed_at timestamptz
) LANGUAGE plpgsql AS $$
DECLARE
  state text;
  cur record;
  old record;
  live boolean;
  new_seq bigint;
BEGIN
  PERFORM pg_advisory_xact_lock_shared(${BUCKET_LOCK}, p_bucket_id);
  PERFORM pg_advisory_xact_lock(hashtextextended(p_key, p_bucket_id));
  SELECT b.versioning INTO state FROM bucket b WHERE b.id = p_bucket_id;
  IF NOT FOUND THEN
    outcome := 'NoSuchBucket';
    RETURN;
  END IF;
  SELECT v.seq, v.version_id, v.delete_marker, v.etag, coalesce(v.blob_id, v.parts #>> '{0,b}') AS blob
    INTO cur FROM object_version v WHERE v.bucket_id = p_bucket_id AND v.key = p_key AND v.is_current;
  live := cur.seq IS NOT NULL AND NOT cur.delete_marker;
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
  INSERT INTO object_version (bucket_id, key, version_id, ${NAMES})
    VALUES (p_bucket_id, p_key, committed_version, ${VALUES})
    ON CONFLICT (bucket_id, key, version_id) DO UPDATE SET (${NAMES}) = (${EXCLUDED});
  IF p_inline IS NOT NULL THEN
    INSERT INTO object_inline (seq, data) VALUES (new_seq, p_inline)
      ON CONFLICT (seq) DO UPDATE SET data = excluded.data;
  END IF;
  outcome := 'ok';
END
$$`;
