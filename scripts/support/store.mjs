/** Starts the built store in processes of its own, for the demonstration and the benchmark. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { openSync, closeSync, readFileSync } from 'node:fs';
import { chmod, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { setTimeout as delay } from 'node:timers/promises';

const MAIN = fileURLToPath(new URL('../../dist/src/main.js', import.meta.url));
const READY = /S3 endpoint\s+(https?:\/\/\S+)/;
const START_TIMEOUT_MS = 60_000;

export const ACCESS_KEY = 'strongroom';
export const SECRET_KEY = 'a-secret-for-local-use-only';

/**
 * @param {{env?: Record<string, string>, parentDir?: string}} options
 * @returns {Promise<{endpoint: string, host: string, port: number, pid: number, dataDir: string, output: () => string, stop: () => Promise<void>}>}
 */
export async function startStore({ env = {}, parentDir = tmpdir() } = {}) {
  const dataDir = await mkdtemp(join(parentDir, 'strongroom-'));
  // As root, the embedded Postgres runs as another user, who has to get through.
  await chmod(dataDir, 0o711);
  const logFile = join(dataDir, 'store.log');
  // Straight to a file: reading a pipe would cost the measuring process time.
  const log = openSync(logFile, 'w');
  const child = spawn(process.execPath, ['--enable-source-maps', MAIN], {
    cwd: dataDir,
    env: {
      PATH: process.env.PATH,
      HOME: process.env.HOME,
      STRONGROOM_ADDRESS: '127.0.0.1:0',
      STRONGROOM_DATA_DIR: join(dataDir, 'data'),
      STRONGROOM_ROOT_USER: ACCESS_KEY,
      STRONGROOM_ROOT_PASSWORD: SECRET_KEY,
      STRONGROOM_LOG_FORMAT: 'json',
      ...env,
    },
    stdio: ['ignore', log, log],
  });
  closeSync(log);
  const output = () => readFileSync(logFile, 'utf8');
  const exited = once(child, 'exit');

  const stop = async () => {
    if (child.exitCode === null && child.signalCode === null) {
      child.kill('SIGTERM');
      await exited;
    }
    await rm(dataDir, { recursive: true, force: true });
  };

  try {
    const endpoint = await waitUntilReady(child, output);
    const url = new URL(endpoint);
    return {
      endpoint,
      host: url.hostname,
      port: Number(url.port),
      pid: child.pid,
      dataDir: join(dataDir, 'data'),
      output,
      stop,
    };
  } catch (error) {
    await stop();
    throw error;
  }
}

async function waitUntilReady(child, output) {
  const deadline = Date.now() + START_TIMEOUT_MS;
  while (Date.now() < deadline) {
    const match = READY.exec(output());
    if (match) return match[1];
    if (child.exitCode !== null)
      throw new Error(`The store ended with ${child.exitCode} before it was ready:\n${output()}`);
    await delay(20);
  }
  throw new Error(`The store was not ready within ${START_TIMEOUT_MS / 1000} s:\n${output()}`);
}
