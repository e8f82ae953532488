import { lstatSync, readFileSync, realpathSync } from 'node:fs';
import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Client } from 'pg';
import { EmbeddedPostgres } from './embedded-postgres';

const QUICK = ['fsync=off'];

describe('EmbeddedPostgres', () => {
  const running: EmbeddedPostgres[] = [];
  const removable: string[] = [];

  afterEach(async () => {
    await Promise.all(running.splice(0).map((server) => server.stop()));
    await Promise.all(removable.splice(0).map((path) => rm(path, { recursive: true, force: true })));
  });

  const temporary = async (): Promise<string> => {
    const directory = await mkdtemp(join(tmpdir(), 'strongroom-postgres-'));
    removable.push(directory);
    return directory;
  };
  const start = async (dataDir: string): Promise<EmbeddedPostgres> => {
    const server = await EmbeddedPostgres.start({ dataDir, parameters: QUICK });
    running.push(server);
    return server;
  };

  it('takes over from a server that a killed process left running, with its data', async () => {
    const dataDir = await temporary();
    const first = await start(dataDir);
    await run(first.url, 'CREATE TABLE kept AS SELECT 42 AS answer');
    const second = await start(dataDir);
    expect(await run(second.url, 'SELECT answer FROM kept')).toEqual([{ answer: 42 }]);
  });

  it('recovers what was committed when the server itself was killed', async () => {
    const dataDir = await temporary();
    const first = await start(dataDir);
    await run(first.url, 'CREATE TABLE kept AS SELECT 42 AS answer');
    const cluster = join(realpathSync(join(dataDir, 'postgres')), 'cluster');
    process.kill(Number(readFileSync(join(cluster, 'postmaster.pid'), 'utf8').split('\n')[0]), 'SIGKILL');
    const second = await start(dataDir);
    expect(await run(second.url, 'SELECT answer FROM kept')).toEqual([{ answer: 42 }]);
  });

  it('listens on no network address', async () => {
    const server = await start(await temporary());
    expect(await run(server.url, 'SHOW listen_addresses')).toEqual([{ listen_addresses: '' }]);
  });

  const asRoot = process.getuid?.() === 0 ? it : it.skip;

  asRoot('runs as root under a directory that only root may enter', async () => {
    const closed = await temporary();
    const dataDir = join(closed, 'checkout', 'data');
    await mkdir(dataDir, { recursive: true, mode: 0o700 });
    const server = await start(dataDir);
    const link = join(dataDir, 'postgres');
    removable.push(realpathSync(link));
    expect(lstatSync(link).isSymbolicLink()).toBe(true);
    expect(await run(server.url, 'SELECT 1 AS one')).toEqual([{ one: 1 }]);
    await server.stop();
    const again = await start(dataDir);
    expect(await run(again.url, 'SELECT 1 AS one')).toEqual([{ one: 1 }]);
  });

  it('tells the end of its log when it cannot start', async () => {
    const dataDir = await temporary();
    await expect(EmbeddedPostgres.start({ dataDir, parameters: ['shared_buffers=nonsense'] })).rejects.toMatchObject({
      kind: 'embedded-postgres-failed',
      message: expect.stringContaining('shared_buffers') as string,
    });
  });
});

async function run(url: string, sql: string): Promise<object[]> {
  const client = new Client({ connectionString: url });
  await client.connect();
  try {
    return (await client.query<object>(sql)).rows;
  } finally {
    await client.end();
  }
}
