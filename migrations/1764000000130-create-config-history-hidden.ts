import type { MigrationInterface, QueryRunner } from 'typeorm';

/** Entries of the append-only history that MinIO's clients have "cleared": marked as hidden from them, kept for audit. */
export class CreateConfigHistoryHidden1764000000130 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    await runner.query(`
      CREATE TABLE config_history_hidden (
        version bigint NOT NULL,
        and_earlier boolean NOT NULL,
        hidden_at timestamptz NOT NULL DEFAULT now(),
        hidden_by text NOT NULL,
        PRIMARY KEY (version, and_earlier)
      )`);
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query('DROP TABLE config_history_hidden');
  }
}
