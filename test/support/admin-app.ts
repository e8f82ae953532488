import { randomBytes } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Module } from '@nestjs/common';
import type { NestExpressApplication } from '@nestjs/platform-express';
import { Test } from '@nestjs/testing';
import { AdminModule } from '../../src/admin/admin.module';
import { configureAdminApp } from '../../src/admin/admin.setup';
import { RequestObserver, type FinishedRequest } from '../../src/common/request-observer';
import { Secret } from '../../src/common/secret';
import { DatabaseModule } from '../../src/database/database.module';
import { loadSettings } from '../../src/settings/load-settings';
import { Settings } from '../../src/settings/settings';
import { SettingsModule } from '../../src/settings/settings.module';
import { createTestDatabase, type TestDatabase } from './database';

export const ROOT_USER = 'rootuser';
export const ROOT_PASSWORD = 'root-password-for-tests';

/** The whole admin face in this process, on a database of its own. */
export interface AdminApp {
  readonly app: NestExpressApplication;
  readonly database: TestDatabase;
  /** Every request that has ended. */
  readonly finished: FinishedRequest[];
  close(): Promise<void>;
}

/**
 * Starts the admin face with the given environment on top of the defaults.
 * @param shared the database of another one, which also closes it
 */
export async function startAdminApp(
  environment: Readonly<Record<string, string>> = {},
  shared?: TestDatabase,
): Promise<AdminApp> {
  const database = shared ?? (await createTestDatabase());
  const finished: FinishedRequest[] = [];
  const directory = await mkdtemp(join(tmpdir(), 'strongroom-admin-'));
  class Collector extends RequestObserver {
    override requestFinished(request: FinishedRequest): void {
      finished.push(request);
    }
  }
  @Module({ providers: [{ provide: RequestObserver, useClass: Collector }] })
  class CollectorModule {}
  const settings = new Settings({
    ...loadSettings(
      { STRONGROOM_ROOT_KEY: randomBytes(32).toString('base64'), STRONGROOM_DATA_DIR: directory, ...environment },
      tmpdir(),
    ),
    databaseUrl: new Secret(database.url),
    rootUser: ROOT_USER,
    rootPassword: new Secret(ROOT_PASSWORD),
  });
  const module = await Test.createTestingModule({
    imports: [SettingsModule.forRoot(settings), DatabaseModule, AdminModule, CollectorModule],
  }).compile();
  const app = module.createNestApplication<NestExpressApplication>({ bodyParser: false, logger: ['fatal'] });
  configureAdminApp(app);
  await app.listen(0, '127.0.0.1');
  return {
    app,
    database,
    finished,
    close: async () => {
      await app.close();
      await (shared === undefined ? database.close() : Promise.resolve());
      await rm(directory, { recursive: true, force: true });
    },
  };
}
