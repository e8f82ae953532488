import { existsSync, readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';

const POLL_MS = 15;
const STOP_LIMIT_MS = 30_000;

/**
 * Ends a Postgres that a killed process left running on a cluster, and clears the way when it was killed itself. Only for
 * whoever holds the lock of the data directory.
 */
export async function stopLeftoverServer(cluster: string, socketDirectory: string): Promise<void> {
  const pidFile = join(cluster, 'postmaster.pid');
  if (!existsSync(pidFile)) {
    return;
  }
  const pid = Number((await readFile(pidFile, 'utf8')).split('\n', 1)[0]);
  if (isServer(pid, cluster)) {
    process.kill(pid, 'SIGINT');
  }
  const deadline = Date.now() + STOP_LIMIT_MS;
  while ((isServer(pid, cluster) || hasProcesses(cluster)) && Date.now() < deadline) {
    await delay(POLL_MS);
  }
  // Postgres takes a dead process that nobody has reaped for a running server, and would refuse to start for ever. It is
  // safe only because no process works in the directory any more.
  if (isZombie(pid) && !hasProcesses(cluster)) {
    await rm(pidFile, { force: true });
    await rm(join(socketDirectory, '.s.PGSQL.5432.lock'), { force: true });
  }
}

/** A recycled process id must not make us signal a stranger. */
function isServer(pid: number, cluster: string): boolean {
  if (!Number.isInteger(pid) || pid <= 0) {
    return false;
  }
  try {
    process.kill(pid, 0);
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes(cluster);
  } catch (error) {
    return (error as NodeJS.ErrnoException).code !== 'ESRCH' && process.platform !== 'linux';
  }
}

function isZombie(pid: number): boolean {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    return stat.slice(stat.lastIndexOf(')') + 2).startsWith('Z');
  } catch {
    return false;
  }
}

/** Whether any process still works in the directory; every backend of a server does. */
function hasProcesses(cluster: string): boolean {
  if (process.platform !== 'linux') {
    return false;
  }
  return readdirSync('/proc').some((entry) => {
    try {
      return /^\d+$/.test(entry) && readlinkSync(`/proc/${entry}/cwd`) === cluster;
    } catch {
      return false;
    }
  });
}
