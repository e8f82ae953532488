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

/** Makes a fresh, migrated database on the run's Postgres. */
export async function createTestDatabase(): Promise<TestDatabase> {
  const server = process.env['STRONGROOM_TEST_SERVER'];
  if (server === undefined) {
    throw new Error('The test run has no Postgres: jest must run with its global setup');
  }
  const name = `test_${randomBytes(8).toString('hex')}`;
  await administer(server, `CREATE DATABASE ${name} TEMPLATE ${TEMPLATE_DATABASE}`);
  const url = databaseUrl(server, name);
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
      await administer(server, `DROP DATABASE ${name} WITH (FORCE)`);
    },
  };
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
