import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { open, readFile, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { Client } from 'pg';
import { DomainError } from '../common/domain-error';
import { stopLeftoverServer } from './leftover-server';
import {
  copyInstallation,
  findInstallation,
  type PostgresInstallation,
  restoreLibraryLinks,
} from './postgres-binaries';
import { preparePostgresDirectories, SYSTEM_STATE_DIRECTORY } from './postgres-directories';
import { type Account, canEnter, postgresAccount } from './unprivileged-user';

const USER = 'strongroom';
const DATABASE = 'strongroom';
const POLL_MS = 15;
const STOP_LIMIT_MS = 30_000;
const LOG_TAIL_LINES = 15;

/** How to run the embedded server. */
export interface EmbeddedPostgresOptions {
  /** The store's data directory; the server lives in `postgres` below it. */
  readonly dataDir: string;
  /** Further server settings, `name=value`. */
  readonly parameters?: readonly string[];
}

/**
 * A real Postgres of the platform's own binaries, reached over a unix socket in a directory that only its account and root
 * may enter. It runs in a process group of its own, so that Ctrl-C reaches it through us, after the workers have drained.
 */
export class EmbeddedPostgres {
  private constructor(
    private readonly child: ChildProcess,
    /** `postgres://` URL of the store's database. */
    readonly url: string,
  ) {}

  /**
   * Initialises the cluster at first, ends a server that an earlier, killed process left behind, and starts.
   * @throws DomainError `embedded-postgres-failed` with the last lines of the server's log
   */
  static async start(options: EmbeddedPostgresOptions): Promise<EmbeddedPostgres> {
    const account = postgresAccount();
    const directories = await preparePostgresDirectories(options.dataDir, account);
    const installation = await reachableInstallation(account);
    await initialise(installation, directories.data, account);
    await stopLeftoverServer(directories.data, directories.socket);

    const logFile = join(options.dataDir, 'postgres.log');
    const log = await open(logFile, 'a', 0o600);
    const child = spawn(
      join(installation.directory, 'bin', 'postgres'),
      serverArguments(directories, options.parameters),
      {
        cwd: directories.data,
        detached: true,
        stdio: ['ignore', log.fd, log.fd],
        env: childEnvironment(),
        ...identity(account),
      },
    );
    child.once('error', () => undefined);
    await log.close();
    try {
      await ready(child, directories.socket);
    } catch (cause) {
      child.kill('SIGQUIT');
      throw new DomainError(
        'embedded-postgres-failed',
        `The embedded Postgres did not start:\n${await tail(logFile)}`,
        {
          cause,
          remedy: `See ${logFile}, or set DATABASE_URL to a server of your own`,
        },
      );
    }
    return new EmbeddedPostgres(child, serverUrl(directories.socket, DATABASE));
  }

  /** Called when the server ends without having been asked to. */
  onUnexpectedExit(listener: (description: string) => void): void {
    this.child.once('exit', (code, signal) => {
      if (!this.stopping) {
        listener(signal ?? `exit code ${code}`);
      }
    });
  }

  private stopping = false;

  /** Ends all sessions, writes a checkpoint and stops. */
  async stop(): Promise<void> {
    this.stopping = true;
    if (this.child.exitCode !== null || this.child.signalCode !== null) {
      return;
    }
    const ended = once(this.child, 'exit');
    this.child.kill('SIGINT');
    const timer = setTimeout(() => this.child.kill('SIGQUIT'), STOP_LIMIT_MS);
    await ended;
    clearTimeout(timer);
  }
}

async function reachableInstallation(account: Account | undefined): Promise<PostgresInstallation> {
  const installation = findInstallation();
  restoreLibraryLinks(installation);
  if (account === undefined || canEnter(account, join(installation.directory, 'bin'))) {
    return installation;
  }
  return copyInstallation(installation, SYSTEM_STATE_DIRECTORY);
}

async function initialise(
  installation: PostgresInstallation,
  directory: string,
  account: Account | undefined,
): Promise<void> {
  if (existsSync(join(directory, 'PG_VERSION'))) {
    return;
  }
  const staging = `${directory}.initialising`;
  await rm(staging, { recursive: true, force: true });
  const child = spawn(
    join(installation.directory, 'bin', 'initdb'),
    [
      '-D',
      staging,
      '-U',
      USER,
      '--auth-local=trust',
      '--auth-host=reject',
      '-E',
      'UTF8',
      '--locale=C',
      '--no-instructions',
    ],
    { stdio: ['ignore', 'pipe', 'pipe'], cwd: '/', env: childEnvironment(), ...identity(account) },
  );
  let output = '';
  child.stdout.on('data', (chunk: Buffer) => (output += chunk.toString()));
  child.stderr.on('data', (chunk: Buffer) => (output += chunk.toString()));
  const [code] = (await once(child, 'close')) as [number | null];
  if (code !== 0) {
    throw new DomainError(
      'embedded-postgres-failed',
      `The embedded Postgres could not be initialised:\n${output.trim()}`,
    );
  }
  await rename(staging, directory);
}

function serverArguments(directories: { data: string; socket: string }, extra: readonly string[] = []): string[] {
  const parameters = [
    'listen_addresses=',
    `unix_socket_directories=${directories.socket}`,
    'unix_socket_permissions=0700',
    'max_connections=200',
    // A deletion of many objects locks each of their keys, up to a thousand.
    'max_locks_per_transaction=256',
    'shared_buffers=128MB',
    'max_wal_size=2GB',
    'jit=off',
    'timezone=UTC',
    'log_timezone=UTC',
    'log_checkpoints=off',
    'log_min_messages=warning',
    ...extra,
  ];
  return ['-D', directories.data, ...parameters.flatMap((parameter) => ['-c', parameter])];
}

async function ready(child: ChildProcess, socket: string): Promise<void> {
  for (;;) {
    if (child.pid === undefined || child.exitCode !== null || child.signalCode !== null) {
      throw new Error('the server ended while starting');
    }
    const client = new Client({ host: socket, user: USER, database: 'postgres' });
    try {
      await client.connect();
      const found = await client.query('SELECT 1 FROM pg_database WHERE datname = $1', [DATABASE]);
      if (found.rowCount === 0) {
        await client.query(`CREATE DATABASE ${DATABASE}`);
      }
      return;
    } catch {
      await delay(POLL_MS);
    } finally {
      await client.end().catch(() => undefined);
    }
  }
}

/** URL of a database on the server behind a socket directory, in the form that connectionOptions understands. */
export function serverUrl(socketDirectory: string, database: string): string {
  return `postgres://${USER}@localhost/${database}?host=${encodeURIComponent(socketDirectory)}`;
}

function identity(account: Account | undefined): { uid?: number; gid?: number } {
  return account === undefined ? {} : { uid: account.uid, gid: account.gid };
}

function childEnvironment(): NodeJS.ProcessEnv {
  return { LC_ALL: 'C', TZ: 'UTC', PATH: '/usr/bin:/bin' };
}

async function tail(file: string): Promise<string> {
  const text = await readFile(file, 'utf8').catch(() => '');
  return text.trimEnd().split('\n').slice(-LOG_TAIL_LINES).join('\n');
}
