import { rm } from 'node:fs/promises';
import { ClientStore } from './support/client-store';
import { describeClient, runClient, whyMissing } from './support/client-suite';
import { writeLarge } from './support/large-file';
import { SESSION } from './support/session-size';
import { changeTree, fingerprints, plantTree } from './support/tree';

describeClient('restic', whyMissing('restic', ['version'], /restic/), () => {
  let store: ClientStore;

  beforeAll(async () => {
    store = await ClientStore.start('vault');
    await store.createBucket('restic');
  });
  afterAll(() => store.stop());

  const restic = async (...args: string[]): Promise<string> => {
    const { stdout } = await runClient('restic', args, {
      ...store.awsEnvironment,
      RESTIC_REPOSITORY: `s3:${store.server.endpoint}/restic/backups`,
      RESTIC_PASSWORD: 'a password of the repository',
    });
    return stdout;
  };
  const backup = async (path: string): Promise<Record<string, unknown>> =>
    JSON.parse((await restic('backup', '--json', path)).trim().split('\n').at(-1) ?? '') as Record<string, unknown>;

  it('backs up twice, checks every byte, restores each state, and prunes', async () => {
    const source = store.path('tree');
    const names = await plantTree(source);
    const large = await writeLarge(store.path('tree', 'large.bin'));
    const first = await fingerprints(source);
    await restic('init');
    expect(await backup(source)).toMatchObject({ message_type: 'summary', files_new: SESSION.files + 1 });
    expect(await backup(source)).toMatchObject({ files_new: 0, files_changed: 0, files_unmodified: SESSION.files + 1 });

    const { changed, added } = await changeTree(source, names);
    expect(await backup(source)).toMatchObject({ files_new: added, files_changed: changed });
    const snapshots = JSON.parse(await restic('snapshots', '--json')) as { short_id: string }[];
    expect(snapshots).toHaveLength(3);
    expect(await restic('check', '--read-data')).toContain('no errors were found');

    await restic('restore', snapshots[0]?.short_id ?? '', '--target', store.path('first'));
    expect(await fingerprints(store.path('first', source))).toEqual(first);
    await rm(store.path('first'), { recursive: true });
    await restic('restore', 'latest', '--target', store.path('latest'));
    expect(await fingerprints(store.path('latest', source))).toEqual(await fingerprints(source));

    await restic('forget', '--keep-last', '1', '--prune');
    expect(JSON.parse(await restic('snapshots', '--json'))).toHaveLength(1);
    expect(await restic('check')).toContain('no errors were found');
    expect(await store.expectSealed('restic')).toBeGreaterThan(5);
    await store.expectCiphertextOnly(large);
  });
});
