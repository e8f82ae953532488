import { mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { ClientStore, LISTED } from './support/client-store';
import { describeClient, runClient, whyMissing, type Printed } from './support/client-suite';
import { expectSameContent, writeLarge } from './support/large-file';
import { SESSION } from './support/session-size';
import { changeTree, fingerprints, plantTree } from './support/tree';

describeClient('rclone', whyMissing('rclone', ['version']), () => {
  let store: ClientStore;

  beforeAll(async () => {
    store = await ClientStore.start('vault');
    await store.createBucket('rclone', true);
  });
  afterAll(() => store.stop());

  const rclone = (args: string[], env: Record<string, string> = {}): Promise<Printed> =>
    runClient('rclone', ['--retries', '1', '--transfers', '8', '--checkers', '16', ...args], {
      HOME: store.directory,
      RCLONE_CONFIG: store.path('none'),
      RCLONE_CONFIG_STORE_TYPE: 's3',
      RCLONE_CONFIG_STORE_PROVIDER: 'Other',
      RCLONE_CONFIG_STORE_ENDPOINT: store.server.endpoint,
      RCLONE_CONFIG_STORE_ACCESS_KEY_ID: store.server.accessKeyId,
      RCLONE_CONFIG_STORE_SECRET_ACCESS_KEY: store.server.secretAccessKey,
      ...env,
    });
  const transfers = ({ stderr }: Printed): number => stderr.match(/: Copied \(/g)?.length ?? 0;

  it('copies a tree, finds nothing to do, follows changes, and brings it back', async () => {
    const source = store.path('tree');
    const names = await plantTree(source);
    expect(transfers(await rclone(['copy', '-v', source, 'store:rclone/tree']))).toBe(SESSION.files);
    expect(await store.expectSealed('rclone', 'tree/')).toBe(Math.min(SESSION.files, LISTED));
    expect(transfers(await rclone(['sync', '-v', source, 'store:rclone/tree']))).toBe(0);

    const { changed, added, deleted } = await changeTree(source, names);
    const synced = await rclone(['sync', '-v', source, 'store:rclone/tree']);
    expect(transfers(synced)).toBe(changed + added);
    expect(synced.stderr.match(/: Deleted/g)).toHaveLength(deleted);
    expect((await rclone(['check', source, 'store:rclone/tree'])).stderr).toContain('0 differences found');

    await rclone(['copy', 'store:rclone/tree', store.path('back')]);
    expect(await fingerprints(store.path('back'))).toEqual(await fingerprints(source));
    expect((await rclone(['check', '--download', source, 'store:rclone/tree'])).stderr).toContain(
      `${SESSION.files + added - deleted} matching files`,
    );
  });

  it('asks for the encryption itself, and then checks MD5s of its own keeping', async () => {
    const encryption = { RCLONE_CONFIG_STORE_SERVER_SIDE_ENCRYPTION: 'aws:kms' };
    const source = store.path('small');
    await mkdir(source);
    await writeFile(store.path('small', 'one'), 'one');
    await writeFile(store.path('small', 'two'), 'two');
    await rclone(['copy', source, 'store:rclone/asked'], encryption);
    expect((await rclone(['check', source, 'store:rclone/asked'], encryption)).stderr).toContain('2 matching files');
    expect((await rclone(['md5sum', 'store:rclone/asked/one'], encryption)).stdout).toContain(
      'f97c5d29941bfb1b2fdab0874906ab82',
    );
  });

  it('carries a file of many parts, reads ranges of it, and moves it', async () => {
    const large = await writeLarge(store.path('large.bin'));
    const upload = ['copyto', '-v', '--s3-upload-cutoff', '8M', '--s3-chunk-size', '8M', large.path];
    expect(transfers(await rclone([...upload, 'store:rclone/large']))).toBe(1);
    expect(transfers(await rclone([...upload, 'store:rclone/large']))).toBe(0);
    await store.expectCiphertextOnly(large);
    await rclone([
      'copyto',
      '--multi-thread-streams',
      '4',
      '--multi-thread-cutoff',
      '8M',
      'store:rclone/large',
      store.path('large.back'),
    ]);
    await expectSameContent(store.path('large.back'), large);
    await writeFile(store.path('text'), 'The quick brown fox');
    await rclone(['copyto', store.path('text'), 'store:rclone/text']);
    const cat = async (...args: string[]): Promise<string> =>
      (await rclone(['cat', 'store:rclone/text', ...args])).stdout;
    expect(await cat('--offset', '4', '--count', '5')).toBe('quick');
    expect(await cat('--tail', '3')).toBe('fox');
    await rclone(['moveto', 'store:rclone/large', 'store:rclone/moved/large']);
    expect((await rclone(['lsf', '-R', '--files-only', 'store:rclone/moved'])).stdout).toBe('large\n');
    await rm(store.path('large.back'));
    await rclone(['copyto', 'store:rclone/moved/large', store.path('large.back')]);
    await expectSameContent(store.path('large.back'), large);
  });

  it('lists and reads old versions', async () => {
    await writeFile(store.path('versioned'), 'first');
    await rclone(['copyto', store.path('versioned'), 'store:rclone/versions/file.txt']);
    await writeFile(store.path('versioned'), 'second, longer');
    await rclone(['copyto', store.path('versioned'), 'store:rclone/versions/file.txt']);
    await rclone(['copy', '--s3-versions', 'store:rclone/versions', store.path('versions')]);
    const back = await readdir(store.path('versions'));
    expect(back.sort()).toEqual([expect.stringMatching(/^file-v\d{4}-.*\.txt$/), 'file.txt']);
    expect(await readFile(store.path('versions', back[0] ?? ''), 'utf8')).toBe('first');
    expect((await rclone(['lsf', '--s3-versions', 'store:rclone/versions'])).stdout.trim().split('\n')).toEqual(back);
  });

  it('removes everything under a prefix, and a bucket it made', async () => {
    await rclone(['purge', 'store:rclone/tree']);
    expect((await rclone(['lsf', 'store:rclone'])).stdout).not.toContain('tree');
    await rclone(['mkdir', 'store:rclone-made']);
    await rclone(['touch', 'store:rclone-made/a']);
    await rclone(['purge', 'store:rclone-made']);
    expect((await rclone(['lsd', 'store:'])).stdout).not.toContain('rclone-made');
  });
});
