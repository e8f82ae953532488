import { join } from 'node:path';
import type { DataSourceOptions } from 'typeorm';

const POOL_SIZE = 16;
const STATEMENT_TIMEOUT_MS = 60_000;
/** Milliseconds after which a statement has no answer because its server is gone: a server that is there ends it earlier. */
export const ANSWER_TIMEOUT_MS = STATEMENT_TIMEOUT_MS + 5_000;
const CONNECT_TIMEOUT_MS = 10_000;

/**
 * The options of every connection: runtime, migrations command and tests alike.
 *
 * @param url a `postgres://` URL; a unix socket directory is given as `postgres://user@/database?host=/directory`
 */
export function connectionOptions(url: string, poolSize = POOL_SIZE): DataSourceOptions {
  return {
    type: 'postgres',
    ...connectionParameters(url),
    synchronize: false,
    logging: false,
    entities: [join(__dirname, '..', '**', '*.entity.{js,ts}')],
    migrations: [join(__dirname, '..', '..', 'migrations', '*.{js,ts}')],
    migrationsTableName: 'schema_migration',
    migrationsTransactionMode: 'each',
    poolSize,
    extra: {
      statement_timeout: STATEMENT_TIMEOUT_MS,
      connectionTimeoutMillis: CONNECT_TIMEOUT_MS,
      idleTimeoutMillis: 30_000,
      keepAlive: true,
    },
  };
}

function connectionParameters(url: string): Record<string, unknown> {
  const parsed = new URL(url);
  const socketDirectory = parsed.searchParams.get('host');
  if (socketDirectory === null) {
    return { url };
  }
  return {
    host: socketDirectory,
    port: Number(parsed.searchParams.get('port') ?? 5432),
    username: decodeURIComponent(parsed.username),
    database: decodeURIComponent(parsed.pathname.slice(1)),
    ...(parsed.password === '' ? {} : { password: decodeURIComponent(parsed.password) }),
  };
}
