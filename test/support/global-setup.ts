import { Client } from 'pg';
import { runMigrations } from '../../src/database/migrations';
import { EmbeddedPostgres } from '../../src/process/embedded-postgres';
import { TEMPLATE_DATABASE, databaseUrl } from './database-url';
import { createRunDirectory } from './run-directory';

/** One Postgres for the whole run, with one migrated template that every test database is copied from. */
export default async function globalSetup(): Promise<void> {
  const { path: dataDir, inMemory } = await createRunDirectory();
  const postgres = await EmbeddedPostgres.start({
    dataDir,
    parameters: ['fsync=off', 'full_page_writes=off', 'max_connections=400', 'max_wal_size=256MB'],
  });
  const client = new Client({ connectionString: postgres.url });
  await client.connect();
  await client.query(`CREATE DATABASE ${TEMPLATE_DATABASE}`);
  await client.end();
  await runMigrations(databaseUrl(postgres.url, TEMPLATE_DATABASE));
  process.env['STRONGROOM_TEST_SERVER'] = postgres.url;
  process.env['STRONGROOM_TEST_COPY_STRATEGY'] = inMemory ? 'FILE_COPY' : 'WAL_LOG';
  Object.assign(globalThis, { strongroomTestPostgres: { postgres, dataDir } });
}
