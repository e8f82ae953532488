import type { MigrationInterface, QueryRunner } from 'typeorm';

/** First number of the two-integer advisory lock on a bucket; the same as in the other commit functions. */
const BUCKET_LOCK = 7_340_513;

/**
 * Deletes objects and versions, one or a thousand, in one call. `object_delete` stays for lifecycle rules, for programs of
 * the version before that are still running, and for the way back.
 */
export class CreateBatchDelete1764000000252 implements MigrationInterface {
  readonly name = 'CreateBatchDelete1764000000252';

  async up(runner: QueryRunner): Promise<void> {
    await runner.query(HELD);
    await runner.query(DELETE_MANY);
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query('DROP FUNCTION object_delete_many, object_lock_holds');
  }
}

/** Whether a lock, as it lies in a version's metadata, forbids to delete that version for good. */
const HELD = `
CREATE FUNCTION object_lock_holds(p_lock jsonb, p_bypass boolean) RETURNS boolean LANGUAGE sql STABLE AS $$
  SELECT coalesce((p_lock ->> 'legalHold')::boolean, false)
    OR coalesce((p_lock ->> 'until')::timestamptz > statement_timestamp() AND (p_lock ->> 'mode' = 'COMPLIANCE' OR NOT p_bypass), false)
$$`;

/**
 * Deletes the entries of parallel arrays in their order: with a version id that version for good, without one as the
 * bucket's versioning asks. `if_match` is compared with the current version. Outcomes: `ok` or the S3 error code, one for
 * each entry; an entry that fails changes nothing and keeps none of the others from being done.
 *
 * All keys are locked first, in the order of their bytes, so that two such calls never wait for each other in a circle.
 * Each statement of the loop touches one key by a unique index; what hangs on the versions is removed for all at the end.
 */
const DELETE_MANY = `
CREATE FUNCTION object_delete_many(
  p_bucket_id integer, p_keys text[], p_version_ids text[], p_nonces text[], p_if_matches text[], p_bypass boolean
) RETURNS TABLE (entry bigint, outcome text, removed_marker boolean, marker_version text)
LANGUAGE plpgsql
SET plan_cache_mode = force_generic_plan SET enable_seqscan = off SET enable_bitmapscan = off SET jit = off
AS $$
DECLARE
  bucket_row record;
  asked record;
  cur record;
  gone record;
  marker_seq bigint;
  inline_seqs bigint[] := '{}';
  blob_ids text[] := '{}';
BEGIN
  PERFORM pg_advisory_xact_lock_shared(${BUCKET_LOCK}, p_bucket_id);
  PERFORM pg_advisory_xact_lock(hashtextextended(k.key, p_bucket_id))
    FROM (SELECT DISTINCT u.key COLLATE "C" AS key FROM unnest(p_keys) AS u (key) ORDER BY 1) k;
  SELECT b.versioning, b.owner INTO bucket_row FROM bucket b WHERE b.id = p_bucket_id;
  IF NOT FOUND THEN
    RETURN QUERY SELECT u.entry, 'NoSuchBucket', false, NULL::text FROM unnest(p_keys) WITH ORDINALITY AS u (key, entry);
    RETURN;
  END IF;

  FOR asked IN
    SELECT * FROM unnest(p_keys, p_version_ids, p_nonces, p_if_matches) WITH ORDINALITY
      AS u (key, version_id, nonce, if_match, entry)
  LOOP
    entry := asked.entry;
    outcome := 'ok';
    removed_marker := false;
    marker_version := NULL;
    IF asked.if_match IS NOT NULL THEN
      SELECT v.etag INTO cur FROM object_version v
        WHERE v.bucket_id = p_bucket_id AND v.key = asked.key AND v.is_current AND NOT v.delete_marker;
      IF NOT FOUND THEN
        outcome := 'NoSuchKey';
      ELSIF asked.if_match NOT IN ('*', cur.etag) THEN
        outcome := 'PreconditionFailed';
      END IF;
    END IF;

    IF outcome = 'ok' AND (asked.version_id IS NOT NULL OR bucket_row.versioning <> 'enabled') THEN
      DELETE FROM object_version v
        WHERE v.bucket_id = p_bucket_id AND v.key = asked.key AND v.version_id = coalesce(asked.version_id, 'null')
          AND (v.metadata -> 'lock' IS NULL OR asked.version_id IS NULL OR NOT object_lock_holds(v.metadata -> 'lock', p_bypass))
        RETURNING v.seq, v.is_current, v.delete_marker, v.inline, v.blob_id, v.parts INTO gone;
      IF FOUND THEN
        removed_marker := gone.delete_marker AND (asked.version_id IS NOT NULL OR bucket_row.versioning = 'unversioned');
        IF gone.inline THEN
          inline_seqs := inline_seqs || gone.seq;
        END IF;
        IF gone.blob_id IS NOT NULL OR gone.parts IS NOT NULL THEN
          blob_ids := blob_ids || object_blobs(gone.blob_id, gone.parts);
        END IF;
        IF gone.is_current AND asked.version_id IS NOT NULL THEN
          UPDATE object_version v SET is_current = true
            WHERE v.bucket_id = p_bucket_id AND v.key = asked.key AND v.seq = (
              SELECT n.seq FROM object_version n WHERE n.bucket_id = p_bucket_id AND n.key = asked.key ORDER BY n.seq LIMIT 1);
        END IF;
      ELSIF asked.version_id IS NOT NULL THEN
        PERFORM 1 FROM object_version v
          WHERE v.bucket_id = p_bucket_id AND v.key = asked.key AND v.version_id = asked.version_id;
        IF FOUND THEN
          outcome := 'AccessDenied';
        END IF;
      END IF;
    END IF;

    IF outcome = 'ok' AND asked.version_id IS NULL AND bucket_row.versioning <> 'unversioned' THEN
      marker_seq := nextval('object_version_seq');
      marker_version := CASE WHEN bucket_row.versioning = 'enabled'
        THEN lpad(to_hex(-marker_seq), 16, '0') || asked.nonce ELSE 'null' END;
      UPDATE object_version v SET is_current = false
        WHERE v.bucket_id = p_bucket_id AND v.key = asked.key AND v.is_current;
      INSERT INTO object_version
        (bucket_id, key, version_id, seq, is_current, delete_marker, size, etag, last_modified, owner, metadata, mode)
        VALUES (p_bucket_id, asked.key, marker_version, marker_seq, true, true, 0, '',
          date_trunc('milliseconds', clock_timestamp()), bucket_row.owner, '{"user":{}}', 'none');
    END IF;
    RETURN NEXT;
  END LOOP;

  IF inline_seqs <> '{}' THEN
    DELETE FROM object_inline i WHERE i.seq = ANY (inline_seqs);
  END IF;
  IF blob_ids <> '{}' THEN
    UPDATE blob b SET deleted_at = clock_timestamp() WHERE b.id = ANY (blob_ids);
  END IF;
END
$$`;
