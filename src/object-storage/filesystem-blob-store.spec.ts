import { mkdir, mkdtemp, readdir, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describeBlobStore } from '../../test/contract/blob-store.contract';
import { FilesystemBlobStore } from './filesystem-blob-store';

const directories: string[] = [];

async function directory(): Promise<string> {
  const made = await mkdtemp(join(tmpdir(), 'strongroom-blobs-'));
  directories.push(made);
  return made;
}

afterAll(async () => {
  await Promise.all(directories.map((path) => rm(path, { recursive: true, force: true })));
});

describeBlobStore('FilesystemBlobStore', async () => new FilesystemBlobStore(await directory()));

describe('FilesystemBlobStore', () => {
  it('keeps everything from other users', async () => {
    const root = await directory();
    const writer = await new FilesystemBlobStore(root).create();
    await writer.write([Buffer.from('content')]);
    const { id } = await writer.commit();
    const path = join(root, 'objects', id.slice(0, 2), id.slice(2, 4));
    expect((await stat(join(path, id))).mode & 0o777).toBe(0o600);
    for (const each of [path, join(path, '..'), join(root, 'staging'), join(root, 'objects')]) {
      expect((await stat(each)).mode & 0o777).toBe(0o700);
    }
  });

  it('removes what a dead process staged, at once, and leaves that of a living one', async () => {
    const root = await directory();
    const store = new FilesystemBlobStore(root);
    const writer = await store.create();
    const staging = join(root, 'staging');
    const [own] = (await readdir(staging)) as [string];
    const [host, , id] = own.split('-') as [string, string, string];
    const dead = `${host}-4194305-${id}`;
    const elsewhere = `${host === '00000000' ? '11111111' : '00000000'}-4194305-${id}`;
    await writeFile(join(staging, dead), 'half');
    await writeFile(join(staging, elsewhere), 'half');
    expect(await store.removeAbandoned(60_000)).toBe(1);
    expect((await readdir(staging)).sort()).toEqual([own, elsewhere].sort());
    await writer.abort();
  });

  it('leaves nothing staged when a commit fails', async () => {
    const root = await directory();
    const store = new FilesystemBlobStore(root);
    const writer = await store.create();
    await writer.write([Buffer.from('content')]);
    const [staged] = (await readdir(join(root, 'staging'))) as [string];
    const id = staged.split('-')[2] as string;
    // A directory in the way of the final name makes the rename fail.
    await mkdir(join(root, 'objects', id.slice(0, 2), id.slice(2, 4), id));
    await expect(writer.commit()).rejects.toThrow();
    expect(await readdir(join(root, 'staging'))).toEqual([]);
  });
});
