import { rename, rm } from 'node:fs/promises';
import { connect, createServer, type Server } from 'node:net';
import { join, relative } from 'node:path';
import { DomainError } from '../common/domain-error';

const SOCKET_NAME = 'strongroom.lock';
const ANSWER_LIMIT_MS = 1000;

/**
 * Ownership of a data directory by one primary process: a listening unix socket inside it. The kernel drops it with the
 * process, however that ends, so a leftover file is recognised by nobody answering; it also works across containers that
 * share a volume on one machine.
 */
export class DataDirectoryLock {
  private constructor(private readonly server: Server) {}

  /**
   * Takes the lock.
   * @throws DomainError `data-directory-in-use`, naming the process that holds it
   */
  static async acquire(dataDir: string): Promise<DataDirectoryLock> {
    const path = socketPath(dataDir, SOCKET_NAME);
    for (;;) {
      const server = await listen(path);
      if (server !== undefined) {
        return new DataDirectoryLock(server);
      }
      const holder = await ask(path);
      if (holder !== undefined) {
        throw inUse(dataDir, holder);
      }
      await removeStale(dataDir, path);
    }
  }

  async release(): Promise<void> {
    await new Promise<void>((resolve) => this.server.close(() => resolve()));
  }
}

/**
 * Moves the socket aside before removing it and asks once more: connections follow the file, so an owner that took the
 * lock in between still answers and gets its socket back.
 */
async function removeStale(dataDir: string, path: string): Promise<void> {
  const aside = socketPath(dataDir, `${SOCKET_NAME}.${process.pid}`);
  try {
    await rename(path, aside);
  } catch {
    return;
  }
  const holder = await ask(aside);
  if (holder !== undefined) {
    await rename(aside, path);
    throw inUse(dataDir, holder);
  }
  await rm(aside, { force: true });
}

function inUse(dataDir: string, holder: string): DomainError {
  return new DomainError('data-directory-in-use', `The data directory ${dataDir} is in use by process ${holder}`, {
    remedy: 'Stop that process, or start this one with another STRONGROOM_DATA_DIR and STRONGROOM_ADDRESS',
  });
}

/** The shorter of the two spellings, because a socket path holds at most 107 bytes. */
function socketPath(dataDir: string, name: string): string {
  const absolute = join(dataDir, name);
  const local = relative(process.cwd(), absolute);
  return local.length < absolute.length ? `./${local}` : absolute;
}

function listen(path: string): Promise<Server | undefined> {
  return new Promise((resolve, reject) => {
    const server = createServer((socket) => socket.end(String(process.pid)).on('error', () => undefined));
    server.once('error', (error: NodeJS.ErrnoException) => {
      if (error.code === 'EADDRINUSE') {
        resolve(undefined);
      } else {
        reject(error);
      }
    });
    server.listen({ path, exclusive: true }, () => {
      server.unref();
      resolve(server);
    });
  });
}

function ask(path: string): Promise<string | undefined> {
  return new Promise((resolve) => {
    const socket = connect(path);
    let answer = '';
    socket.setTimeout(ANSWER_LIMIT_MS, () => socket.destroy(new Error('no answer')));
    socket.on('connect', () => (answer = 'unknown'));
    socket.on('data', (chunk: Buffer) => (answer = chunk.toString()));
    socket.on('error', () => undefined);
    socket.on('close', () => resolve(answer === '' ? undefined : answer));
  });
}
