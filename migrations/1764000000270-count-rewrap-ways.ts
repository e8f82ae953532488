import type { MigrationInterface, QueryRunner } from 'typeorm';

/** How many of the keys that a rewrap job sealed anew the KMS rewrapped itself. */
export class CountRewrapWays1764000000270 implements MigrationInterface {
  readonly name = 'CountRewrapWays1764000000270';

  async up(runner: QueryRunner): Promise<void> {
    await runner.query(`ALTER TABLE rewrap_job ADD inside_kms bigint NOT NULL DEFAULT 0`);
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query(`ALTER TABLE rewrap_job DROP inside_kms`);
  }
}
