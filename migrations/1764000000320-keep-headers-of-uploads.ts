import type { MigrationInterface, QueryRunner } from 'typeorm';

/** Policies judge the parts of an upload by the headers it was begun with, since parts come without them. */
export class KeepHeadersOfUploads1764000000320 implements MigrationInterface {
  readonly name = 'KeepHeadersOfUploads1764000000320';

  async up(runner: QueryRunner): Promise<void> {
    await runner.query('ALTER TABLE multipart_upload ADD COLUMN request_headers jsonb');
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query('ALTER TABLE multipart_upload DROP COLUMN request_headers');
  }
}
