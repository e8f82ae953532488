import { mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Client } from 'pg';
import { runMigrations } from '../../src/database/migrations';
import { EmbeddedPostgres } from '../../src/process/embedded-postgres';
import { TEMPLATE_DATABASE, databaseUrl } from './database-url';

/** One Postgres for the whole run, with one migrated template that every test database is copied from. */
export default async function globalSetup(): Promise<void> {
  const dataDir = await mkdtemp(join(tmpdir(), 'strongroom-test-'));
  const postgres = await EmbeddedPostgres.start({
    dataDir,
    parameters: ['fsync=off', 'full_page_writes=off', 'max_connections=400'],
  });
  const client = new Client({ connectionString: postgres.url });
  await client.connect();
  await client.query(`CREATE DATABASE ${TEMPLATE_DATABASE}`);
  await client.end();
  await runMigrations(databaseUrl(postgres.url, TEMPLATE_DATABASE));
  process.env['STRONGROOM_TEST_SERVER'] = postgres.url;
  Object.assign(globalThis, { strongroomTestPostgres: { postgres, dataDir } });
}
