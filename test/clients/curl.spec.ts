import { createHash, randomBytes } from 'node:crypto';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { ClientStore, LISTED } from './support/client-store';
import { describeClient, runClient, whyMissing } from './support/client-suite';
import { expectSameContent, writeLarge } from './support/large-file';
import { SESSION } from './support/session-size';
import { fingerprints, plantTree } from './support/tree';

describeClient('curl', whyMissing('curl', ['--version'], /curl/), () => {
  let store: ClientStore;

  beforeAll(async () => {
    store = await ClientStore.start('vault');
    await store.createBucket('curl');
  });
  afterAll(() => store.stop());

  /** Version 7.88 sends no x-amz-content-sha256 of its own, which AWS demands as well. */
  const UNSIGNED = ['--header', 'x-amz-content-sha256: UNSIGNED-PAYLOAD'];
  const signedBody = (body: string): string[] => [
    '--header',
    `x-amz-content-sha256: ${createHash('sha256').update(body).digest('hex')}`,
    '--data-binary',
    body,
  ];
  const signature = (): string[] => [
    '--silent',
    '--aws-sigv4',
    'aws:amz:us-east-1:s3',
    '--user',
    `${store.server.accessKeyId}:${store.server.secretAccessKey}`,
  ];
  /** Answers with the status in a last line of its own. */
  const curl = async (path: string, ...args: string[]): Promise<{ status: number; body: string }> => {
    const hashed = args.some((argument) => argument.startsWith('x-amz-content-sha256')) ? [] : UNSIGNED;
    const signed = [...hashed, ...signature(), '--write-out', '\n%{http_code}'];
    const url = `${store.server.endpoint}/${path}`;
    const { stdout } = await runClient('curl', [...signed, ...args, url], { HOME: store.directory });
    const end = stdout.lastIndexOf('\n');
    return { status: Number(stdout.slice(end + 1)), body: stdout.slice(0, end) };
  };

  it('puts a body it has signed, and one that it has not', async () => {
    expect((await curl('curl/signed', '--request', 'PUT', ...signedBody('a signed body'))).status).toBe(200);
    expect((await curl('curl/signed')).body).toBe('a signed body');
    const content = randomBytes(100_000);
    await writeFile(store.path('body'), content);
    expect((await curl('curl/unsigned', '--upload-file', store.path('body'))).status).toBe(200);
    expect((await curl('curl/unsigned', '--output', store.path('back'))).status).toBe(200);
    expect((await readFile(store.path('back'))).equals(content)).toBe(true);
    expect((await curl('curl/unsigned', '--head')).body).toMatch(/x-amz-server-side-encryption: aws:kms/i);
    expect(await store.expectSealed('curl')).toBe(2);
  });

  /**
   * Does the same to each of many keys, over the connections of one process, with an option that takes the key's file.
   * @returns status and bytes received, one a key, in no certain order
   */
  const curlEach = async (
    names: readonly string[],
    option: string,
    root: string,
    ...args: string[]
  ): Promise<string[]> => {
    const quoted = (text: string): string => `"${text.replace(/["\\]/g, '\\$&')}"`;
    const lines = names.flatMap((name) => [
      `url = ${quoted(`${store.server.endpoint}/curl/tree/${inPath(name)}`)}`,
      `${option} = ${quoted(join(root, name))}`,
    ]);
    await writeFile(store.path('keys'), lines.join('\n'));
    const each = [
      '--parallel',
      '--parallel-max',
      '8',
      '--globoff',
      '--path-as-is',
      '--create-dirs',
      '--config',
      store.path('keys'),
    ];
    const told = ['--write-out', '%{http_code} %{size_download}\n'];
    const { stdout } = await runClient('curl', [...UNSIGNED, ...signature(), ...each, ...told, ...args], {
      HOME: store.directory,
    });
    return stdout.trim().split('\n');
  };

  it('carries a tree, transfers nothing that has not changed, brings it back, and deletes it', async () => {
    const source = store.path('tree');
    const names = await plantTree(source);
    const all = <T>(value: T): T[] => names.map(() => value);
    expect(await curlEach(names, 'upload-file', source)).toEqual(all('200 0'));
    expect(await store.expectSealed('curl', 'tree/')).toBe(Math.min(SESSION.files, LISTED));
    const back = store.path('tree.back');
    const received = await curlEach(names, 'output', back);
    expect(received.every((line) => line.startsWith('200 '))).toBe(true);
    const prints = await fingerprints(source);
    expect(await fingerprints(back)).toEqual(prints);

    const unchanged = ['--header', `if-modified-since: ${new Date().toUTCString()}`];
    expect(await curlEach(names, 'output', back, ...unchanged)).toEqual(all('304 0'));
    expect(await fingerprints(back)).toEqual(prints);
    expect(await curlEach(names, 'output', back, '--request', 'DELETE')).toEqual(all('204 0'));
    expect(await curlEach(names, 'output', back, '--head')).toEqual(all('404 0'));
  });

  it('streams a large file, waits for 100 Continue, and resumes a download', async () => {
    const large = await writeLarge(store.path('large'));
    const sent = await curl('curl/large', '--header', 'expect: 100-continue', '--upload-file', large.path);
    expect(sent.status).toBe(200);
    await store.expectCiphertextOnly(large);
    const back = store.path('large.back');
    expect((await curl('curl/large', '--range', '0-9999999', '--output', back)).status).toBe(206);
    expect((await curl('curl/large', '--continue-at', '-', '--output', back)).status).toBe(206);
    await expectSameContent(back, large);
  });

  it('notices a body that was changed on the way', async () => {
    const signed = signedBody('what was signed');
    const answer = await curl('curl/changed', '--request', 'PUT', ...signed.slice(0, 3), 'what was sent!!');
    expect(answer.status).toBe(400);
    expect(answer.body).toContain('<Code>XAmzContentSHA256Mismatch</Code>');
    expect((await curl('curl/changed')).status).toBe(404);
  });

  it('takes keys literally, lists them and deletes them', async () => {
    const paths = ['odd/a//b', 'odd/%C3%BC%20%2B%25', 'odd/.hidden', 'odd/%F0%9F%97%9D'];
    for (const path of paths) {
      expect((await curl(`curl/${path}`, '--request', 'PUT', ...signedBody(path))).status).toBe(200);
    }
    for (const path of paths) {
      expect((await curl(`curl/${path}`)).body).toBe(path);
    }
    const listed = await curl('curl?list-type=2&prefix=odd%2F');
    const keys = [...listed.body.matchAll(/<Key>([^<]*)<\/Key>/g)].map(([, key]) => key);
    expect(keys).toEqual(['odd/.hidden', 'odd/a//b', 'odd/ü +%', 'odd/🗝']);
    for (const path of paths) {
      expect((await curl(`curl/${path}`, '--request', 'DELETE')).status).toBe(204);
    }
    expect((await curl('curl?list-type=2&prefix=odd%2F')).body).toContain('<KeyCount>0</KeyCount>');
  });

  it('is refused with a wrong secret, and told so in XML', async () => {
    const { stdout } = await runClient(
      'curl',
      [
        '--silent',
        ...UNSIGNED,
        '--aws-sigv4',
        'aws:amz:us-east-1:s3',
        '--user',
        'rootuser:wrong-secret',
        `${store.server.endpoint}/curl`,
      ],
      { HOME: store.directory },
    );
    expect(stdout).toContain('<Code>SignatureDoesNotMatch</Code>');
  });
});

/** A name as the path of a URL, with everything escaped that a signature wants escaped. */
function inPath(name: string): string {
  return name
    .split('/')
    .map((segment) =>
      encodeURIComponent(segment).replace(/[!'()*]/g, (sign) => `%${sign.charCodeAt(0).toString(16).toUpperCase()}`),
    )
    .join('/');
}
