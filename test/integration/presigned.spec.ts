import { createHmac } from 'node:crypto';
import { CreateBucketCommand, GetObjectCommand, PutObjectCommand } from '@aws-sdk/client-s3';
import { getSignedUrl } from '@aws-sdk/s3-request-presigner';
import { TestServer } from '../support/server';

const BUCKET = 'presigned';

describe('presigned URLs', () => {
  let server: TestServer;

  beforeAll(async () => {
    server = await TestServer.start();
    await server.s3().send(new CreateBucketCommand({ Bucket: BUCKET }));
  });
  afterAll(() => server.stop());

  /** A URL presigned with Signature Version 2, as boto and old tools make them. */
  function legacyUrl(method: string, path: string, seconds: number, headers: Record<string, string> = {}): string {
    const expires = String(Math.floor(Date.now() / 1000) + seconds);
    const amz = Object.keys(headers)
      .sort()
      .map((name) => `${name}:${headers[name]}\n`)
      .join('');
    const text = `${method}\n\n\n${expires}\n${amz}${path}`;
    const signature = createHmac('sha1', server.secretAccessKey).update(text).digest('base64');
    const query = new URLSearchParams({ AWSAccessKeyId: server.accessKeyId, Expires: expires, Signature: signature });
    return `${server.endpoint}${path}${path.includes('?') ? '&' : '?'}${query.toString()}`;
  }

  async function codeOf(response: Response): Promise<string> {
    return `${response.status} ${/<Code>(.*)<\/Code>/.exec(await response.text())?.[1] ?? ''}`.trim();
  }

  it('uploads and downloads with Signature Version 4, encrypted as the URL says', async () => {
    const command = { Bucket: BUCKET, Key: 'four', ServerSideEncryption: 'aws:kms' } as const;
    const upload = await getSignedUrl(
      server.s3({ requestChecksumCalculation: 'WHEN_REQUIRED' }),
      new PutObjectCommand(command),
    );
    const headers = { 'x-amz-server-side-encryption': 'aws:kms' };
    expect((await fetch(upload, { method: 'PUT', body: 'four', headers })).status).toBe(200);
    const download = await fetch(
      await getSignedUrl(server.s3(), new GetObjectCommand({ Bucket: BUCKET, Key: 'four' })),
    );
    expect(await download.text()).toBe('four');
    expect(download.headers.get('x-amz-server-side-encryption')).toBe('aws:kms');
  });

  it('uploads and downloads with Signature Version 2', async () => {
    const path = `/${BUCKET}/two`;
    expect((await fetch(legacyUrl('PUT', path, 60), { method: 'PUT', body: Buffer.from('two') })).status).toBe(200);
    expect(await (await fetch(legacyUrl('GET', path, 60))).text()).toBe('two');
    expect((await fetch(legacyUrl('DELETE', path, 60), { method: 'DELETE' })).status).toBe(204);
  });

  it('refuses a Version 2 URL that expired, was changed or is used for something else', async () => {
    const path = `/${BUCKET}/two`;
    const url = legacyUrl('GET', path, 60);
    expect(await codeOf(await fetch(legacyUrl('GET', path, -1)))).toBe('403 AccessDenied');
    expect(await codeOf(await fetch(url.replace('/two', '/other')))).toBe('403 SignatureDoesNotMatch');
    expect(await codeOf(await fetch(`${url}&acl`))).toBe('403 SignatureDoesNotMatch');
    expect(await codeOf(await fetch(url, { method: 'PUT', body: 'x' }))).toBe('403 SignatureDoesNotMatch');
    expect(await codeOf(await fetch(url.replace('rootuser', 'nobody')))).toBe('403 InvalidAccessKeyId');
  });

  it('refuses SSE-KMS with Signature Version 2, for writes and reads alike', async () => {
    const kms = { 'x-amz-server-side-encryption': 'aws:kms' };
    const path = `/${BUCKET}/kms`;
    const put = await fetch(legacyUrl('PUT', path, 60, kms), { method: 'PUT', body: Buffer.from('x'), headers: kms });
    expect(await codeOf(put)).toBe('400 InvalidArgument');
    await server
      .s3()
      .send(new PutObjectCommand({ Bucket: BUCKET, Key: 'kms', Body: 'x', ServerSideEncryption: 'aws:kms' }));
    expect(await codeOf(await fetch(legacyUrl('GET', path, 60)))).toBe('400 InvalidArgument');
  });
});
