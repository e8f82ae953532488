import type { MigrationInterface, QueryRunner } from 'typeorm';

/** Temporary credentials, and names of access keys. Secrets are sealed by the root key; of tokens only a digest is kept. */
export class CreateStsSession1764000000230 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    await runner.query(`ALTER TABLE access_key ADD COLUMN name text NOT NULL DEFAULT ''`);
    await runner.query(`
      CREATE TABLE sts_session (
        access_key_id text COLLATE "C" PRIMARY KEY,
        issuer_key_id text COLLATE "C" REFERENCES access_key (access_key_id) ON DELETE CASCADE,
        issuer_mac bytea NOT NULL,
        parent_id text COLLATE "C" REFERENCES sts_session (access_key_id) ON DELETE CASCADE,
        sealed_secret bytea NOT NULL,
        token_digest bytea NOT NULL,
        session_name text NOT NULL DEFAULT '',
        policies jsonb NOT NULL DEFAULT '[]',
        created_at timestamptz NOT NULL DEFAULT now(),
        expires_at timestamptz NOT NULL
      )`);
    await runner.query(`COMMENT ON COLUMN sts_session.issuer_key_id IS 'Null: root itself, outside of access_key'`);
    await runner.query(`COMMENT ON COLUMN sts_session.policies IS 'Levels of named policies; each level has to allow'`);
    await runner.query(`CREATE INDEX sts_session_issuer ON sts_session (issuer_key_id)`);
    await runner.query(`CREATE INDEX sts_session_parent ON sts_session (parent_id) WHERE parent_id IS NOT NULL`);
    await runner.query(`CREATE INDEX sts_session_expiry ON sts_session (expires_at)`);
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query('DROP TABLE sts_session');
    await runner.query('ALTER TABLE access_key DROP COLUMN name');
  }
}
