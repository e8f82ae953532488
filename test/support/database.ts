import { randomBytes } from 'node:crypto';
import { Client } from 'pg';
import { DataSource } from 'typeorm';
import { connectionOptions } from '../../src/database/connection-options';
import { Database } from '../../src/database/database';
import { TEMPLATE_DATABASE, databaseUrl } from './database-url';

export interface TestDatabase {
  readonly url: string;
  readonly database: Database;
  /** A further, independent connection pool to the same database, as another process would have. */
  another(): Promise<Database>;
  close(): Promise<void>;
}

/** Makes a fresh, migrated database on the run's Postgres and opens it. */
export async function createTestDatabase(): Promise<TestDatabase> {
  const url = await createDatabase();
  const opened: Database[] = [];
  const another = async (): Promise<Database> => {
    const dataSource = new DataSource(connectionOptions(url, 8));
    await dataSource.initialize();
    const database = new Database(dataSource);
    opened.push(database);
    return database;
  };
  return {
    url,
    database: await another(),
    another,
    close: async () => {
      await Promise.all(opened.map((database) => database.close()));
      await dropDatabase(url);
    },
  };
}

/** Copies the migrated template and returns the copy's URL. */
export async function createDatabase(): Promise<string> {
  const server = runServer();
  const name = `test_${randomBytes(8).toString('hex')}`;
  const strategy = process.env['STRONGROOM_TEST_COPY_STRATEGY'] ?? 'WAL_LOG';
  await administer(server, `CREATE DATABASE ${name} TEMPLATE ${TEMPLATE_DATABASE} STRATEGY ${strategy}`);
  return databaseUrl(server, name);
}

/** Drops a database that {@link createDatabase} made, whoever is still connected. */
export async function dropDatabase(url: string): Promise<void> {
  await administer(runServer(), `DROP DATABASE ${new URL(url).pathname.slice(1)} WITH (FORCE)`);
}

function runServer(): string {
  const server = process.env['STRONGROOM_TEST_SERVER'];
  if (server === undefined) {
    throw new Error('The test run has no Postgres: jest must run with its global setup');
  }
  return server;
}

async function administer(server: string, sql: string): Promise<void> {
  const client = new Client({ connectionString: server });
  await client.connect();
  try {
    await client.query(sql);
  } finally {
    await client.end();
  }
}
