import { createHash, randomBytes } from 'node:crypto';
import { CreateBucketCommand, PutObjectCommand } from '@aws-sdk/client-s3';
import { startVaultServer } from '../fakes/vault-server';
import { eventually } from '../support/eventually';
import { exchange, signedOptions, type RawAnswer } from '../support/raw-request';
import { TestServer } from '../support/server';
import { listingSignedAt, presignedUrl, signedWithoutHash } from '../support/signing';

const BUCKET = 'bad-input';
const MIB = 1024 * 1024;

describe('bad input', () => {
  let server: TestServer;

  beforeAll(async () => {
    server = await TestServer.start({ env: { STRONGROOM_DATA_KEY_CACHE_SIZE: '0' } });
    await server.s3().send(new CreateBucketCommand({ Bucket: BUCKET }));
    await server.s3().send(new PutObjectCommand({ Bucket: BUCKET, Key: 'object', Body: '0123456789' }));
  });
  afterAll(() => server.stop());

  const send = (method: string, path: string, headers: Record<string, string> = {}, body?: Buffer | string) =>
    exchange(signedOptions(server, method, path, { ...lengthOf(body), ...headers }), body);
  const put = (headers: Record<string, string>, body: Buffer | string, key = 'x') =>
    send('PUT', `/${BUCKET}/${key}`, { 'x-amz-content-sha256': 'UNSIGNED-PAYLOAD', ...headers }, body);

  describe('signatures', () => {
    it('refuses a wrong one', async () => {
      const target = { endpoint: server.endpoint, accessKeyId: server.accessKeyId, secretAccessKey: 'another-secret' };
      const options = signedOptions(target, 'GET', '/');
      expect(codeOf(await exchange(options))).toBe('403 SignatureDoesNotMatch');
    });

    it('refuses an unknown access key', async () => {
      const target = { endpoint: server.endpoint, accessKeyId: 'NOBODY', secretAccessKey: 'another-secret' };
      expect(codeOf(await exchange(signedOptions(target, 'GET', '/')))).toBe('403 InvalidAccessKeyId');
    });

    it.each([[-16], [16]])('refuses a clock that is off by %i minutes', async (minutes) => {
      const options = await listingSignedAt(server, new Date(Date.now() + minutes * 60_000), 'us-east-1');
      expect(codeOf(await exchange(options))).toBe('403 RequestTimeTooSkewed');
    });

    it('refuses another region, and names the right one', async () => {
      const answer = await exchange(await listingSignedAt(server, new Date(), 'eu-west-1'));
      expect(codeOf(answer)).toBe('400 AuthorizationHeaderMalformed');
      expect(answer.body).toContain('<Region>us-east-1</Region>');
    });

    it('takes one without a payload hash where there is no payload, and else says what is missing', async () => {
      const path = `/${BUCKET}/object`;
      expect(await exchange(await signedWithoutHash(server, 'GET', path))).toMatchObject({ status: 200 });
      const upload = await exchange(await signedWithoutHash(server, 'PUT', path, 'body'), 'body');
      expect(codeOf(upload)).toBe('400 InvalidRequest');
      expect(upload.body).toContain('x-amz-content-sha256');
      expect(upload.body).toContain('UNSIGNED-PAYLOAD');
      const forged = { endpoint: server.endpoint, accessKeyId: server.accessKeyId, secretAccessKey: 'another-secret' };
      expect(codeOf(await exchange(await signedWithoutHash(forged, 'GET', path)))).toBe('403 SignatureDoesNotMatch');
    });

    it('takes repeated headers as one, joined as they are signed', async () => {
      const options = signedOptions(server, 'PUT', `/${BUCKET}/repeated`, {
        'x-amz-content-sha256': 'UNSIGNED-PAYLOAD',
        'content-length': '1',
        'x-amz-meta-list': 'one,two',
      });
      const headers = Object.entries(options.headers).flatMap(([name, value]) =>
        name === 'x-amz-meta-list' ? [name, 'one', name, 'two'] : [name, value],
      );
      expect((await exchange({ ...options, headers }, 'x')).status).toBe(200);
      expect((await send('HEAD', `/${BUCKET}/repeated`)).headers['x-amz-meta-list']).toBe('one,two');
    });

    it('refuses an expired presigned URL', async () => {
      const url = await presignedUrl(server, `/${BUCKET}/object`, new Date(Date.now() - 120_000), 60);
      const answer = await fetch(url);
      expect([answer.status, await answer.text()]).toEqual([403, expect.stringContaining('Request has expired')]);
    });

    it('refuses a bad chunk signature', async () => {
      const answer = await put(
        {
          'x-amz-content-sha256': 'STREAMING-AWS4-HMAC-SHA256-PAYLOAD',
          'content-encoding': 'aws-chunked',
          'x-amz-decoded-content-length': '4',
        },
        `4;chunk-signature=${'0'.repeat(64)}\r\nwxyz\r\n0;chunk-signature=${'0'.repeat(64)}\r\n\r\n`,
      );
      expect(codeOf(answer)).toBe('403 SignatureDoesNotMatch');
    });
  });

  describe('bodies', () => {
    it('refuses a wrong Content-MD5, and one that is none', async () => {
      const md5 = createHash('md5').update('something else').digest('base64');
      expect(codeOf(await put({ 'content-md5': md5 }, 'x'))).toBe('400 BadDigest');
      expect(codeOf(await put({ 'content-md5': 'none' }, 'x'))).toBe('400 InvalidDigest');
    });

    it('refuses a wrong SHA-256 of the payload', async () => {
      const sha256 = createHash('sha256').update('something else').digest('hex');
      expect(codeOf(await put({ 'x-amz-content-sha256': sha256 }, 'x'))).toBe('400 XAmzContentSHA256Mismatch');
    });

    it('refuses a wrong checksum in a header and in a trailer', async () => {
      expect(codeOf(await put({ 'x-amz-checksum-crc32': 'AAAAAA==' }, 'x'))).toBe('400 BadDigest');
      const answer = await put(
        {
          'x-amz-content-sha256': 'STREAMING-UNSIGNED-PAYLOAD-TRAILER',
          'content-encoding': 'aws-chunked',
          'x-amz-decoded-content-length': '4',
          'x-amz-trailer': 'x-amz-checksum-crc32',
        },
        '4\r\nwxyz\r\n0\r\nx-amz-checksum-crc32:AAAAAA==\r\n\r\n',
      );
      expect(codeOf(answer)).toBe('400 BadDigest');
    });

    it('refuses a body that is shorter than its chunks announce', async () => {
      const answer = await put(
        {
          'x-amz-content-sha256': 'STREAMING-UNSIGNED-PAYLOAD-TRAILER',
          'content-encoding': 'aws-chunked',
          'x-amz-decoded-content-length': '8',
          'x-amz-trailer': 'x-amz-checksum-crc32',
        },
        '4\r\nwxyz\r\n0\r\nx-amz-checksum-crc32:AAAAAA==\r\n\r\n',
      );
      expect(codeOf(answer)).toBe('400 IncompleteBody');
    });

    it('leaves nothing behind of any of them', async () => {
      expect((await send('HEAD', `/${BUCKET}/x`)).status).toBe(404);
    });
  });

  describe('encryption', () => {
    it('refuses a key id that no KMS knows', async () => {
      const headers = {
        'x-amz-server-side-encryption': 'aws:kms',
        'x-amz-server-side-encryption-aws-kms-key-id': 'nobody-made-this',
      };
      expect(codeOf(await put(headers, 'x'))).toBe('400 KMS.NotFoundException');
    });

    it('gives an SSE-C object to nobody without its key', async () => {
      const headers = customerHeaders(randomBytes(32));
      expect((await put(headers, 'secret', 'customer')).status).toBe(200);
      const get = (more: Record<string, string>) => send('GET', `/${BUCKET}/customer`, more);
      expect(codeOf(await get({}))).toBe('400 InvalidRequest');
      expect(codeOf(await get(customerHeaders(randomBytes(32))))).toBe('403 AccessDenied');
      expect(codeOf(await get({ ...headers, 'x-amz-server-side-encryption-customer-key': 'short' }))).toBe(
        '403 AccessDenied',
      );
      expect((await get(headers)).body).toBe('secret');
    });
  });

  describe('documents and names', () => {
    const BOMB = `<!DOCTYPE a [<!ENTITY b "${'b'.repeat(100)}"><!ENTITY c "&b;&b;&b;&b;">]><Tagging><TagSet>&c;</TagSet></Tagging>`;

    it.each([
      ['is no XML', 'this is not XML'],
      ['is not closed', '<Tagging><TagSet>'],
      ['has another root', '<Other/>'],
      ['is a bomb', BOMB],
      ['is nested without end', '<a>'.repeat(5000)],
      ['is not UTF-8', Buffer.from([0x3c, 0xff, 0xfe])],
    ])('refuses a document that %s', async (_, body) => {
      const headers = { 'x-amz-content-sha256': 'UNSIGNED-PAYLOAD' };
      expect(codeOf(await send('PUT', `/${BUCKET}?tagging`, headers, body))).toBe('400 MalformedXML');
    });

    it('refuses a document that is too large', async () => {
      expect(codeOf(await send('PUT', `/${BUCKET}?tagging`, {}, 'x'.repeat(MIB)))).toBe('400 MaxMessageLengthExceeded');
    });

    it('takes a key of 1024 bytes and refuses one more', async () => {
      expect((await put({}, 'x', 'k'.repeat(1024))).status).toBe(200);
      expect(codeOf(await put({}, 'x', 'k'.repeat(1025)))).toBe('400 KeyTooLongError');
      expect(codeOf(await put({}, 'x', '%E2%82%AC'.repeat(342)))).toBe('400 KeyTooLongError');
    });

    it.each(['ab', 'Upper', 'under_score', 'two..dots', '192.168.0.1', '-first', 'xn--punycode', 'a'.repeat(64)])(
      'refuses the bucket name %s',
      async (name) => {
        expect(codeOf(await send('PUT', `/${name}`))).toBe('400 InvalidBucketName');
      },
    );

    it.each(['bytes=10-', 'bytes=100-200', 'bytes=-0'])('refuses the range %s', async (range) => {
      const answer = await send('GET', `/${BUCKET}/object`, { range });
      expect(codeOf(answer)).toBe('416 InvalidRange');
    });

    it.each(['bytes=5-2', 'bytes=a-b', 'lines=1-2', 'bytes=0-1,3-4'])(
      'ignores the range %s, as HTTP asks',
      async (range) => {
        expect(await send('GET', `/${BUCKET}/object`, { range })).toMatchObject({ status: 200, body: '0123456789' });
      },
    );
  });

  describe('configuration', () => {
    const CONFIG = '/minio/admin/v3/config/kms_vault/default';

    it('refuses an unknown field and keeps what was', async () => {
      const answer = await server.admin<{ detail: string }>('POST', CONFIG, {
        endpiont: 'http://127.0.0.1:8200',
        enabled: true,
      });
      expect(answer.status).toBe(400);
      expect(JSON.stringify(answer.body)).toContain('endpiont');
    });

    it('answers 503 for a sealed, an unreachable and an unauthenticated Vault, to what needs it alone', async () => {
      const vault = await startVaultServer();
      vault.createKey('objects');
      const token = vault.createToken({ policies: ['root'] });
      const settings = { endpoint: vault.url, key_name: 'objects', token, enabled: true };
      expect((await server.admin('POST', CONFIG, settings)).status).toBe(200);
      const kms = { 'x-amz-server-side-encryption': 'aws:kms' };
      const sealed = (): Promise<RawAnswer> => put(kms, 'x', 'sealed');
      vault.seal();
      expect(codeOf(await sealed())).toBe('503 ServiceUnavailable');
      expect((await put({}, 'x', 'plain')).status).toBe(200);
      vault.unseal();
      await eventually(async () => expect((await sealed()).status).toBe(200));
      vault.revokeToken(token);
      await eventually(async () => expect(codeOf(await sealed())).toBe('503 ServiceUnavailable'));
      await vault.close();
      expect(codeOf(await sealed())).toBe('503 ServiceUnavailable');
      expect((await sealed()).headers['retry-after']).toBeDefined();
      const { status, body } = await server.admin('POST', CONFIG, { ...settings, endpoint: 'http://127.0.0.1:1' });
      expect([status, JSON.stringify(body)]).toEqual([expect.any(Number), expect.stringMatching(/reach|refused/i)]);
      expect(status).toBeGreaterThanOrEqual(400);
    });
  });
});

function codeOf(answer: RawAnswer): string {
  return `${answer.status} ${/<Code>(.*)<\/Code>/.exec(answer.body)?.[1] ?? ''}`.trim();
}

function lengthOf(body: Buffer | string | undefined): Record<string, string> {
  return { 'content-length': String(body === undefined ? 0 : Buffer.byteLength(body)) };
}

function customerHeaders(key: Buffer): Record<string, string> {
  const prefix = 'x-amz-server-side-encryption-customer-';
  return {
    [`${prefix}algorithm`]: 'AES256',
    [`${prefix}key`]: key.toString('base64'),
    [`${prefix}key-md5`]: createHash('md5').update(key).digest('base64'),
  };
}
