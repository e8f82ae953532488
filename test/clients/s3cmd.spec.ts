import { randomBytes } from 'node:crypto';
import { readFile, writeFile } from 'node:fs/promises';
import { ClientStore, LISTED } from './support/client-store';
import { describeClient, runClient, whyMissing, type Printed } from './support/client-suite';
import { expectSameContent, writeLarge } from './support/large-file';
import { SESSION } from './support/session-size';
import { changeTree, fingerprints, plantTree } from './support/tree';

const BUCKET = 's3cmd';

describeClient('s3cmd', whyMissing('s3cmd', ['--version'], /s3cmd version/), () => {
  let store: ClientStore;

  beforeAll(async () => {
    store = await ClientStore.start('vault');
    await writeFile(
      store.path('s3cfg'),
      [
        '[default]',
        `host_base = ${store.host}`,
        `host_bucket = ${store.host}`,
        'use_https = False',
        `access_key = ${store.server.accessKeyId}`,
        `secret_key = ${store.server.secretAccessKey}`,
      ].join('\n'),
    );
    await s3cmd('mb', `s3://${BUCKET}`);
    await store.sealBucket(BUCKET);
  });
  afterAll(() => store.stop());

  const s3cmd = (...args: string[]): Promise<Printed> =>
    runClient('s3cmd', ['--config', store.path('s3cfg'), '--no-progress', ...args], { HOME: store.directory });

  it('synchronises a tree, transfers nothing the second time, follows changes, and brings it back', async () => {
    const source = store.path('tree');
    const names = await plantTree(source);
    const sync = async (): Promise<string> =>
      (await s3cmd('sync', '--delete-removed', `${source}/`, `s3://${BUCKET}/tree/`)).stdout;
    // Files that are alike are copied on the server, once the first has arrived.
    expect((await sync()).match(/^(upload|remote copy): /gm)).toHaveLength(SESSION.files);
    expect(await store.expectSealed(BUCKET, 'tree/')).toBe(Math.min(SESSION.files, LISTED));
    expect(await sync()).toBe('');

    const { changed, added, deleted } = await changeTree(source, names);
    const output = await sync();
    expect(output.match(/^(upload|remote copy): /gm)).toHaveLength(changed + added);
    expect(output.match(/^delete: /gm)).toHaveLength(deleted);
    const listed = (await s3cmd('ls', '-r', `s3://${BUCKET}/tree/`)).stdout.trim().split('\n');
    expect(listed).toHaveLength(SESSION.files + added - deleted);

    const { stderr } = await s3cmd('sync', `s3://${BUCKET}/tree/`, `${store.path('back')}/`);
    expect(stderr).not.toContain('MD5');
    expect(await fingerprints(store.path('back'))).toEqual(await fingerprints(source));
  });

  it('carries a file of many parts', async () => {
    const large = await writeLarge(store.path('large.bin'));
    const put = await s3cmd('put', '--multipart-chunk-size-mb=8', large.path, `s3://${BUCKET}/large.bin`);
    expect(put.stderr).not.toContain('WARNING');
    await store.expectCiphertextOnly(large);
    await s3cmd('get', `s3://${BUCKET}/large.bin`, store.path('large.back'));
    await expectSameContent(store.path('large.back'), large);
    const info = (await s3cmd('info', `s3://${BUCKET}/large.bin`)).stdout;
    expect(info).toMatch(/SSE:\s+aws:kms/);
    expect(info).toContain(`File size: ${large.size}`);
  });

  it('puts, copies, moves, signs and removes', async () => {
    const content = randomBytes(1000);
    await writeFile(store.path('small'), content);
    await s3cmd('put', store.path('small'), `s3://${BUCKET}/small/ä +%`);
    await s3cmd('cp', `s3://${BUCKET}/small/ä +%`, `s3://${BUCKET}/small/copy`);
    await s3cmd('mv', `s3://${BUCKET}/small/copy`, `s3://${BUCKET}/small/moved`);
    await s3cmd('get', `s3://${BUCKET}/small/moved`, store.path('small.back'));
    expect((await readFile(store.path('small.back'))).equals(content)).toBe(true);
    await s3cmd('put', '--server-side-encryption', store.path('small'), `s3://${BUCKET}/small/signed`);
    const url = (await s3cmd('signurl', `s3://${BUCKET}/small/signed`, '+60')).stdout.trim();
    expect(Buffer.from(await (await fetch(url)).arrayBuffer()).equals(content)).toBe(true);
    await s3cmd('del', '-r', '--force', `s3://${BUCKET}/small/`);
    expect((await s3cmd('ls', '-r', `s3://${BUCKET}/small/`)).stdout).toBe('');
  });

  it('sets policies, CORS rules and lifecycle rules, and shows them', async () => {
    const policy = {
      Version: '2012-10-17',
      Statement: [
        { Effect: 'Allow', Principal: '*', Action: 's3:GetObject', Resource: `arn:aws:s3:::${BUCKET}/open/*` },
      ],
    };
    await writeFile(store.path('policy'), JSON.stringify(policy));
    await s3cmd('setpolicy', store.path('policy'), `s3://${BUCKET}`);
    await writeFile(
      store.path('cors'),
      '<CORSConfiguration><CORSRule><AllowedOrigin>https://example.org</AllowedOrigin><AllowedMethod>GET</AllowedMethod></CORSRule></CORSConfiguration>',
    );
    await s3cmd('setcors', store.path('cors'), `s3://${BUCKET}`);
    const info = (await s3cmd('info', `s3://${BUCKET}`)).stdout;
    expect(info).toContain('arn:aws:s3:::s3cmd/open/*');
    expect(info).toContain('https://example.org');
    await s3cmd('expire', '--expiry-days=30', '--expiry-prefix=old/', `s3://${BUCKET}`);
    expect((await s3cmd('getlifecycle', `s3://${BUCKET}`)).stdout).toContain('<Days>30</Days>');
    await s3cmd('delpolicy', `s3://${BUCKET}`);
    await s3cmd('delcors', `s3://${BUCKET}`);
    await s3cmd('dellifecycle', `s3://${BUCKET}`);
    expect((await s3cmd('info', `s3://${BUCKET}`)).stdout).toMatch(/Policy:\s+none[^]*CORS:\s+none/);
  });

  it('removes everything and the bucket', async () => {
    await s3cmd('rb', '-r', '--force', `s3://${BUCKET}`);
    expect((await s3cmd('ls')).stdout).not.toContain(BUCKET);
  });
});
