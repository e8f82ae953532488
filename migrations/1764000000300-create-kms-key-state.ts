import type { MigrationInterface, QueryRunner } from 'typeorm';

/** Keys that this store has disabled, or is to delete, in KMSs that keep no such states themselves. */
export class CreateKmsKeyState1764000000300 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    await runner.query(`
      CREATE TABLE kms_key_state (
        kms text COLLATE "C" NOT NULL,
        key_id text COLLATE "C" NOT NULL,
        state text NOT NULL CHECK (state IN ('disabled', 'pending-deletion')),
        deletion_date timestamptz,
        losses_accepted boolean NOT NULL DEFAULT false,
        next_attempt_at timestamptz,
        changed_at timestamptz NOT NULL DEFAULT clock_timestamp(),
        PRIMARY KEY (kms, key_id),
        CHECK ((state = 'pending-deletion') = (deletion_date IS NOT NULL))
      )`);
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query('DROP TABLE kms_key_state');
  }
}
