import { mkdir } from 'node:fs/promises';
import { DataSource } from 'typeorm';
import type { LoggerService } from '@nestjs/common';
import { Secret } from '../common/secret';
import { connectionOptions } from '../database/connection-options';
import { Database } from '../database/database';
import { runMigrations } from '../database/migrations';
import { requireSupportedServer } from '../database/server-version';
import { ensureRootCredentials } from '../identity/root-credentials';
import { serveClusterMetrics } from '../observability/cluster-metrics';
import { createLogger } from '../observability/logger';
import { loadSettings } from '../settings/load-settings';
import { loadRootKey } from '../settings/root-key';
import type { Settings } from '../settings/settings';
import { banner } from './banner';
import { DataDirectoryLock } from './data-directory-lock';
import { EmbeddedPostgres } from './embedded-postgres';
import { WorkerPool } from './worker-pool';

/** Prepares what all workers share (lock, database, schema, root credentials), then starts them and keeps them running. */
export async function runPrimary(cluster: typeof import('node:cluster').default): Promise<void> {
  const started = Date.now();
  const settings = loadSettings();
  const logger = createLogger(settings);
  settings.warnings.forEach((warning) => logger.warn(warning));
  await mkdir(settings.dataDir, { recursive: true, mode: 0o700 });
  const lock = await DataDirectoryLock.acquire(settings.dataDir);
  const rootKey = loadRootKey(settings);
  const postgres = settings.databaseUrl === undefined ? await EmbeddedPostgres.start(settings) : undefined;
  const stopDatabase = async (): Promise<void> => {
    await postgres?.stop();
    await lock.release();
  };
  try {
    const databaseUrl = settings.databaseUrl ?? new Secret(postgres?.url ?? '');
    const credentials = await prepareDatabase(databaseUrl.reveal(), settings, rootKey, logger);
    const pool = new WorkerPool(cluster, settings.workers, { DATABASE_URL: databaseUrl.reveal() }, logger);
    serveClusterMetrics(cluster);
    stopOnSignal(pool, settings.drainSeconds, stopDatabase, logger);
    postgres?.onUnexpectedExit((description) => {
      logger.error(
        `The embedded Postgres ended unexpectedly (${description}); stopping. See ${settings.dataDir}/postgres.log`,
      );
      void pool.stop(settings.drainSeconds).then(async () => {
        await lock.release();
        process.exit(1);
      });
    });
    const port = await pool.start();
    process.stdout.write(banner({ ...settings, port }, credentials, Date.now() - started));
  } catch (error) {
    await stopDatabase();
    throw error;
  }
}

async function prepareDatabase(
  url: string,
  settings: Settings,
  rootKey: Buffer,
  logger: LoggerService,
): Promise<Awaited<ReturnType<typeof ensureRootCredentials>>> {
  const dataSource = new DataSource(connectionOptions(url, 2));
  await dataSource.initialize();
  const database = new Database(dataSource);
  try {
    await requireSupportedServer(database);
    const applied = await runMigrations(url);
    if (applied.length > 0) {
      logger.log(`The schema was brought up to date (${applied.length} migrations)`);
    }
    return await ensureRootCredentials(database, rootKey, settings);
  } finally {
    await database.close();
  }
}

function stopOnSignal(
  pool: WorkerPool,
  drainSeconds: number,
  stopDatabase: () => Promise<void>,
  logger: LoggerService,
): void {
  let stopping = false;
  const stop = (signal: NodeJS.Signals): void => {
    if (stopping) {
      logger.warn('Asked to stop again: requests in flight are cut');
      void pool.stop(0);
      return;
    }
    stopping = true;
    logger.log(`${signal} received; finishing requests in flight`);
    void pool.stop(drainSeconds).then(async () => {
      await stopDatabase();
      process.exit(0);
    });
  };
  process.on('SIGTERM', stop);
  process.on('SIGINT', stop);
}
