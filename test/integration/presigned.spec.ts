import { createHmac } from 'node:crypto';
import { CreateBucketCommand, GetObjectCommand, PutObjectCommand } from '@aws-sdk/client-s3';
import { Sha256 } from '@aws-crypto/sha256-js';
import { SignatureV4 } from '@smithy/signature-v4';
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

  /** A URL presigned with Signature Version 4 that carries further parameters. */
  async function urlWith(method: string, key: string, parameters: Record<string, string>): Promise<string> {
    const signer = new SignatureV4({
      service: 's3',
      region: 'us-east-1',
      sha256: Sha256,
      uriEscapePath: false,
      credentials: { accessKeyId: server.accessKeyId, secretAccessKey: server.secretAccessKey },
    });
    const { protocol, hostname, port, host } = new URL(server.endpoint);
    const { query } = await signer.presign({
      method,
      protocol,
      hostname,
      port: Number(port),
      path: `/${BUCKET}/${key}`,
      query: parameters,
      headers: { host, 'x-amz-content-sha256': 'UNSIGNED-PAYLOAD' },
    });
    const pairs = Object.entries(query ?? {}).map(([name, value]) => `${name}=${encodeURIComponent(String(value))}`);
    return `${server.endpoint}/${BUCKET}/${key}?${pairs.join('&')}`;
  }

  it('takes headers that the URL carries as parameters: encryption, metadata and conditions', async () => {
    const carried = {
      'x-amz-server-side-encryption': 'aws:kms',
      'x-amz-meta-a': 'é',
      'If-None-Match': '*',
      other: '1',
    };
    const url = await urlWith('PUT', 'carried', carried);
    expect((await fetch(url, { method: 'PUT', body: 'x' })).status).toBe(200);
    expect(await codeOf(await fetch(url, { method: 'PUT', body: 'x' }))).toBe('412 PreconditionFailed');
    const { headers } = await fetch(await urlWith('GET', 'carried', {}));
    expect(headers.get('x-amz-server-side-encryption')).toBe('aws:kms');
    expect(headers.get('x-amz-meta-a')).toBe('=?UTF-8?B?w6k=?=');
    const more = { method: 'PUT', body: 'x', headers: { 'x-amz-acl': 'public-read' } };
    expect(await codeOf(await fetch(url, more))).toBe('403 AccessDenied');
  });

  it('takes metadata and a type that a Version 2 URL carries', async () => {
    const path = `/${BUCKET}/two-carried`;
    const signed = legacyUrl('PUT', path, 60, { 'x-amz-meta-a': 'b' });
    const url = `${signed}&x-amz-meta-a=b`;
    expect((await fetch(url, { method: 'PUT', body: Buffer.from('x') })).status).toBe(200);
    expect((await fetch(legacyUrl('GET', path, 60))).headers.get('x-amz-meta-a')).toBe('b');
    const other = await fetch(`${signed}&x-amz-meta-a=c`, { method: 'PUT', body: Buffer.from('x') });
    expect(await codeOf(other)).toBe('403 SignatureDoesNotMatch');
  });

  it('refuses parameters that no header could be, of which Signature Version 2 cannot tell one from two', async () => {
    const signed = legacyUrl('PUT', `/${BUCKET}/lines`, 60, { 'x-amz-meta-a': '1', 'x-amz-meta-b': '2' });
    const put = (parameters: string) =>
      fetch(`${signed}&${parameters}`, { method: 'PUT', body: Buffer.from('x') }).then(codeOf);
    expect(await put('x-amz-meta-a=1%0Ax-amz-meta-b:2')).toBe('400 InvalidArgument');
    expect(await put('x-amz-meta-a:1%0Ax-amz-meta-b=2')).toBe('400 InvalidArgument');
    expect(await put('x-amz-meta-a=1&x-amz-meta-b=2')).toBe('200');
    const four = await urlWith('PUT', 'lines', { 'Content-Type': 'text/plain\n' });
    expect(await codeOf(await fetch(four, { method: 'PUT', body: 'x' }))).toBe('400 InvalidArgument');
  });

  it('keeps to the type and conditions that the URL carries, whatever is sent beside it', async () => {
    const url = await urlWith('PUT', 'typed', { 'Content-Type': 'image/png', 'If-None-Match': '*' });
    const headers = { 'content-type': 'text/html', authorization: '' };
    expect((await fetch(url, { method: 'PUT', body: 'x', headers })).status).toBe(200);
    expect(await codeOf(await fetch(url, { method: 'PUT', body: 'x', headers: { 'if-match': '*' } }))).toMatch(/^501/);
    const { headers: got } = await fetch(await urlWith('GET', 'typed', {}));
    expect(got.get('content-type')).toBe('image/png');
  });

  it('overrides headers of the answer with what Latin-1 can hold, and with nothing else', async () => {
    await server.s3().send(new PutObjectCommand({ Bucket: BUCKET, Key: 'overridden', Body: 'x' }));
    const answer = await fetch(await urlWith('GET', 'overridden', { 'response-cache-control': 'é' }));
    expect(answer.headers.get('cache-control')).toBe('é');
    const refused = await fetch(await urlWith('GET', 'overridden', { 'response-cache-control': '—' }));
    expect(await refused.text()).toContain('<Message>Header value cannot be represented using ISO-8859-1.</Message>');
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
