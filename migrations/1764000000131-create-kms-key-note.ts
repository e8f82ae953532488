import type { MigrationInterface, QueryRunner } from 'typeorm';

/** Descriptions and tags of keys in any KMS; kept here, because few of them can keep both. */
export class CreateKmsKeyNote1764000000131 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    await runner.query(`
      CREATE TABLE kms_key_note (
        kms text COLLATE "C" NOT NULL,
        key_id text COLLATE "C" NOT NULL,
        description text,
        tags jsonb NOT NULL DEFAULT '{}' CHECK (jsonb_typeof(tags) = 'object'),
        PRIMARY KEY (kms, key_id)
      )`);
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query('DROP TABLE kms_key_note');
  }
}
