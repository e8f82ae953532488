import 'reflect-metadata';
import cluster from 'node:cluster';
import type { RequestListener, Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { INestApplication } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { configureAdminApp } from '../admin/admin.setup';
import { AppModule } from '../app.module';
import { createLogger } from '../observability/logger';
import { S3Gateway } from '../s3/s3-gateway';
import { createFrontDoor } from '../server/front-door';
import { Settings } from '../settings/settings';
import { loadSettings } from '../settings/load-settings';
import { StsGateway } from '../sts/sts-gateway';
import { isShutdownMessage, type ReadyMessage } from './process-messages';

const IDLE_SWEEP_MS = 50;

/** Runs the whole application in this process until the primary asks it to stop or goes away. */
export async function runWorker(): Promise<void> {
  const settings = loadSettings();
  const app = await NestFactory.create(AppModule.forRoot(settings), {
    bodyParser: false,
    logger: createLogger(settings),
    abortOnError: false,
  });
  configureAdminApp(app);
  await app.init();
  const server = createFrontDoor(app.get(Settings), expressListener(app), {
    objects: app.get(S3Gateway),
    tokens: app.get(StsGateway),
  });
  await listen(server, settings);
  let stopping: Promise<void> | undefined;
  const stop = (): void => {
    stopping ??= drain(server, app, settings.drainSeconds).then(() => process.exit(0));
  };
  process.on('message', (message) => {
    if (isShutdownMessage(message)) {
      stop();
    }
  });
  process.on('SIGTERM', stop);
  // The terminal sends Ctrl-C to the whole group; the primary decides what it means.
  process.on('SIGINT', () => undefined);
  const ready: ReadyMessage = { type: 'strongroom:ready', port: (server.address() as AddressInfo).port };
  process.send?.(ready);
}

function expressListener(app: INestApplication): RequestListener {
  return app.getHttpAdapter().getInstance() as RequestListener;
}

function listen(server: Server, settings: Settings): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen({ port: settings.port, ...(settings.host === '' ? {} : { host: settings.host }) }, () => {
      server.removeListener('error', reject);
      resolve();
    });
  });
}

/** Stops accepting, lets requests in flight finish, and closes everything in order. */
async function drain(server: Server, app: INestApplication, seconds: number): Promise<void> {
  const closed = new Promise<void>((resolve) => server.close(() => resolve()));
  // A connection kept alive becomes idle only when its request in flight has been answered.
  const idle = setInterval(() => server.closeIdleConnections(), IDLE_SWEEP_MS);
  const timer = setTimeout(() => server.closeAllConnections(), seconds * 1000);
  await closed;
  clearInterval(idle);
  clearTimeout(timer);
  await app.close();
  if (cluster.worker?.isConnected() === true) {
    cluster.worker.disconnect();
  }
}
