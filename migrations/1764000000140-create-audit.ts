import type { MigrationInterface, QueryRunner } from 'typeorm';

/** The audit log: one append-only chain of records, each with a keyed hash over itself and the one before. */
export class CreateAudit1764000000140 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    await runner.query(`
      CREATE TABLE audit_record (
        sequence bigint PRIMARY KEY,
        at timestamptz(3) NOT NULL,
        category text COLLATE "C" NOT NULL,
        operation text COLLATE "C" NOT NULL,
        principal text COLLATE "C" NOT NULL,
        outcome text COLLATE "C" NOT NULL CHECK (outcome IN ('success', 'denied', 'failure')),
        error_class text COLLATE "C",
        resource text COLLATE "C",
        kms text COLLATE "C",
        key_id text COLLATE "C",
        key_version text COLLATE "C",
        source_ip text COLLATE "C",
        user_agent text COLLATE "C",
        request_id text COLLATE "C",
        microseconds integer,
        calls integer NOT NULL,
        details text COLLATE "C",
        hash bytea NOT NULL CHECK (octet_length(hash) = 32)
      )`);
    await runner.query('CREATE INDEX audit_record_by_time ON audit_record (at)');
    await runner.query('CREATE INDEX audit_record_by_principal ON audit_record (principal, sequence)');
    await runner.query('CREATE INDEX audit_record_by_key ON audit_record (key_id, sequence) WHERE key_id IS NOT NULL');
    await runner.query(`
      CREATE FUNCTION audit_record_is_append_only() RETURNS trigger LANGUAGE plpgsql AS $$
      BEGIN
        RAISE EXCEPTION 'audit_record is append-only';
      END $$`);
    await runner.query(`
      CREATE TRIGGER audit_record_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON audit_record
      FOR EACH STATEMENT EXECUTE FUNCTION audit_record_is_append_only()`);
    // The lock on this row puts the appends of all processes in one order.
    await runner.query(`
      CREATE TABLE audit_head (
        id smallint PRIMARY KEY CHECK (id = 1),
        sequence bigint NOT NULL,
        hash bytea NOT NULL,
        seal bytea
      )`);
    await runner.query(`INSERT INTO audit_head (id, sequence, hash) VALUES (1, 0, decode(repeat('00', 32), 'hex'))`);
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query('DROP TABLE audit_head');
    await runner.query('DROP TABLE audit_record');
    await runner.query('DROP FUNCTION audit_record_is_append_only');
  }
}
