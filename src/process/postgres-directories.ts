import { randomBytes } from 'node:crypto';
import { existsSync, lstatSync, realpathSync } from 'node:fs';
import { chmod, chown, mkdir, mkdtemp, symlink, unlink } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { DomainError } from '../common/domain-error';
import { type Account, canEnter } from './unprivileged-user';

/** Where root keeps what an unprivileged Postgres could not reach inside a private checkout. */
export const SYSTEM_STATE_DIRECTORY = '/var/lib/strongroom';

/** `sun_path` holds 107 bytes; the server appends `/.s.PGSQL.5432`. */
const LONGEST_SOCKET_DIRECTORY = 90;

/** Absolute paths that the server's account can reach. */
export interface PostgresDirectories {
  readonly data: string;
  readonly socket: string;
}

/**
 * Lays out the server's directories under the data directory. Where its account may not enter that (a checkout under
 * /root, say), they lie under {@link SYSTEM_STATE_DIRECTORY} and `<dataDir>/postgres` is a link to them.
 */
export async function preparePostgresDirectories(
  dataDir: string,
  account: Account | undefined,
): Promise<PostgresDirectories> {
  const link = join(dataDir, 'postgres');
  if (account !== undefined && !existsSync(link)) {
    await placeForAccount(dataDir, link, account);
  }
  const root = existsSync(link) ? realpathSync(link) : link;
  await ensureDirectory(root, account);
  const data = join(root, 'cluster');
  const socket = join(root, 'socket');
  if (socket.length <= LONGEST_SOCKET_DIRECTORY) {
    await ensureDirectory(socket, account);
    return { data, socket };
  }
  const temporary = await mkdtemp(join(tmpdir(), 'strongroom-'));
  if (account !== undefined) {
    await chown(temporary, account.uid, account.gid);
  }
  return { data, socket: temporary };
}

async function placeForAccount(dataDir: string, link: string, account: Account): Promise<void> {
  if (canEnter(account, dirname(dataDir))) {
    await chmod(dataDir, 0o711);
    return;
  }
  if (lstatSync(link, { throwIfNoEntry: false })?.isSymbolicLink() === true) {
    await unlink(link);
  }
  const place = join(SYSTEM_STATE_DIRECTORY, randomBytes(8).toString('hex'));
  try {
    await mkdir(SYSTEM_STATE_DIRECTORY, { recursive: true, mode: 0o755 });
    await ensureDirectory(place, account);
  } catch (cause) {
    throw new DomainError(
      'postgres-directory-unreachable',
      `Postgres runs as ${account.name}, who may not enter ${dataDir}, and ${SYSTEM_STATE_DIRECTORY} cannot be made`,
      { cause, remedy: 'Set STRONGROOM_DATA_DIR to a directory that others may enter, or set DATABASE_URL' },
    );
  }
  await symlink(place, link);
}

async function ensureDirectory(directory: string, account: Account | undefined): Promise<void> {
  await mkdir(directory, { recursive: true, mode: 0o700 });
  if (account !== undefined) {
    await chown(directory, account.uid, account.gid);
  }
}
