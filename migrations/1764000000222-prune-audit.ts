import type { MigrationInterface, QueryRunner } from 'typeorm';

/** Lets the audit log be cut at its old end: the sealed hash at the cut stays, and the rest of the chain begins there. */
export class PruneAudit1764000000222 implements MigrationInterface {
  readonly name = 'PruneAudit1764000000222';

  async up(runner: QueryRunner): Promise<void> {
    await runner.query(`
      CREATE TABLE audit_cut (
        id smallint PRIMARY KEY CHECK (id = 1),
        sequence bigint NOT NULL,
        hash bytea NOT NULL,
        seal bytea NOT NULL,
        cut_at timestamptz NOT NULL DEFAULT clock_timestamp()
      )`);
    await runner.query(`
      CREATE OR REPLACE FUNCTION audit_record_is_append_only() RETURNS trigger LANGUAGE plpgsql AS $$
      BEGIN
        IF TG_OP = 'DELETE' AND current_setting('strongroom.audit_cut', true) = 'on' THEN
          RETURN NULL;
        END IF;
        RAISE EXCEPTION 'audit_record is append-only';
      END $$`);
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query(`
      CREATE OR REPLACE FUNCTION audit_record_is_append_only() RETURNS trigger LANGUAGE plpgsql AS $$
      BEGIN
        RAISE EXCEPTION 'audit_record is append-only';
      END $$`);
    await runner.query('DROP TABLE audit_cut');
  }
}
