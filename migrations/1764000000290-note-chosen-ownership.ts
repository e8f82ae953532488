import type { MigrationInterface, QueryRunner } from 'typeorm';

/**
 * Whether somebody chose the object ownership of a bucket. Of older buckets nobody knows; theirs counts as the default,
 * under which only the canned list `private` is taken that would otherwise be refused.
 */
export class NoteChosenOwnership1764000000290 implements MigrationInterface {
  readonly name = 'NoteChosenOwnership1764000000290';

  async up(runner: QueryRunner): Promise<void> {
    await runner.query(`ALTER TABLE bucket ADD ownership_chosen boolean NOT NULL DEFAULT false`);
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query(`ALTER TABLE bucket DROP ownership_chosen`);
  }
}
