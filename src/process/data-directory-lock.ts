import { mkdir, mkdtemp, readdir, rename, rm } from 'node:fs/promises';
import { connect, createServer, type Server } from 'node:net';
import { join, relative } from 'node:path';
import { DomainError } from '../common/domain-error';

const FOLDER_NAME = 'lock';
const SOCKET_NAME = 'socket';
const ANSWER_LIMIT_MS = 1000;
/** What a rename answers when its target holds the socket of another process. */
const TAKEN_CODES: ReadonlySet<string | undefined> = new Set(['ENOTEMPTY', 'EEXIST']);
const NOBODY_LISTENS_CODES: ReadonlySet<string | undefined> = new Set(['ECONNREFUSED', 'ENOENT']);

/**
 * Ownership of a data directory by one primary process: a listening unix socket inside it. The kernel drops it with the
 * process, however that ends, so a leftover file is recognised by nobody answering; it also works across containers that
 * share a volume on one machine.
 *
 * Every ownership has a term, counted up, and a folder of that name that holds its socket. The folder of the latest term
 * is never removed, not even when its owner has gone: nobody can remove the socket of an owner who took over meanwhile.
 */
export class DataDirectoryLock {
  private constructor(private readonly server: Server) {}

  /**
   * Takes the lock.
   * @throws DomainError `data-directory-in-use`, naming the process that holds it
   */
  static async acquire(dataDir: string): Promise<DataDirectoryLock> {
    const folder = join(dataDir, FOLDER_NAME);
    await mkdir(folder, { recursive: true });
    for (;;) {
      const latest = await latestTerm(folder);
      const holder = await ask(socketPath(folder, String(latest)));
      if (holder !== undefined) {
        throw inUse(dataDir, holder);
      }
      const term = latest + 1;
      const server = await begin(folder, term);
      if (server === undefined) {
        continue;
      }
      // A process that was slow since it looked may have taken a term that others have left behind.
      if ((await latestTerm(folder)) === term) {
        await removeTermsBefore(folder, term);
        return new DataDirectoryLock(server);
      }
      await close(server);
    }
  }

  async release(): Promise<void> {
    await close(this.server);
  }
}

/** The latest term that was begun, 0 before the first. */
async function latestTerm(folder: string): Promise<number> {
  return Math.max(0, ...(await terms(folder)));
}

async function terms(folder: string): Promise<number[]> {
  const names = await readdir(folder);
  return names.filter((name) => /^\d+$/.test(name)).map(Number);
}

/**
 * Publishes a socket that already listens as the one of a term, in one step: a folder can be renamed over none that holds
 * a file.
 * @returns undefined when another process began that term
 */
async function begin(folder: string, term: number): Promise<Server | undefined> {
  const candidate = await mkdtemp(join(folder, 'c-'));
  const server = await listen(candidate);
  try {
    await rename(candidate, join(folder, String(term)));
    return server;
  } catch (error) {
    await close(server);
    await rm(candidate, { recursive: true, force: true });
    if (TAKEN_CODES.has((error as NodeJS.ErrnoException).code)) {
      return undefined;
    }
    throw error;
  }
}

async function removeTermsBefore(folder: string, term: number): Promise<void> {
  const ended = (await terms(folder)).filter((other) => other < term);
  await Promise.all(ended.map((other) => rm(join(folder, String(other)), { recursive: true, force: true })));
}

function inUse(dataDir: string, holder: string): DomainError {
  return new DomainError('data-directory-in-use', `The data directory ${dataDir} is in use by process ${holder}`, {
    remedy: 'Stop that process, or start this one with another STRONGROOM_DATA_DIR and STRONGROOM_ADDRESS',
  });
}

/** The shorter of the two spellings, because a socket path holds at most 107 bytes. */
function socketPath(...folders: string[]): string {
  const absolute = join(...folders, SOCKET_NAME);
  const local = relative(process.cwd(), absolute);
  return local.length < absolute.length ? `./${local}` : absolute;
}

function listen(folder: string): Promise<Server> {
  return new Promise((resolve, reject) => {
    const server = createServer((socket) => socket.end(String(process.pid)).on('error', () => undefined));
    server.once('error', reject);
    server.listen({ path: socketPath(folder), exclusive: true }, () => {
      server.unref();
      resolve(server);
    });
  });
}

function close(server: Server): Promise<void> {
  return new Promise((resolve) => server.close(() => resolve()));
}

/** What the process that listens says, undefined when nobody does; one that cannot be asked counts as listening. */
function ask(path: string): Promise<string | undefined> {
  return new Promise((resolve) => {
    const socket = connect(path);
    let answer: string | undefined = 'unknown';
    socket.setTimeout(ANSWER_LIMIT_MS, () => socket.destroy());
    socket.on('data', (chunk: Buffer) => (answer = chunk.toString()));
    socket.on('error', (error: NodeJS.ErrnoException) => {
      if (NOBODY_LISTENS_CODES.has(error.code)) {
        answer = undefined;
      }
    });
    socket.on('close', () => resolve(answer));
  });
}
