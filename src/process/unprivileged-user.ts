import { spawnSync } from 'node:child_process';
import { readFileSync, statSync } from 'node:fs';
import { dirname } from 'node:path';

/** An account to run as. */
export interface Account {
  readonly name: string;
  readonly uid: number;
  readonly gid: number;
}

const PREFERRED = 'postgres';
const FALLBACK = 'nobody';

/**
 * The account that Postgres is to run as: undefined when we are not root and simply stay who we are. As root it is
 * `postgres`, made as a system account where the machine lacks it, or `nobody` where accounts cannot be made.
 */
export function postgresAccount(): Account | undefined {
  if (process.getuid?.() !== 0) {
    return undefined;
  }
  const existing = findAccount(PREFERRED);
  if (existing !== undefined) {
    return existing;
  }
  spawnSync('useradd', ['--system', '--user-group', '--no-create-home', '--shell', '/usr/sbin/nologin', PREFERRED]);
  const account = findAccount(PREFERRED) ?? findAccount(FALLBACK);
  if (account === undefined) {
    throw new Error('Postgres refuses to run as root and no unprivileged account exists; set DATABASE_URL instead');
  }
  return account;
}

function findAccount(name: string): Account | undefined {
  const line = readFileSync('/etc/passwd', 'utf8')
    .split('\n')
    .find((entry) => entry.startsWith(`${name}:`));
  const [, , uid, gid] = line?.split(':') ?? [];
  return uid === undefined || gid === undefined ? undefined : { name, uid: Number(uid), gid: Number(gid) };
}

/** Whether the account may enter the directory and all directories above it, judged by their mode bits. */
export function canEnter(account: Account, directory: string): boolean {
  const { mode, uid, gid } = statSync(directory);
  const bit = uid === account.uid ? 0o100 : gid === account.gid ? 0o010 : 0o001;
  const parent = dirname(directory);
  return (mode & bit) !== 0 && (parent === directory || canEnter(account, parent));
}
