import { createHmac } from 'node:crypto';
import {
  CreateBucketCommand,
  GetObjectCommand,
  GetObjectTaggingCommand,
  PutBucketCorsCommand,
} from '@aws-sdk/client-s3';
import { TestServer } from '../support/server';

const BUCKET = 'browser';
const ORIGIN = 'https://app.example.org';

describe('what browsers send', () => {
  let server: TestServer;

  beforeAll(async () => {
    server = await TestServer.start();
    await server.s3().send(new CreateBucketCommand({ Bucket: BUCKET }));
    const rule = { AllowedOrigins: [ORIGIN], AllowedMethods: ['POST', 'GET'], AllowedHeaders: ['x-*'] };
    const CORSConfiguration = { CORSRules: [rule] };
    await server.s3().send(new PutBucketCorsCommand({ Bucket: BUCKET, CORSConfiguration }));
  });
  afterAll(() => server.stop());

  /** A form signed with Signature Version 4, as a web application makes it for its users. */
  function form(fields: Record<string, string>, file: string, conditions: readonly unknown[] = []): FormData {
    const date = new Date().toISOString().replace(/[-:]|\.\d{3}/g, '');
    const scope = `${date.slice(0, 8)}/us-east-1/s3/aws4_request`;
    const all: Record<string, string> = {
      ...fields,
      'x-amz-algorithm': 'AWS4-HMAC-SHA256',
      'x-amz-credential': `${server.accessKeyId}/${scope}`,
      'x-amz-date': date,
    };
    const exact = Object.entries(all).filter(([name]) => name !== 'key');
    const policy = Buffer.from(
      JSON.stringify({
        expiration: new Date(Date.now() + 60_000).toISOString(),
        conditions: [
          { bucket: BUCKET },
          ['starts-with', '$key', 'uploads/'],
          ['content-length-range', 1, 1_000_000],
          ...exact.map(([name, value]) => ({ [name]: value })),
          ...conditions,
        ],
      }),
    ).toString('base64');
    const key = scope
      .split('/')
      .reduce<Buffer | string>(
        (secret, part) => createHmac('sha256', secret).update(part).digest(),
        `AWS4${server.secretAccessKey}`,
      );
    const data = new FormData();
    for (const [name, value] of Object.entries(all)) {
      data.append(name, value);
    }
    data.append('policy', policy);
    data.append('x-amz-signature', createHmac('sha256', key).update(policy).digest('hex'));
    data.append('file', new Blob([file]), 'häßlich.txt');
    return data;
  }

  const without = (data: FormData, ...names: string[]): FormData => {
    names.forEach((name) => data.delete(name));
    return data;
  };

  const post = (body: FormData): Promise<Response> =>
    fetch(`${server.endpoint}/${BUCKET}`, { method: 'POST', body, redirect: 'manual' });

  it('uploads by a form under SSE-KMS, with metadata and tags', async () => {
    const content = 'x'.repeat(300_000);
    const answer = await post(
      form(
        {
          key: 'uploads/${filename}',
          'Content-Type': 'text/plain',
          'x-amz-server-side-encryption': 'aws:kms',
          'x-amz-meta-source': 'form',
          tagging: '<Tagging><TagSet><Tag><Key>a</Key><Value>1 + 2</Value></Tag></TagSet></Tagging>',
          success_action_status: '201',
        },
        content,
      ),
    );
    expect([answer.status, await answer.text()]).toEqual([
      201,
      expect.stringMatching(/<PostResponse><Location>.*<Key>uploads\/häßlich\.txt<\/Key>/),
    ]);
    const address = { Bucket: BUCKET, Key: 'uploads/häßlich.txt' };
    const stored = await server.s3().send(new GetObjectCommand(address));
    expect(stored).toMatchObject({
      ServerSideEncryption: 'aws:kms',
      ContentType: 'text/plain',
      Metadata: { source: 'form' },
    });
    expect(await stored.Body?.transformToString()).toBe(content);
    const { TagSet } = await server.s3().send(new GetObjectTaggingCommand(address));
    expect(TagSet).toEqual([{ Key: 'a', Value: '1 + 2' }]);
  });

  it('keeps metadata of any characters, and answers it in words of ASCII as S3 does', async () => {
    const metadata = {
      'x-amz-meta-umlauts': 'ÄMÄZÕÑ S3',
      'x-amz-meta-controls': '\0\x01\x02\x03\x04',
      'x-amz-meta-literal': '=?UTF-8?B?YWJj?=',
    };
    const answer = await post(form({ key: 'uploads/a—b', ...metadata }, 'x'));
    expect([answer.status, await answer.text()]).toEqual([204, '']);
    expect(answer.headers.get('location')).toMatch(/\/uploads%2Fa%E2%80%94b$/);
    const { Metadata } = await server.s3().send(new GetObjectCommand({ Bucket: BUCKET, Key: 'uploads/a—b' }));
    expect(Metadata).toEqual({
      umlauts: '=?UTF-8?Q?=C3=84M=C3=84Z=C3=95=C3=91_S3?=',
      controls: '=?UTF-8?B?AAECAwQ=?=',
      literal: '=?UTF-8?B?YWJj?=',
    });
  });

  it.each([
    [{ key: 'uploads/a\0b' }, 'key'],
    [{ key: 'uploads/a', 'Content-Type': 'text/\0' }, 'content-type'],
    [{ key: 'uploads/a', 'x-amz-meta-ü': '1' }, 'x-amz-meta-ü'],
  ])('refuses %j, which could not be stored or answered', async (fields, name) => {
    const answer = await post(form(fields, 'x'));
    const text = await answer.text();
    expect([answer.status, text]).toEqual([400, expect.stringContaining('<Code>InvalidArgument</Code>')]);
    expect(text).toContain(`<ArgumentName>${name}</ArgumentName>`);
  });

  it('takes a file that comes as a plain field, and then leaves ${filename} as it stands', async () => {
    const data = form({ key: 'uploads/plain-${filename}' }, '');
    data.set('file', 'content');
    expect((await post(data)).status).toBe(204);
    const stored = await server.s3().send(new GetObjectCommand({ Bucket: BUCKET, Key: 'uploads/plain-${filename}' }));
    expect(await stored.Body?.transformToString()).toBe('content');
  });

  it('takes another document than one of tags for no tags, but none that is no XML', async () => {
    expect((await post(form({ key: 'uploads/tags', tagging: '<Other></Other>' }, 'x'))).status).toBe(204);
    const { TagSet } = await server.s3().send(new GetObjectTaggingCommand({ Bucket: BUCKET, Key: 'uploads/tags' }));
    expect(TagSet).toEqual([]);
    const refused = await post(form({ key: 'uploads/tags', tagging: 'no xml' }, 'x'));
    expect(await refused.text()).toContain('<Code>MalformedXML</Code>');
  });

  it('names the field that a signed form lacks, and refuses one that nothing signs', async () => {
    const lacks = async (...names: string[]): Promise<string> => {
      const answer = await post(without(form({ key: 'uploads/c' }, 'x'), ...names));
      return `${answer.status} ${await answer.text()}`;
    };
    const message = (name: string): string =>
      `<Code>InvalidArgument</Code><Message>Bucket POST must contain a field named &apos;${name}&apos;.  If it is specified, please check the order of the fields.</Message><ArgumentName>${name}</ArgumentName><ArgumentValue></ArgumentValue>`;
    expect(await lacks('x-amz-algorithm', 'x-amz-credential')).toContain(message('X-Amz-Algorithm'));
    expect(await lacks('x-amz-signature')).toContain(message('X-Amz-Signature'));
    expect(await lacks('key')).toContain(message('key'));
    expect(await lacks('x-amz-algorithm', 'x-amz-credential', 'x-amz-date', 'x-amz-signature')).toMatch(
      /^403 .*<Code>AccessDenied<\/Code><Message>Access Denied<\/Message>/s,
    );
  });

  it('tells the size of a file that is too large', async () => {
    const answer = await post(form({ key: 'uploads/b' }, 'x'.repeat(1_000_007)));
    expect(await answer.text()).toContain(
      '<ProposedSize>1000007</ProposedSize><MaxSizeAllowed>1000000</MaxSizeAllowed>',
    );
  });

  it('goes on to where the form says', async () => {
    const answer = await post(form({ key: 'uploads/a', success_action_redirect: 'https://example.org/done?x=1' }, 'x'));
    expect([answer.status, answer.headers.get('location')]).toEqual([
      303,
      expect.stringMatching(
        /^https:\/\/example\.org\/done\?x=1&bucket=browser&key=uploads%2Fa&etag=%22[0-9a-f]{32}%22$/,
      ),
    ]);
  });

  it('refuses forms beyond their policy, changed forms and files out of bounds, and keeps nothing of them', async () => {
    const changed = form({ key: 'uploads/b' }, 'x');
    changed.set('policy', `${changed.get('policy') as string}AAAA`);
    const refusals: [FormData, string][] = [
      [form({ key: 'elsewhere' }, 'x'), '403 AccessDenied'],
      [form({ key: 'uploads/b', tagging: '' }, 'x'), '400 MalformedXML'],
      [form({ key: 'uploads/b' }, ''), '400 EntityTooSmall'],
      [form({ key: 'uploads/b' }, 'x'.repeat(1_000_001)), '400 EntityTooLarge'],
      [changed, '403 SignatureDoesNotMatch'],
    ];
    for (const [data, expected] of refusals) {
      const answer = await post(data);
      expect(`${answer.status} ${/<Code>(.*)<\/Code>/.exec(await answer.text())?.[1]}`).toBe(expected);
    }
    await expect(server.s3().send(new GetObjectCommand({ Bucket: BUCKET, Key: 'uploads/b' }))).rejects.toThrow();
  });

  it('answers preflights by the rules of the bucket, and marks what it answers', async () => {
    const url = `${server.endpoint}/${BUCKET}/any`;
    const preflight = (headers: Record<string, string>): Promise<Response> =>
      fetch(url, { method: 'OPTIONS', headers });
    const asked = {
      Origin: ORIGIN,
      'Access-Control-Request-Method': 'POST',
      'Access-Control-Request-Headers': 'X-Amz-Date',
    };
    const allowed = await preflight(asked);
    expect(allowed.status).toBe(200);
    expect(allowed.headers.get('access-control-allow-origin')).toBe(ORIGIN);
    expect(allowed.headers.get('access-control-allow-headers')).toBe('x-amz-date');
    expect((await preflight({ ...asked, Origin: 'https://other.example.org' })).status).toBe(403);
    expect((await preflight({ ...asked, 'Access-Control-Request-Method': 'DELETE' })).status).toBe(403);
    expect((await preflight({ Origin: ORIGIN })).status).toBe(400);
    const refused = await fetch(url, { headers: { Origin: ORIGIN } });
    expect([refused.status, refused.headers.get('access-control-allow-origin')]).toEqual([403, ORIGIN]);
  });
});
