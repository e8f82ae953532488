import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
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
    const script = `require('net').createServer().listen(${JSON.stringify(join(directory, 'strongroom.lock'))}, () => console.log('held'))`;
    holder = spawn(process.execPath, ['-e', script], { stdio: ['ignore', 'pipe', 'inherit'] });
    await once(holder.stdout!, 'data');
    holder.kill('SIGKILL');
    await once(holder, 'exit');
    await (await DataDirectoryLock.acquire(directory)).release();
  });

  it('lets exactly one of many racing processes in after a kill', async () => {
    const script = `require('net').createServer().listen(${JSON.stringify(join(directory, 'strongroom.lock'))}, () => console.log('held'))`;
    holder = spawn(process.execPath, ['-e', script], { stdio: ['ignore', 'pipe', 'inherit'] });
    await once(holder.stdout!, 'data');
    holder.kill('SIGKILL');
    await once(holder, 'exit');
    const outcomes = await Promise.allSettled(Array.from({ length: 8 }, () => DataDirectoryLock.acquire(directory)));
    const winners = outcomes.filter((outcome) => outcome.status === 'fulfilled');
    expect(winners).toHaveLength(1);
    await winners[0]!.value.release();
  });
});
