import type { MigrationInterface, QueryRunner } from 'typeorm';

/** The embedded keyring. Key material is sealed by the root key. */
export class CreateKmsKeyring1764000000020 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    await runner.query(`
      CREATE TABLE kms_key (
        key_id text COLLATE "C" PRIMARY KEY,
        kind text NOT NULL CHECK (kind IN ('aes', 'minio-static')),
        state text NOT NULL DEFAULT 'enabled' CHECK (state IN ('enabled', 'disabled', 'pending-deletion')),
        created_at timestamptz NOT NULL DEFAULT now(),
        created_by text,
        deletion_date timestamptz,
        CHECK ((state = 'pending-deletion') = (deletion_date IS NOT NULL))
      )`);
    await runner.query(`
      CREATE TABLE kms_key_version (
        key_id text COLLATE "C" NOT NULL REFERENCES kms_key (key_id) ON DELETE CASCADE,
        version integer NOT NULL CHECK (version > 0),
        sealed_material bytea NOT NULL,
        created_at timestamptz NOT NULL DEFAULT now(),
        PRIMARY KEY (key_id, version)
      )`);
    await runner.query(`CREATE INDEX kms_key_deletion ON kms_key (deletion_date) WHERE deletion_date IS NOT NULL`);
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query('DROP TABLE kms_key_version');
    await runner.query('DROP TABLE kms_key');
  }
}
