import { rm } from 'node:fs/promises';
import { ClientStore } from './support/client-store';
import { describeClient, runClient, whyMissing } from './support/client-suite';
import { writeLarge } from './support/large-file';
import { changeTree, fingerprints, plantTree } from './support/tree';

/** The S3 backend of duplicity needs boto3 for the Python that duplicity runs in, which is the system's. */
const missing =
  whyMissing('duplicity', ['--version'], /duplicity/) ??
  (whyMissing('/usr/bin/python3', ['-c', 'import boto3; print(boto3.__version__)']) === undefined
    ? undefined
    : 'python3-boto3 is not installed');

describeClient('duplicity', missing, () => {
  let store: ClientStore;

  beforeAll(async () => {
    store = await ClientStore.start('embedded');
    await store.createBucket('duplicity');
  });
  afterAll(() => store.stop());

  const duplicity = async (...args: string[]): Promise<string> => {
    const common = [
      '--no-encryption',
      '--s3-endpoint-url',
      store.server.endpoint,
      '--archive-dir',
      store.path('archive'),
    ];
    const { stdout } = await runClient('duplicity', [...args, ...common], store.awsEnvironment);
    return stdout;
  };
  const target = 'boto3+s3://duplicity/backups';

  it('makes a full and an incremental backup, verifies and restores both', async () => {
    const source = store.path('tree');
    const names = await plantTree(source);
    const large = await writeLarge(store.path('tree', 'large.bin'));
    const first = await fingerprints(source);
    const full = await duplicity('full', '--volsize', '20', source, target);
    expect(full).toMatch(/NewFiles [1-9][^]*Errors 0/);
    // A later moment could fall into the second in which the next backup begins.
    const moment = /StartTime (\d+)/.exec(full)?.[1] ?? '';

    const { deleted } = await changeTree(source, names);
    expect(await duplicity('incremental', source, target)).toMatch(
      new RegExp(`DeletedFiles ${deleted}\\b[^]*ChangedFiles [1-9][^]*Errors 0`),
    );
    expect(await duplicity('collection-status', target)).toMatch(/Incremental/);
    expect(await duplicity('verify', '--compare-data', target, source)).toContain('0 differences found');

    await duplicity('restore', target, store.path('latest'));
    expect(await fingerprints(store.path('latest'))).toEqual(await fingerprints(source));
    await rm(store.path('latest'), { recursive: true });
    await duplicity('restore', '--time', moment, target, store.path('first'));
    expect(await fingerprints(store.path('first'))).toEqual(first);
    expect(await store.expectSealed('duplicity')).toBeGreaterThan(5);
    await store.expectCiphertextOnly(large);
  });
});
