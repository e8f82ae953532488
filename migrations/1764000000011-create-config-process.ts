import type { MigrationInterface, QueryRunner } from 'typeorm';

/** The processes that follow the configuration and how far each of them has applied it. Losing it costs nothing. */
export class CreateConfigProcess1764000000011 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    await runner.query(`
      CREATE UNLOGGED TABLE config_process (
        id uuid PRIMARY KEY,
        applied_version bigint NOT NULL,
        seen_at timestamptz NOT NULL
      )`);
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query('DROP TABLE config_process');
  }
}
