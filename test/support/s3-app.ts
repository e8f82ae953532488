import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { S3Client, type S3ClientConfig } from '@aws-sdk/client-s3';
import { Module } from '@nestjs/common';
import { Test, type TestingModule } from '@nestjs/testing';
import { RequestObserver, type FinishedRequest } from '../../src/common/request-observer';
import { Secret } from '../../src/common/secret';
import { DatabaseModule } from '../../src/database/database.module';
import { S3Gateway } from '../../src/s3/s3-gateway';
import { S3Module } from '../../src/s3/s3.module';
import { loadSettings } from '../../src/settings/load-settings';
import { Settings, type SettingsValues } from '../../src/settings/settings';
import { SettingsModule } from '../../src/settings/settings.module';
import { createTestDatabase } from './database';
import type { SigningTarget } from './raw-request';

/** The whole S3 face in this process, over HTTP, on a database and a directory of its own. */
export interface S3App {
  readonly target: SigningTarget;
  readonly module: TestingModule;
  /** Every request that has ended, oldest first. */
  readonly finished: FinishedRequest[];
  /** An AWS SDK client with the root credentials. */
  s3(config?: Partial<S3ClientConfig>): S3Client;
  close(): Promise<void>;
}

/** Starts the S3 face. @param overrides settings that differ from the defaults */
export async function startS3App(overrides: Partial<SettingsValues> = {}): Promise<S3App> {
  const database = await createTestDatabase();
  const directory = await mkdtemp(join(tmpdir(), 'strongroom-s3-'));
  const finished: FinishedRequest[] = [];
  class Collector extends RequestObserver {
    override requestFinished(request: FinishedRequest): void {
      finished.push(request);
    }
  }
  @Module({ providers: [{ provide: RequestObserver, useClass: Collector }], exports: [RequestObserver] })
  class CollectorModule {}
  const environment = { STRONGROOM_ROOT_KEY: randomBytes(32).toString('base64'), STRONGROOM_DATA_DIR: directory };
  const settings = new Settings({
    ...loadSettings(environment, directory),
    databaseUrl: new Secret(database.url),
    rootUser: 'rootuser',
    rootPassword: new Secret('root-password-for-tests'),
    ...overrides,
  });
  const module = await Test.createTestingModule({
    imports: [SettingsModule.forRoot(settings), DatabaseModule, { module: CollectorModule, global: true }, S3Module],
  }).compile();
  module.useLogger(false);
  await module.init();
  const server = await listen(module.get(S3Gateway));
  const endpoint = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const credentials = { accessKeyId: 'rootuser', secretAccessKey: 'root-password-for-tests' };
  return {
    target: { endpoint, ...credentials },
    module,
    finished,
    s3: (config = {}) =>
      new S3Client({ endpoint, region: 'us-east-1', forcePathStyle: true, credentials, maxAttempts: 1, ...config }),
    close: async () => {
      server.closeAllConnections();
      server.close();
      await module.close();
      await database.close();
      await rm(directory, { recursive: true, force: true });
    },
  };
}

async function listen(gateway: S3Gateway): Promise<Server> {
  // No idle connection is closed under a client that is slow to use it again.
  const server = createServer({ requestTimeout: 0, keepAliveTimeout: 0 });
  server.on('request', (request, response) => gateway.handle(request, response, false));
  server.on('checkContinue', (request, response) => gateway.handle(request, response, true));
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return server;
}
