import { DataSource } from 'typeorm';
import { connectionOptions } from './connection-options';

/** Any fixed number that nothing else locks on. */
const MIGRATION_LOCK = 7_340_512_004;

/**
 * Brings the schema up to date under an advisory lock, so that several machines may start at once.
 *
 * @returns the names of the migrations that ran
 */
export async function runMigrations(url: string): Promise<string[]> {
  const dataSource = new DataSource(connectionOptions(url, 2));
  await dataSource.initialize();
  const lock = dataSource.createQueryRunner();
  try {
    await lock.query('SET statement_timeout = 0');
    await lock.query('SELECT pg_advisory_lock($1)', [MIGRATION_LOCK]);
    const applied = await dataSource.runMigrations();
    return applied.map((migration) => migration.name);
  } finally {
    await lock.release();
    await dataSource.destroy();
  }
}
