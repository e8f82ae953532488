import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { S3Client, type S3ClientConfig } from '@aws-sdk/client-s3';
import { createDatabase, dropDatabase } from './database';

const MAIN = resolve(__dirname, '..', '..', 'dist', 'src', 'main.js');
const READY = /S3 endpoint\s+(\S+)/;

export interface ServerOptions {
  readonly workers?: number;
  readonly env?: Readonly<Record<string, string>>;
  /** Use this data directory instead of a fresh one; it is then left in place. */
  readonly dataDir?: string;
  /** Reuse a database, to start again on what an earlier server left. */
  readonly databaseUrl?: string;
  /** `embedded` leaves DATABASE_URL unset. */
  readonly database?: 'shared' | 'embedded';
}

/** A started store: the built program in processes of its own, on a fresh database of the run's Postgres. */
export class TestServer {
  private constructor(
    readonly process: ChildProcess,
    readonly endpoint: string,
    readonly dataDir: string,
    readonly databaseUrl: string | undefined,
    readonly accessKeyId: string,
    readonly secretAccessKey: string,
    private readonly log: { text: string },
    private readonly cleanUp: () => Promise<void>,
  ) {}

  static async start(options: ServerOptions = {}): Promise<TestServer> {
    const dataDir = options.dataDir ?? (await mkdtemp(join(tmpdir(), 'strongroom-server-')));
    const created = options.database !== 'embedded' && options.databaseUrl === undefined;
    const database = options.database === 'embedded' ? undefined : (options.databaseUrl ?? (await createDatabase()));
    const accessKeyId = 'rootuser';
    const secretAccessKey = 'root-password-for-tests';
    const child = spawn(process.execPath, [MAIN], {
      cwd: dataDir,
      env: {
        PATH: process.env['PATH'],
        HOME: process.env['HOME'],
        NODE_ENV: 'test',
        STRONGROOM_ADDRESS: '127.0.0.1:0',
        STRONGROOM_DATA_DIR: dataDir,
        STRONGROOM_ROOT_USER: accessKeyId,
        STRONGROOM_ROOT_PASSWORD: secretAccessKey,
        STRONGROOM_WORKERS: String(options.workers ?? 1),
        STRONGROOM_LOG_FORMAT: 'json',
        ...(database === undefined ? {} : { DATABASE_URL: database }),
        ...options.env,
      },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    const log = { text: '' };
    const endpoint = await waitForEndpoint(child, log);
    return new TestServer(child, endpoint, dataDir, database, accessKeyId, secretAccessKey, log, async () => {
      if (created && database !== undefined) {
        await dropDatabase(database);
      }
      if (options.dataDir === undefined) {
        await rm(dataDir, { recursive: true, force: true });
      }
    });
  }

  /** Everything the processes have printed so far. */
  get output(): string {
    return this.log.text;
  }

  /** An AWS SDK client with the root credentials. */
  s3(config: Partial<S3ClientConfig> = {}): S3Client {
    return new S3Client({
      endpoint: this.endpoint,
      region: 'us-east-1',
      forcePathStyle: true,
      credentials: { accessKeyId: this.accessKeyId, secretAccessKey: this.secretAccessKey },
      maxAttempts: 1,
      ...config,
    });
  }

  /** Calls the admin API with the root credentials by HTTP Basic. */
  async admin<T = unknown>(method: string, path: string, body?: unknown): Promise<{ status: number; body: T }> {
    const response = await fetch(`${this.endpoint}${path}`, {
      method,
      headers: {
        authorization: `Basic ${Buffer.from(`${this.accessKeyId}:${this.secretAccessKey}`).toString('base64')}`,
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
      },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    const text = await response.text();
    return { status: response.status, body: (text === '' ? undefined : JSON.parse(text)) as T };
  }

  /** Stops gracefully, keeping the data for another start. */
  async terminate(): Promise<number | null> {
    if (this.process.exitCode === null && this.process.signalCode === null) {
      this.process.kill('SIGTERM');
      await once(this.process, 'exit');
    }
    return this.process.exitCode;
  }

  /** Kills the primary at once, as a power cut would. */
  async kill(): Promise<void> {
    this.process.kill('SIGKILL');
    await once(this.process, 'exit');
  }

  /** Stops and removes database and files. */
  async stop(): Promise<void> {
    await this.terminate();
    await this.cleanUp();
  }
}

function waitForEndpoint(child: ChildProcess, log: { text: string }): Promise<string> {
  return new Promise((resolveEndpoint, reject) => {
    const read = (chunk: Buffer): void => {
      log.text += chunk.toString();
      const match = READY.exec(log.text);
      if (match?.[1] !== undefined) {
        resolveEndpoint(match[1]);
      }
    };
    child.stdout?.on('data', read);
    child.stderr?.on('data', read);
    child.once('exit', (code) => reject(new Error(`The server ended with ${code} before it was ready:\n${log.text}`)));
  });
}
