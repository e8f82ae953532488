import type { MigrationInterface, QueryRunner } from 'typeorm';

/** First number of the two-integer advisory lock on a bucket; the second is the bucket's id. */
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

/**
 * The commits of the object store, one round trip each. Every one of them holds a lock on the key until it is visible, so
 * conditions are decided atomically and exactly one of several racing creators wins.
 */
export class CreateObjectFunctions1764000000041 implements MigrationInterface {
  readonly name = 'CreateObjectFunctions1764000000041';

  async up(runner: QueryRunner): Promise<void> {
    await runner.query(BLOBS_OF);
    await runner.query(DISCARD);
    await runner.query(COMMIT);
    await runner.query(DELETE);
    await runner.query(COMMIT_PART);
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query('DROP FUNCTION upload_part_commit, object_delete, object_commit, object_discard, object_blobs');
  }
}

const BLOBS_OF = `
CREATE FUNCTION object_blobs(p_blob_id text, p_parts jsonb) RETURNS text[] LANGUAGE sql IMMUTABLE AS $$
  SELECT CASE
    WHEN p_parts IS NOT NULL THEN ARRAY(SELECT part ->> 'b' FROM jsonb_array_elements(p_parts) part)
    WHEN p_blob_id IS NOT NULL THEN ARRAY[p_blob_id]
    ELSE ARRAY[]::text[]
  END
$$`;

/** Removes one version; its blobs stay until the reaper comes by, so that readers under way can finish. */
const DISCARD = `
CREATE FUNCTION object_discard(
  p_bucket_id integer, p_key text, p_version_id text,
  OUT was_found boolean, OUT was_current boolean, OUT was_marker boolean
) LANGUAGE plpgsql AS $$
DECLARE
  gone record;
BEGIN
  DELETE FROM object_version v
    WHERE v.bucket_id = p_bucket_id AND v.key = p_key AND v.version_id = p_version_id
    RETURNING v.seq, v.is_current, v.delete_marker, v.inline, v.blob_id, v.parts INTO gone;
  was_found := FOUND;
  IF NOT was_found THEN
    RETURN;
  END IF;
  was_current := gone.is_current;
  was_marker := gone.delete_marker;
  IF gone.inline THEN
    DELETE FROM object_inline i WHERE i.seq = gone.seq;
  END IF;
  IF gone.blob_id IS NOT NULL OR gone.parts IS NOT NULL THEN
    UPDATE blob b SET deleted_at = clock_timestamp() WHERE b.id = ANY (object_blobs(gone.blob_id, gone.parts));
  END IF;
END
$$`;

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
      p_kms_context, p_bucket_key, p_multipart)
    ON CONFLICT (bucket_id, key, version_id) DO UPDATE
      SET (${COLUMNS.join(', ')}) = (${COLUMNS.map((column) => `excluded.${column}`).join(', ')});
  IF p_inline IS NOT NULL THEN
    INSERT INTO object_inline (seq, data) VALUES (new_seq, p_inline)
      ON CONFLICT (seq) DO UPDATE SET data = excluded.data;
  END IF;
  outcome := 'ok';
END
$$`;

/**
 * Deletes an object: with a version id that version for good, without one as the bucket's versioning asks.
 * `p_if_match` is compared with the current version. Outcomes: `ok` or the S3 error code.
 */
const DELETE = `
CREATE FUNCTION object_delete(
  p_bucket_id integer, p_key text, p_version_id text, p_nonce text, p_if_match text,
  OUT outcome text, OUT removed_marker boolean, OUT marker_version text
) LANGUAGE plpgsql AS $$
DECLARE
  state text;
  cur record;
  live boolean;
  gone record;
  new_seq bigint;
BEGIN
  ${LOCK_KEY}
  IF p_if_match IS NOT NULL AND NOT live THEN
    outcome := 'NoSuchKey';
    RETURN;
  ELSIF p_if_match IS NOT NULL AND p_if_match <> '*' AND p_if_match <> cur.etag THEN
    outcome := 'PreconditionFailed';
    RETURN;
  END IF;
  outcome := 'ok';
  removed_marker := false;
  IF p_version_id IS NOT NULL OR state = 'unversioned' THEN
    SELECT * INTO gone FROM object_discard(p_bucket_id, p_key, coalesce(p_version_id, 'null'));
    removed_marker := coalesce(gone.was_marker, false);
    IF gone.was_current THEN
      UPDATE object_version v SET is_current = true
        WHERE v.bucket_id = p_bucket_id AND v.key = p_key AND v.seq = (
          SELECT n.seq FROM object_version n WHERE n.bucket_id = p_bucket_id AND n.key = p_key ORDER BY n.seq LIMIT 1);
    END IF;
    RETURN;
  END IF;
  new_seq := nextval('object_version_seq');
  IF state = 'enabled' THEN
    marker_version := lpad(to_hex(-new_seq), 16, '0') || p_nonce;
  ELSE
    marker_version := 'null';
    PERFORM object_discard(p_bucket_id, p_key, 'null');
  END IF;
  UPDATE object_version v SET is_current = false
    WHERE v.bucket_id = p_bucket_id AND v.key = p_key AND v.is_current;
  INSERT INTO object_version
    (bucket_id, key, version_id, seq, is_current, delete_marker, size, etag, last_modified, owner, metadata, mode)
    SELECT p_bucket_id, p_key, marker_version, new_seq, true, true, 0, '', date_trunc('milliseconds', clock_timestamp()), b.owner,
      '{"user":{}}'::jsonb, 'none'
    FROM bucket b WHERE b.id = p_bucket_id;
END
$$`;

/** Adds or replaces a part of an open upload; a part sent again wins and queues the blob of the one before. */
const COMMIT_PART = `
CREATE FUNCTION upload_part_commit(
  p_upload_id text, p_number integer, p_size bigint, p_etag text, p_checksum text,
  p_blob_id text, p_blob_size bigint, p_blob_crc32c bigint,
  OUT outcome text, OUT committed_at timestamptz
) LANGUAGE plpgsql AS $$
DECLARE
  old_blob text;
BEGIN
  PERFORM 1 FROM multipart_upload u WHERE u.id = p_upload_id AND u.completed_at IS NULL FOR KEY SHARE;
  IF NOT FOUND THEN
    outcome := 'NoSuchUpload';
    RETURN;
  END IF;
  PERFORM pg_advisory_xact_lock(hashtextextended(p_upload_id, p_number));
  SELECT p.blob_id INTO old_blob FROM upload_part p WHERE p.upload_id = p_upload_id AND p.number = p_number;
  IF FOUND THEN
    UPDATE blob b SET deleted_at = clock_timestamp() WHERE b.id = old_blob;
  END IF;
  committed_at := date_trunc('milliseconds', clock_timestamp());
  INSERT INTO blob (id, size, crc32c) VALUES (p_blob_id, p_blob_size, p_blob_crc32c);
  INSERT INTO upload_part (upload_id, number, size, etag, checksum, blob_id, last_modified)
    VALUES (p_upload_id, p_number, p_size, p_etag, p_checksum, p_blob_id, committed_at)
    ON CONFLICT (upload_id, number) DO UPDATE
      SET (size, etag, checksum, blob_id, last_modified)
        = (excluded.size, excluded.etag, excluded.checksum, excluded.blob_id, excluded.last_modified);
  outcome := 'ok';
END
$$`;
