import type { MigrationInterface, QueryRunner } from 'typeorm';

/** Jobs that seal object keys anew, the pieces of work under way, and what could not be done. */
export class CreateRewrap1764000000121 implements MigrationInterface {
  readonly name = 'CreateRewrap1764000000121';

  async up(runner: QueryRunner): Promise<void> {
    await runner.query(JOB);
    await runner.query(`CREATE INDEX rewrap_job_running ON rewrap_job (created_at) WHERE state = 'running'`);
    await runner.query(CHUNK);
    await runner.query(FAILURE);
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query('DROP TABLE rewrap_failure, rewrap_chunk, rewrap_job');
  }
}

/** `stage`: plan, then the walk over uploads and over objects, then the wait for chunks under way; and round again. */
const JOB = `
  CREATE TABLE rewrap_job (
    id text COLLATE "C" PRIMARY KEY,
    state text NOT NULL CHECK (state IN ('running', 'paused', 'cancelled', 'completed', 'failed')),
    stage text NOT NULL DEFAULT 'plan' CHECK (stage IN ('plan', 'uploads', 'objects', 'drain')),
    pass integer NOT NULL DEFAULT 1,
    dry_run boolean NOT NULL,
    target_kms text,
    target_key_id text,
    selection jsonb NOT NULL,
    rate_limit double precision,
    concurrency integer NOT NULL,
    settled jsonb NOT NULL DEFAULT '[]',
    sources jsonb,
    excluded jsonb,
    cursor_bucket integer NOT NULL DEFAULT 0,
    cursor_key text COLLATE "C" NOT NULL DEFAULT '',
    cursor_version text COLLATE "C" NOT NULL DEFAULT '',
    next_chunk integer NOT NULL DEFAULT 1,
    plan_lease_until timestamptz,
    next_slot timestamptz NOT NULL DEFAULT clock_timestamp(),
    total_objects bigint,
    total_bytes bigint,
    total_uploads bigint,
    objects bigint NOT NULL DEFAULT 0,
    bytes bigint NOT NULL DEFAULT 0,
    uploads bigint NOT NULL DEFAULT 0,
    changed bigint NOT NULL DEFAULT 0,
    pass_progress bigint NOT NULL DEFAULT 0,
    waiting_for text,
    error text,
    created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    created_by text NOT NULL,
    running_since timestamptz,
    active interval NOT NULL DEFAULT '0',
    finished_at timestamptz
  ) WITH (fillfactor = 50)`;

const CHUNK = `
  CREATE TABLE rewrap_chunk (
    job_id text COLLATE "C" NOT NULL REFERENCES rewrap_job ON DELETE CASCADE,
    number integer NOT NULL,
    kind text NOT NULL CHECK (kind IN ('object', 'upload')),
    after_bucket integer NOT NULL,
    after_key text COLLATE "C" NOT NULL,
    after_version text COLLATE "C" NOT NULL,
    until_bucket integer NOT NULL,
    until_key text COLLATE "C" NOT NULL,
    until_version text COLLATE "C" NOT NULL,
    lease text NOT NULL,
    lease_until timestamptz NOT NULL,
    PRIMARY KEY (job_id, number)
  ) WITH (fillfactor = 50)`;

const FAILURE = `
  CREATE TABLE rewrap_failure (
    job_id text COLLATE "C" NOT NULL REFERENCES rewrap_job ON DELETE CASCADE,
    kind text COLLATE "C" NOT NULL CHECK (kind IN ('object', 'upload')),
    bucket text COLLATE "C" NOT NULL,
    key text COLLATE "C" NOT NULL,
    version_id text COLLATE "C" NOT NULL,
    reason text NOT NULL,
    message text NOT NULL,
    failed_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (job_id, kind, bucket, key, version_id)
  )`;
