import type { MigrationInterface, QueryRunner } from 'typeorm';

/** The walk that verifies stored bytes, and what it found damaged. */
export class CreateScrub1764000000223 implements MigrationInterface {
  readonly name = 'CreateScrub1764000000223';

  async up(runner: QueryRunner): Promise<void> {
    await runner.query(`
      CREATE TABLE blob_scrub (
        id smallint PRIMARY KEY CHECK (id = 1),
        running boolean NOT NULL DEFAULT false,
        due_at timestamptz NOT NULL DEFAULT clock_timestamp(),
        started_at timestamptz,
        finished_at timestamptz,
        lease text,
        lease_until timestamptz,
        cursor_blob text COLLATE "C" NOT NULL DEFAULT '',
        blobs bigint NOT NULL DEFAULT 0,
        bytes bigint NOT NULL DEFAULT 0,
        damaged bigint NOT NULL DEFAULT 0
      )`);
    await runner.query(`INSERT INTO blob_scrub (id) VALUES (1)`);
    await runner.query(`
      CREATE TABLE blob_damage (
        blob_id text COLLATE "C" PRIMARY KEY,
        reason text NOT NULL CHECK (reason IN ('missing', 'short', 'altered', 'unreadable')),
        bucket text COLLATE "C",
        key text COLLATE "C",
        version_id text COLLATE "C",
        found_at timestamptz NOT NULL DEFAULT clock_timestamp()
      )`);
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query('DROP TABLE blob_damage, blob_scrub');
  }
}
