import { mkdtemp, readdir, rm, statfs } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const MEMORY = '/dev/shm';
const ENOUGH_MEMORY = 2 * 1024 ** 3;
const PREFIX = 'strongroom-test-';

/** Where the Postgres of a run of tests lives. */
export interface RunDirectory {
  readonly path: string;
  /** Files there are in memory, where copying them is cheaper than writing them to the log of the database. */
  readonly inMemory: boolean;
}

/** Makes the directory: in memory where there is plenty, because the tests make and drop hundreds of databases. */
export async function createRunDirectory(): Promise<RunDirectory> {
  const inMemory = await hasMemory();
  const parent = inMemory ? MEMORY : tmpdir();
  await removeLeftOvers(parent);
  return { path: await mkdtemp(join(parent, `${PREFIX}${process.pid}-`)), inMemory };
}

async function hasMemory(): Promise<boolean> {
  try {
    const { bavail, bsize } = await statfs(MEMORY);
    return bavail * bsize >= ENOUGH_MEMORY;
  } catch {
    return false;
  }
}

/** A run that was killed removes nothing. Its Postgres ends by itself when its files are gone. */
async function removeLeftOvers(parent: string): Promise<void> {
  for (const name of await readdir(parent)) {
    const owner = new RegExp(`^${PREFIX}(\\d+)-`).exec(name)?.[1];
    if (owner !== undefined && !isRunning(Number(owner))) {
      await rm(join(parent, name), { recursive: true, force: true });
    }
  }
}

function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code !== 'ESRCH';
  }
}
