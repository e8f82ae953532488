import type { MigrationInterface, QueryRunner } from 'typeorm';

/** Tables whose rows come and go with objects. */
const BUSY_TABLES = ['object_version', 'object_inline', 'blob', 'multipart_upload', 'upload_part'];

const VACUUM_EARLY = BUSY_TABLES.map(
  (table) => `ALTER TABLE ${table} SET (autovacuum_vacuum_scale_factor = 0.01, autovacuum_vacuum_threshold = 1000,
    autovacuum_vacuum_insert_scale_factor = 0.02, autovacuum_analyze_scale_factor = 0.02)`,
);
const VACUUM_AS_USUAL = BUSY_TABLES.map(
  (table) => `ALTER TABLE ${table} RESET (autovacuum_vacuum_scale_factor, autovacuum_vacuum_threshold,
    autovacuum_vacuum_insert_scale_factor, autovacuum_analyze_scale_factor)`,
);

/**
 * Lets listings find the next key in an index alone, over delete markers as well as over what was deleted: the index of
 * current versions knows which are markers, and tables are vacuumed after a hundredth of their rows instead of a fifth, so
 * that dead entries go and pages are known to be visible soon.
 */
export class IndexListings1764000000250 implements MigrationInterface {
  readonly name = 'IndexListings1764000000250';

  async up(runner: QueryRunner): Promise<void> {
    await runner.query(`ALTER INDEX object_version_current RENAME TO object_version_current_narrow`);
    await runner.query(
      `CREATE UNIQUE INDEX object_version_current ON object_version (bucket_id, key) INCLUDE (delete_marker) WHERE is_current`,
    );
    await runner.query(`DROP INDEX object_version_current_narrow`);
    for (const statement of VACUUM_EARLY) {
      await runner.query(statement);
    }
  }

  async down(runner: QueryRunner): Promise<void> {
    for (const statement of VACUUM_AS_USUAL) {
      await runner.query(statement);
    }
    await runner.query(`DROP INDEX object_version_current`);
    await runner.query(
      `CREATE UNIQUE INDEX object_version_current ON object_version (bucket_id, key) WHERE is_current`,
    );
  }
}
