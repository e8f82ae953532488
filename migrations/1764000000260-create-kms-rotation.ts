import type { MigrationInterface, QueryRunner } from 'typeorm';

/** Rotation policies, how many data keys each key version has wrapped, and how far the scheduler is with each key. */
export class CreateKmsRotation1764000000260 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    // The policy of a whole target has an empty key id.
    await runner.query(`
      CREATE TABLE kms_rotation_policy (
        kms text COLLATE "C" NOT NULL,
        key_id text COLLATE "C" NOT NULL,
        max_age_days integer CHECK (max_age_days > 0),
        max_wraps bigint CHECK (max_wraps > 0),
        automatic boolean NOT NULL,
        rewrap boolean NOT NULL,
        updated_at timestamptz NOT NULL DEFAULT clock_timestamp(),
        updated_by text NOT NULL,
        PRIMARY KEY (kms, key_id),
        CHECK (max_age_days IS NOT NULL OR max_wraps IS NOT NULL)
      )`);
    // Keys of KMSs that tell no versions have an empty one.
    await runner.query(`
      CREATE TABLE kms_key_wraps (
        kms text COLLATE "C" NOT NULL,
        key_id text COLLATE "C" NOT NULL,
        key_version text COLLATE "C" NOT NULL,
        wraps bigint NOT NULL,
        first_at timestamptz NOT NULL DEFAULT clock_timestamp(),
        PRIMARY KEY (kms, key_id, key_version)
      ) WITH (fillfactor = 50)`);
    await runner.query(`
      CREATE TABLE kms_key_rotation (
        kms text COLLATE "C" NOT NULL,
        key_id text COLLATE "C" NOT NULL,
        stage text NOT NULL DEFAULT 'idle' CHECK (stage IN ('idle', 'rotating', 'rewrapping')),
        rewrap boolean NOT NULL DEFAULT false,
        reason text,
        from_version text,
        version text,
        rotated_at timestamptz,
        rewrap_job text,
        due_reason text,
        looked_at timestamptz,
        attempts integer NOT NULL DEFAULT 0,
        next_attempt_at timestamptz,
        last_error text,
        PRIMARY KEY (kms, key_id)
      ) WITH (fillfactor = 50)`);
    await runner.query(`
      CREATE TABLE kms_rotation_lease (
        id smallint PRIMARY KEY CHECK (id = 1),
        holder text,
        lease_until timestamptz,
        next_round_at timestamptz NOT NULL
      )`);
    await runner.query('INSERT INTO kms_rotation_lease (id, next_round_at) VALUES (1, clock_timestamp())');
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query('DROP TABLE kms_rotation_lease, kms_key_rotation, kms_key_wraps, kms_rotation_policy');
  }
}
