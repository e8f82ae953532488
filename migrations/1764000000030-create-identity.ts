import type { MigrationInterface, QueryRunner } from 'typeorm';

/** Users, access keys, groups, IAM policies and the root credential. Secrets are sealed by the root key. */
export class CreateIdentity1764000000030 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    await runner.query(`
      CREATE TABLE root_credential (
        id smallint PRIMARY KEY CHECK (id = 1),
        access_key_id text COLLATE "C" NOT NULL,
        sealed_secret bytea NOT NULL,
        created_at timestamptz NOT NULL DEFAULT now()
      )`);
    await runner.query(`
      CREATE TABLE iam_user (
        id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
        name text COLLATE "C" NOT NULL UNIQUE,
        status text NOT NULL DEFAULT 'enabled' CHECK (status IN ('enabled', 'disabled')),
        owner_id text COLLATE "C" NOT NULL UNIQUE,
        created_at timestamptz NOT NULL DEFAULT now(),
        updated_at timestamptz NOT NULL DEFAULT now()
      )`);
    await runner.query(`
      CREATE TABLE access_key (
        access_key_id text COLLATE "C" PRIMARY KEY,
        user_id uuid REFERENCES iam_user (id) ON DELETE CASCADE,
        sealed_secret bytea NOT NULL,
        status text NOT NULL DEFAULT 'enabled' CHECK (status IN ('enabled', 'disabled')),
        description text NOT NULL DEFAULT '',
        session_policy text,
        expires_at timestamptz,
        created_at timestamptz NOT NULL DEFAULT now(),
        updated_at timestamptz NOT NULL DEFAULT now()
      )`);
    await runner.query(`COMMENT ON COLUMN access_key.user_id IS 'Null: the key acts for root'`);
    await runner.query(`CREATE INDEX access_key_user ON access_key (user_id)`);
    await runner.query(`
      CREATE TABLE iam_group (
        id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
        name text COLLATE "C" NOT NULL UNIQUE,
        status text NOT NULL DEFAULT 'enabled' CHECK (status IN ('enabled', 'disabled')),
        created_at timestamptz NOT NULL DEFAULT now(),
        updated_at timestamptz NOT NULL DEFAULT now()
      )`);
    await runner.query(`
      CREATE TABLE iam_group_member (
        group_id uuid NOT NULL REFERENCES iam_group (id) ON DELETE CASCADE,
        user_id uuid NOT NULL REFERENCES iam_user (id) ON DELETE CASCADE,
        PRIMARY KEY (group_id, user_id)
      )`);
    await runner.query(`CREATE INDEX iam_group_member_user ON iam_group_member (user_id)`);
    await runner.query(`
      CREATE TABLE iam_policy (
        name text COLLATE "C" PRIMARY KEY,
        document text NOT NULL,
        builtin boolean NOT NULL DEFAULT false,
        created_at timestamptz NOT NULL DEFAULT now(),
        updated_at timestamptz NOT NULL DEFAULT now()
      )`);
    await runner.query(`
      CREATE TABLE iam_user_policy (
        user_id uuid NOT NULL REFERENCES iam_user (id) ON DELETE CASCADE,
        policy_name text COLLATE "C" NOT NULL REFERENCES iam_policy (name) ON DELETE RESTRICT,
        PRIMARY KEY (user_id, policy_name)
      )`);
    await runner.query(`CREATE INDEX iam_user_policy_name ON iam_user_policy (policy_name)`);
    await runner.query(`
      CREATE TABLE iam_group_policy (
        group_id uuid NOT NULL REFERENCES iam_group (id) ON DELETE CASCADE,
        policy_name text COLLATE "C" NOT NULL REFERENCES iam_policy (name) ON DELETE RESTRICT,
        PRIMARY KEY (group_id, policy_name)
      )`);
    await runner.query(`CREATE INDEX iam_group_policy_name ON iam_group_policy (policy_name)`);
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query('DROP TABLE iam_group_policy');
    await runner.query('DROP TABLE iam_user_policy');
    await runner.query('DROP TABLE iam_policy');
    await runner.query('DROP TABLE iam_group_member');
    await runner.query('DROP TABLE iam_group');
    await runner.query('DROP TABLE access_key');
    await runner.query('DROP TABLE iam_user');
    await runner.query('DROP TABLE root_credential');
  }
}
