import type { MigrationInterface, QueryRunner } from 'typeorm';

/**
 * Which deployment this database belongs to, so that backups of keys are not restored into another one by mistake. Written
 * on first use rather than here: copies of a database that was migrated and never used are deployments of their own.
 */
export class CreateDeploymentIdentity1764000000280 implements MigrationInterface {
  readonly name = 'CreateDeploymentIdentity1764000000280';

  async up(runner: QueryRunner): Promise<void> {
    await runner.query(`
      CREATE TABLE deployment_identity (
        id smallint PRIMARY KEY CHECK (id = 1),
        identity text NOT NULL
      )`);
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query('DROP TABLE deployment_identity');
  }
}
