import type { MigrationInterface, QueryRunner } from 'typeorm';

/** First number of the two-integer advisory lock on a bucket; the same as in the other commit functions. */
const BUCKET_LOCK = 7_340_513;

/** The runs of lifecycle rules, one row a bucket, and the deletion of what a rule has judged. */
export class CreateLifecycle1764000000220 implements MigrationInterface {
  readonly name = 'CreateLifecycle1764000000220';

  async up(runner: QueryRunner): Promise<void> {
    await runner.query(RUN);
    await runner.query(`CREATE INDEX lifecycle_run_due ON lifecycle_run (due_at)`);
    await runner.query(EXPIRE);
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query('DROP FUNCTION lifecycle_expire');
    await runner.query('DROP TABLE lifecycle_run');
  }
}

/** The run under way or, when there is none, the last one. The cursor is the last row that was dealt with. */
const RUN = `
  CREATE TABLE lifecycle_run (
    bucket_id integer PRIMARY KEY REFERENCES bucket ON DELETE CASCADE,
    state text NOT NULL DEFAULT 'waiting' CHECK (state IN ('waiting', 'running', 'completed', 'failed')),
    due_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    started_at timestamptz,
    finished_at timestamptz,
    lease text,
    lease_until timestamptz,
    stage text NOT NULL DEFAULT 'objects' CHECK (stage IN ('objects', 'uploads')),
    cursor_key text COLLATE "C" NOT NULL DEFAULT '',
    cursor_seq bigint,
    cursor_upload text COLLATE "C" NOT NULL DEFAULT '',
    scanned bigint NOT NULL DEFAULT 0,
    objects_expired bigint NOT NULL DEFAULT 0,
    versions_removed bigint NOT NULL DEFAULT 0,
    markers_removed bigint NOT NULL DEFAULT 0,
    uploads_aborted bigint NOT NULL DEFAULT 0,
    bytes bigint NOT NULL DEFAULT 0,
    locked bigint NOT NULL DEFAULT 0,
    changed bigint NOT NULL DEFAULT 0,
    error text
  ) WITH (fillfactor = 50)`;

/**
 * Deletes a version as S3 would, provided that it still is what the rule was judged by. `p_action`: `expire` a current
 * version, `remove-marker` that has nothing left under it, `remove-noncurrent` with at least `p_newer` noncurrent versions
 * above it. Outcomes: `ok`, `changed`, or the S3 error code (`AccessDenied` for a locked version).
 */
const EXPIRE = `
CREATE FUNCTION lifecycle_expire(
  p_bucket_id integer, p_key text, p_version_id text, p_action text, p_last_modified timestamptz, p_tags jsonb,
  p_newer integer, p_nonce text,
  OUT outcome text, OUT marker_version text, OUT removed_at timestamptz
) LANGUAGE plpgsql AS $$
DECLARE
  judged record;
  fits boolean;
BEGIN
  PERFORM pg_advisory_xact_lock_shared(${BUCKET_LOCK}, p_bucket_id);
  PERFORM pg_advisory_xact_lock(hashtextextended(p_key, p_bucket_id));
  SELECT v.seq, v.is_current, v.delete_marker, v.last_modified, v.tags INTO judged FROM object_version v
    WHERE v.bucket_id = p_bucket_id AND v.key = p_key AND v.version_id = p_version_id;
  fits := FOUND AND judged.last_modified = p_last_modified AND judged.tags IS NOT DISTINCT FROM p_tags;
  IF fits THEN
    fits := CASE p_action
      WHEN 'expire' THEN judged.is_current AND NOT judged.delete_marker
      WHEN 'remove-marker' THEN judged.is_current AND judged.delete_marker AND NOT EXISTS (
        SELECT FROM object_version o WHERE o.bucket_id = p_bucket_id AND o.key = p_key AND o.seq > judged.seq)
      WHEN 'remove-noncurrent' THEN NOT judged.is_current AND p_newer <= (
        SELECT count(*) FROM (
          SELECT FROM object_version o
            WHERE o.bucket_id = p_bucket_id AND o.key = p_key AND o.seq < judged.seq AND NOT o.is_current
            LIMIT p_newer) n)
    END;
  END IF;
  IF NOT fits THEN
    outcome := 'changed';
    RETURN;
  END IF;
  removed_at := date_trunc('milliseconds', clock_timestamp());
  SELECT d.outcome, d.marker_version INTO outcome, marker_version
    FROM object_delete(
      p_bucket_id, p_key, CASE WHEN p_action = 'expire' THEN NULL ELSE p_version_id END, p_nonce, NULL) d;
END
$$`;
