import type { MigrationInterface, QueryRunner } from 'typeorm';

/** Dynamic configuration: documents, their append-only history, and the one counter that numbers every change. */
export class CreateConfig1764000000010 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    // A row instead of a sequence: its lock makes versions become visible in their order, so "applied up to N" has a meaning.
    await runner.query(`
      CREATE TABLE config_state (
        id smallint PRIMARY KEY CHECK (id = 1),
        version bigint NOT NULL CHECK (version >= 0)
      )`);
    await runner.query('INSERT INTO config_state (id, version) VALUES (1, 0)');
    await runner.query(`
      CREATE TABLE config_document (
        subsystem text COLLATE "C" NOT NULL,
        target text COLLATE "C" NOT NULL,
        version bigint NOT NULL,
        fields jsonb NOT NULL CHECK (jsonb_typeof(fields) = 'object'),
        updated_at timestamptz NOT NULL,
        updated_by text NOT NULL,
        PRIMARY KEY (subsystem, target)
      )`);
    await runner.query(`
      CREATE TABLE config_history (
        version bigint PRIMARY KEY,
        subsystem text COLLATE "C" NOT NULL,
        target text COLLATE "C" NOT NULL,
        action text NOT NULL CHECK (action IN ('set', 'delete', 'rollback')),
        changed_at timestamptz NOT NULL,
        changed_by text NOT NULL,
        comment text,
        fields jsonb CHECK ((fields IS NULL) = (action = 'delete')),
        diff jsonb NOT NULL
      )`);
    await runner.query('CREATE INDEX config_history_by_document ON config_history (subsystem, target, version DESC)');
    await runner.query(`
      CREATE FUNCTION config_history_is_append_only() RETURNS trigger LANGUAGE plpgsql AS $$
      BEGIN
        RAISE EXCEPTION 'config_history is append-only';
      END $$`);
    await runner.query(`
      CREATE TRIGGER config_history_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON config_history
      FOR EACH STATEMENT EXECUTE FUNCTION config_history_is_append_only()`);
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query('DROP TABLE config_history');
    await runner.query('DROP FUNCTION config_history_is_append_only');
    await runner.query('DROP TABLE config_document');
    await runner.query('DROP TABLE config_state');
  }
}
