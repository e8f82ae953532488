import type { MigrationInterface, QueryRunner } from 'typeorm';

/** First number of the two-integer advisory lock on a bucket; the same as in the other commit functions. */
const BUCKET_LOCK = 7_340_513;

/**
 * Puts object lock in front of the deletion of versions: a version under legal hold or retention answers `AccessDenied`.
 * The lock lies in the version's metadata as `lock: { mode, until, legalHold }`.
 */
export class LockObjects1764000000110 implements MigrationInterface {
  readonly name = 'LockObjects1764000000110';

  async up(runner: QueryRunner): Promise<void> {
    await runner.query(`ALTER FUNCTION object_delete RENAME TO object_delete_unlocked`);
    await runner.query(DELETE);
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query(`DROP FUNCTION object_delete`);
    await runner.query(`ALTER FUNCTION object_delete_unlocked RENAME TO object_delete`);
  }
}

const DELETE = `
CREATE FUNCTION object_delete(
  p_bucket_id integer, p_key text, p_version_id text, p_nonce text, p_if_match text, p_bypass boolean DEFAULT false,
  OUT outcome text, OUT removed_marker boolean, OUT marker_version text
) LANGUAGE plpgsql AS $$
DECLARE
  held jsonb;
BEGIN
  IF p_version_id IS NOT NULL THEN
    PERFORM pg_advisory_xact_lock_shared(${BUCKET_LOCK}, p_bucket_id);
    PERFORM pg_advisory_xact_lock(hashtextextended(p_key, p_bucket_id));
    SELECT v.metadata -> 'lock' INTO held FROM object_version v
      WHERE v.bucket_id = p_bucket_id AND v.key = p_key AND v.version_id = p_version_id FOR UPDATE;
    IF held IS NOT NULL AND (
      coalesce((held ->> 'legalHold')::boolean, false)
      OR ((held ->> 'until')::timestamptz > clock_timestamp() AND (held ->> 'mode' = 'COMPLIANCE' OR NOT p_bypass))
    ) THEN
      outcome := 'AccessDenied';
      RETURN;
    END IF;
  END IF;
  SELECT d.outcome, d.removed_marker, d.marker_version INTO outcome, removed_marker, marker_version
    FROM object_delete_unlocked(p_bucket_id, p_key, p_version_id, p_nonce, p_if_match) d;
END
$$`;
