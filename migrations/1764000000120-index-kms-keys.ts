import type { MigrationInterface, QueryRunner } from 'typeorm';

/** Makes counting what is sealed under each KMS key a read of one narrow index. */
export class IndexKmsKeys1764000000120 implements MigrationInterface {
  readonly name = 'IndexKmsKeys1764000000120';

  async up(runner: QueryRunner): Promise<void> {
    await runner.query(`
      CREATE INDEX object_version_kms ON object_version (kms, kms_key_id, kms_key_version) INCLUDE (size, bucket_key)
        WHERE kms IS NOT NULL`);
    await runner.query(`
      CREATE INDEX multipart_upload_kms ON multipart_upload (kms, kms_key_id, kms_key_version)
        WHERE kms IS NOT NULL AND completed_at IS NULL`);
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query('DROP INDEX multipart_upload_kms, object_version_kms');
  }
}
