import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DataDirectoryLock } from './data-directory-lock';

describe('DataDirectoryLock', () => {
  let directory: string;
  let holder: ChildProcess | undefined;

  beforeEach(async () => {
    directory = await mkdtemp(join(tmpdir(), 'lock-'));
  });
  afterEach(async () => {
    holder?.kill('SIGKILL');
    await rm(directory, { recursive: true });
  });

  it('refuses a second holder, naming the first', async () => {
    const lock = await DataDirectoryLock.acquire(directory);
    await expect(DataDirectoryLock.acquire(directory)).rejects.toMatchObject({
      kind: 'data-directory-in-use',
      message: expect.stringContaining(String(process.pid)) as string,
    });
    await lock.release();
    await (await DataDirectoryLock.acquire(directory)).release();
  });

  it('takes over from a killed holder', async () => {
    await leaveBehind(1);
    await (await DataDirectoryLock.acquire(directory)).release();
  });

  it.each(Array.from({ length: 20 }, (_, round) => round + 1))(
    'lets exactly one of many racing processes in after a kill, in term %i',
    async (term) => {
      await leaveBehind(term);
      const outcomes = await Promise.allSettled(Array.from({ length: 8 }, () => DataDirectoryLock.acquire(directory)));
      const winners = outcomes.filter((outcome) => outcome.status === 'fulfilled');
      expect(winners).toHaveLength(1);
      for (const outcome of outcomes.filter((other) => other.status === 'rejected')) {
        expect(outcome.reason).toMatchObject({ kind: 'data-directory-in-use' });
      }
      await expect(DataDirectoryLock.acquire(directory)).rejects.toMatchObject({ kind: 'data-directory-in-use' });
      await winners[0]!.value.release();
      expect(await readdir(join(directory, 'lock'))).toHaveLength(1);
    },
  );

  /** The socket of a holder that was killed. */
  async function leaveBehind(term: number): Promise<void> {
    const folder = join(directory, 'lock', String(term));
    await mkdir(folder, { recursive: true });
    const script = `require('net').createServer().listen(${JSON.stringify(join(folder, 'socket'))}, () => console.log('held'))`;
    holder = spawn(process.execPath, ['-e', script], { stdio: ['ignore', 'pipe', 'inherit'] });
    await once(holder.stdout!, 'data');
    holder.kill('SIGKILL');
    await once(holder, 'exit');
  }
});
