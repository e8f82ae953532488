import { createHash, createHmac } from 'node:crypto';
import { connect } from 'node:net';
import { text } from 'node:stream/consumers';
import type { S3Client } from '@aws-sdk/client-s3';
import {
  CompleteMultipartUploadCommand,
  CreateBucketCommand,
  CreateMultipartUploadCommand,
  DeleteObjectsCommand,
  GetBucketEncryptionCommand,
  GetObjectAttributesCommand,
  GetObjectCommand,
  GetObjectTaggingCommand,
  HeadObjectCommand,
  ListBucketsCommand,
  ListMultipartUploadsCommand,
  ListObjectsV2Command,
  ListObjectVersionsCommand,
  ListPartsCommand,
  PutBucketEncryptionCommand,
  PutBucketPolicyCommand,
  PutBucketVersioningCommand,
  PutObjectCommand,
  PutObjectTaggingCommand,
  UploadPartCommand,
  UploadPartCopyCommand,
  CopyObjectCommand,
  type S3ServiceException,
} from '@aws-sdk/client-s3';
import { getSignedUrl } from '@aws-sdk/s3-request-presigner';
import { eventually } from '../../test/support/eventually';
import { exchange, signedOptions, type RawAnswer } from '../../test/support/raw-request';
import { startS3App, type S3App } from '../../test/support/s3-app';
import { S3_ROUTES } from './s3-routes';
import { S3Operations } from './s3-operations';

let app: S3App;
let s3: S3Client;

beforeAll(async () => {
  app = await startS3App();
  s3 = app.s3();
  await s3.send(new CreateBucketCommand({ Bucket: 'bucket' }));
});

afterAll(async () => {
  s3.destroy();
  await app.close();
});

function raw(
  method: string,
  path: string,
  headers: Record<string, string> = {},
  body?: Buffer | string,
): Promise<RawAnswer> {
  const length: Record<string, string> =
    body === undefined ? {} : { 'content-length': String(Buffer.byteLength(body)) };
  return exchange(
    signedOptions(app.target, method, path, { 'x-amz-content-sha256': 'UNSIGNED-PAYLOAD', ...length, ...headers }),
    body,
  );
}

/** An aws-chunked body whose chunks are signed in a chain that starts from the request's own signature. */
function signedChunks(headers: Record<string, string>, secret: string, chunks: readonly string[]): string {
  const authorization = String(headers['Authorization']);
  const timestamp = String(headers['X-Amz-Date']);
  const scope = /Credential=[^/]+\/([^,]+)/.exec(authorization)?.[1] ?? '';
  let previous = /Signature=([0-9a-f]+)/.exec(authorization)?.[1] ?? '';
  const sha256 = (data: string): string => createHash('sha256').update(data).digest('hex');
  const key = [...scope.split('/')].reduce<Buffer>(
    (derived, part) => createHmac('sha256', derived).update(part).digest(),
    Buffer.from(`AWS4${secret}`),
  );
  const signed = [...chunks, ''].map((chunk) => {
    const toSign = `AWS4-HMAC-SHA256-PAYLOAD\n${timestamp}\n${scope}\n${previous}\n${sha256('')}\n${sha256(chunk)}`;
    previous = createHmac('sha256', key).update(toSign).digest('hex');
    return `${chunk.length.toString(16)};chunk-signature=${previous}\r\n${chunk}\r\n`;
  });
  return signed.join('');
}

function codeOf(answer: RawAnswer): string {
  return `${answer.status} ${/<Code>([^<]*)<\/Code>/.exec(answer.body)?.[1] ?? ''}`;
}

async function sdkError(work: Promise<unknown>): Promise<string> {
  try {
    await work;
    return 'ok';
  } catch (error) {
    const failure = error as S3ServiceException;
    return `${failure.$metadata.httpStatusCode} ${failure.name}`;
  }
}

describe('the S3 face', () => {
  it('has a handler for every implemented row of the table, and for no other', () => {
    const implemented = S3_ROUTES.filter((route) => route.implemented).map((route) => route.operation);
    expect([...app.module.get(S3Operations).names].sort()).toEqual([...new Set(implemented)].sort());
  });

  it('names every request and reports it once', async () => {
    const answer = await raw('GET', '/bucket/missing');
    expect(codeOf(answer)).toBe('404 NoSuchKey');
    const requestId = answer.headers['x-amz-request-id'];
    expect(answer.body).toContain(`<RequestId>${String(requestId)}</RequestId>`);
    expect(answer.headers).toMatchObject({ server: 'Strongroom', 'content-type': 'application/xml' });
    await eventually(() => {
      expect(app.finished.filter((each) => each.requestId === requestId)).toMatchObject([
        { operation: 'GetObject', status: 404, errorCode: 'NoSuchKey', principal: 'root', path: '/bucket/missing' },
      ]);
    });
  });

  describe('requests', () => {
    it.each<[string, string, string, Record<string, string>, string | undefined]>([
      ['404 NoSuchBucket', 'GET', '/nowhere', {}, undefined],
      ['404 NoSuchBucket', 'GET', '/Not_There', {}, undefined],
      ['400 InvalidBucketName', 'GET', '/invalid%20bucket%20name?location', {}, undefined],
      ['400 InvalidBucketName', 'PUT', '/ab/key', {}, 'x'],
      ['400 KeyTooLongError', 'PUT', `/bucket/${'k'.repeat(1025)}`, {}, 'x'],
      ['501 NotImplemented', 'PUT', '/bucket?foo-config', {}, 'x'],
      ['501 NotImplemented', 'POST', '/bucket/key?select&select-type=2', {}, 'x'],
      ['405 MethodNotAllowed', 'DELETE', '/bucket?location', {}, undefined],
      ['400 InvalidBucketName', 'PUT', '/Bad_Name', {}, ''],
      ['400 MalformedXML', 'POST', '/bucket?delete', {}, '<Delete>'],
      ['400 MalformedXML', 'POST', '/bucket?delete', {}, '<!DOCTYPE d [<!ENTITY a "b">]><Delete>&a;</Delete>'],
      ['400 InvalidDigest', 'PUT', '/bucket/key', { 'content-md5': 'nonsense' }, 'x'],
      ['400 BadDigest', 'PUT', '/bucket/key', { 'content-md5': 'AAAAAAAAAAAAAAAAAAAAAA==' }, 'x'],
      ['400 BadDigest', 'PUT', '/bucket/key', { 'x-amz-checksum-crc32': 'AAAAAA==' }, 'x'],
      ['400 XAmzContentSHA256Mismatch', 'PUT', '/bucket/key', { 'x-amz-content-sha256': '0'.repeat(64) }, 'x'],
      ['400 InvalidArgument', 'PUT', '/bucket/key', { 'x-amz-content-sha256': 'nonsense' }, 'x'],
      ['400 InvalidArgument', 'GET', '/bucket?max-keys=-1', {}, undefined],
      ['400 InvalidArgument', 'GET', '/bucket?list-type=2&continuation-token=%2A', {}, undefined],
      ['400 InvalidArgument', 'GET', '/bucket?versions&version-id-marker=x', {}, undefined],
      ['501 NotImplemented', 'PUT', '/bucket/key', { 'if-none-match': '"a"' }, 'x'],
      ['404 NoSuchCORSConfiguration', 'GET', '/bucket?cors', {}, undefined],
      ['404 NoSuchTagSet', 'GET', '/bucket?tagging', {}, undefined],
      ['404 NoSuchBucketPolicy', 'GET', '/bucket?policy', {}, undefined],
      ['404 NoSuchUpload', 'PUT', '/bucket/key?uploadId=none&partNumber=1', {}, 'x'],
      ['400 InvalidArgument', 'PUT', '/bucket/key?uploadId=none&partNumber=0', {}, 'x'],
      ['400 BadRequest', 'GET', '/bucket/key', { 'x-amz-server-side-encryption': 'aws:kms' }, undefined],
    ])('answers %s to %s %s %j', async (expected, method, path, headers, body) => {
      expect(codeOf(await raw(method, path, headers, body))).toBe(expected);
    });

    it('refuses what anonymous, unknown and forged callers ask', async () => {
      const { hostname, port } = new URL(app.target.endpoint);
      const at = { method: 'GET', host: hostname, port, path: '/bucket/key' };
      expect(codeOf(await exchange({ ...at, headers: {} }))).toBe('403 AccessDenied');
      expect(codeOf(await exchange({ ...at, path: '/bucket/%zz', headers: {} }))).toBe('400 InvalidURI');
      const forged = { ...app.target, secretAccessKey: 'wrong' };
      const answer = await exchange(signedOptions(forged, 'GET', '/bucket/key'));
      expect(codeOf(answer)).toBe('403 SignatureDoesNotMatch');
      expect(answer.body).toContain('<StringToSign>AWS4-HMAC-SHA256');
      const stranger = { ...app.target, accessKeyId: 'stranger' };
      expect(codeOf(await exchange(signedOptions(stranger, 'GET', '/bucket/key')))).toBe('403 InvalidAccessKeyId');
      const skewed = { 'x-amz-date': '20200101T000000Z' };
      expect(codeOf(await raw('GET', '/bucket/key', skewed))).toBe('403 RequestTimeTooSkewed');
      const options = signedOptions(app.target, 'GET', '/bucket/key');
      options.headers['Authorization'] = String(options.headers['Authorization']).replace('us-east-1', 'eu-west-1');
      const region = await exchange(options);
      expect(codeOf(region)).toBe('400 AuthorizationHeaderMalformed');
      expect(region.body).toContain('<Region>us-east-1</Region>');
    });

    it('asks for a length', async () => {
      const options = signedOptions(app.target, 'PUT', '/bucket/key', { 'x-amz-content-sha256': 'UNSIGNED-PAYLOAD' });
      options.headers['transfer-encoding'] = 'chunked';
      expect(codeOf(await exchange(options, 'x'))).toBe('411 MissingContentLength');
    });

    it('takes documents of a length that is not told', async () => {
      const put = (document: string, sha256 = 'UNSIGNED-PAYLOAD') => {
        const options = signedOptions(app.target, 'PUT', '/bucket?versioning', { 'x-amz-content-sha256': sha256 });
        options.headers['transfer-encoding'] = 'chunked';
        return exchange(options, document);
      };
      const document = '<VersioningConfiguration><Status>On</Status></VersioningConfiguration>';
      expect(codeOf(await put(document))).toBe('400 MalformedXML');
      expect(codeOf(await put(document, createHash('sha256').update(document).digest('hex')))).toBe('400 MalformedXML');
      expect(codeOf(await put(document, '0'.repeat(64)))).toBe('400 XAmzContentSHA256Mismatch');
      expect(codeOf(await put(' '.repeat(1024 * 1024)))).toBe('400 MaxMessageLengthExceeded');
    });

    it('answers a HEAD without a body', async () => {
      const answer = await raw('HEAD', '/bucket/missing');
      expect([answer.status, answer.body]).toEqual([404, '']);
    });
  });

  describe('bodies', () => {
    it('sends 100 Continue only to whom it will hear', async () => {
      const conversation = async (secretAccessKey: string): Promise<string> => {
        const { hostname, port } = new URL(app.target.endpoint);
        const { headers } = signedOptions({ ...app.target, secretAccessKey }, 'PUT', '/bucket/expected', {
          'content-length': '5',
          'x-amz-content-sha256': 'UNSIGNED-PAYLOAD',
        });
        const socket = connect(Number(port), hostname);
        const lines = Object.entries({ ...headers, Expect: '100-continue' }).map(
          ([name, value]) => `${name}: ${value}`,
        );
        socket.write(`PUT /bucket/expected HTTP/1.1\r\n${lines.join('\r\n')}\r\n\r\n`);
        let answer = '';
        for await (const chunk of socket) {
          answer += String(chunk);
          if (answer === 'HTTP/1.1 100 Continue\r\n\r\n') {
            socket.write('hello');
          } else if (answer.includes('HTTP/1.1 200 OK')) {
            break;
          }
        }
        return answer;
      };
      expect(await conversation(app.target.secretAccessKey)).toMatch(/^HTTP\/1.1 100 Continue\r\n\r\nHTTP\/1.1 200 OK/);
      const refused = await conversation('wrong');
      expect(refused).toMatch(/^HTTP\/1.1 403 Forbidden/);
      expect(refused).toContain('Connection: close');
      expect(refused).not.toContain('100 Continue');
    });

    it('gives a refusal to a client that is still sending', async () => {
      const answer = await raw('PUT', '/nowhere/key', {}, Buffer.alloc(8 * 1024 * 1024));
      expect(codeOf(answer)).toBe('404 NoSuchBucket');
    });

    it('stores nothing of a body that ends early', async () => {
      const { hostname, port } = new URL(app.target.endpoint);
      const { headers } = signedOptions(app.target, 'PUT', '/bucket/short', {
        'content-length': '100',
        'x-amz-content-sha256': 'UNSIGNED-PAYLOAD',
      });
      const socket = connect(Number(port), hostname);
      const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}`);
      socket.write(`PUT /bucket/short HTTP/1.1\r\n${lines.join('\r\n')}\r\n\r\nonly this`);
      socket.end();
      await text(socket).catch(() => '');
      await eventually(() => {
        expect(app.finished.filter((each) => each.path === '/bucket/short')).toHaveLength(1);
      });
      expect(codeOf(await raw('GET', '/bucket/short'))).toBe('404 NoSuchKey');
    });

    it('takes signed chunks', async () => {
      const hello = 'hello '.repeat(1400);
      const send = async (key: string, alter: (body: string) => string, chunks = [hello, 'world']): Promise<string> => {
        const options = signedOptions(app.target, 'PUT', `/bucket/${key}`, {
          'x-amz-content-sha256': 'STREAMING-AWS4-HMAC-SHA256-PAYLOAD',
          'x-amz-decoded-content-length': String(chunks.join('').length),
          'content-encoding': 'aws-chunked',
        });
        const body = alter(signedChunks(options.headers, app.target.secretAccessKey, chunks));
        options.headers['content-length'] = String(body.length);
        return codeOf(await exchange(options, body));
      };
      expect(await send('signed', (body) => body)).toBe('200 ');
      expect(await send('altered', (body) => body.replace('world', 'w0rld'))).toBe('403 SignatureDoesNotMatch');
      expect(await send('cut', (body) => body.slice(0, body.indexOf('\r\n0;')))).toBe('400 IncompleteBody');
      expect(await send('bare', (body) => body.replaceAll('\r\n', '\n'))).toBe('400 IncompleteBody');
      expect(await send('small', (body) => body, ['hello ', 'world'])).toBe('400 InvalidChunkSizeError');
      const { headers, body } = await raw('GET', '/bucket/signed');
      expect([body, headers['content-encoding']]).toEqual([`${hello}world`, undefined]);
      expect(codeOf(await raw('GET', '/bucket/altered'))).toBe('404 NoSuchKey');
      expect(codeOf(await raw('GET', '/bucket/cut'))).toBe('404 NoSuchKey');
      expect(codeOf(await raw('GET', '/bucket/small'))).toBe('404 NoSuchKey');
    });

    it('takes unsigned chunks with a checksum behind them', async () => {
      const send = async (checksum: string): Promise<RawAnswer> => {
        const body = `b\r\nhello world\r\n0\r\nx-amz-checksum-crc32:${checksum}\r\n\r\n`;
        return raw(
          'PUT',
          '/bucket/trailer',
          {
            'x-amz-content-sha256': 'STREAMING-UNSIGNED-PAYLOAD-TRAILER',
            'x-amz-decoded-content-length': '11',
            'x-amz-trailer': 'x-amz-checksum-crc32',
            'x-amz-sdk-checksum-algorithm': 'CRC32',
            'content-encoding': 'gzip,aws-chunked',
          },
          body,
        );
      };
      expect(codeOf(await send('AAAAAA=='))).toBe('400 BadDigest');
      expect((await send('DUoRhQ==')).headers).toMatchObject({
        'x-amz-checksum-crc32': 'DUoRhQ==',
        'x-amz-checksum-type': 'FULL_OBJECT',
      });
      const { headers, body } = await raw('GET', '/bucket/trailer', { 'x-amz-checksum-mode': 'ENABLED' });
      expect([body, headers['content-encoding'], headers['x-amz-checksum-crc32']]).toEqual([
        'hello world',
        'gzip',
        'DUoRhQ==',
      ]);
    });

    it('cuts the connection of a client that leaves, and of no other', async () => {
      await s3.send(new PutObjectCommand({ Bucket: 'bucket', Key: 'large', Body: Buffer.alloc(16 * 1024 * 1024) }));
      const { hostname, port } = new URL(app.target.endpoint);
      const { headers } = signedOptions(app.target, 'GET', '/bucket/large');
      const socket = connect(Number(port), hostname);
      const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}`);
      socket.write(`GET /bucket/large HTTP/1.1\r\n${lines.join('\r\n')}\r\n\r\n`);
      await new Promise((resolve) => socket.once('data', resolve));
      socket.destroy();
      await eventually(() => {
        const [request] = app.finished.filter(
          (each) => each.path === '/bucket/large' && each.operation === 'GetObject',
        );
        expect(request?.bytesOut).toBeLessThan(16 * 1024 * 1024);
      });
      expect((await raw('HEAD', '/bucket/large')).headers['content-length']).toBe(String(16 * 1024 * 1024));
    });
  });

  describe('objects', () => {
    const key = ' ä/€//../+ &<>"\u{1f600}';

    it('come back as they were stored, whatever their key', async () => {
      const put = await s3.send(
        new PutObjectCommand({
          Bucket: 'bucket',
          Key: key,
          Body: 'hello world',
          ContentType: 'text/plain',
          CacheControl: 'no-store',
          Metadata: { colour: 'blue' },
          Tagging: 'team=red',
        }),
      );
      expect(put).toMatchObject({ ETag: '"5eb63bbbe01eeed093cb22bb8f5acdc3"', ServerSideEncryption: 'AES256' });
      const got = await s3.send(new GetObjectCommand({ Bucket: 'bucket', Key: key }));
      expect(await got.Body?.transformToString()).toBe('hello world');
      expect(got).toMatchObject({
        ETag: put.ETag,
        ContentType: 'text/plain',
        CacheControl: 'no-store',
        Metadata: { colour: 'blue' },
        TagCount: 1,
        AcceptRanges: 'bytes',
        ContentLength: 11,
        ServerSideEncryption: 'AES256',
      });
      const range = await s3.send(new GetObjectCommand({ Bucket: 'bucket', Key: key, Range: 'bytes=6-' }));
      expect([range.$metadata.httpStatusCode, range.ContentRange, await range.Body?.transformToString()]).toEqual([
        206,
        'bytes 6-10/11',
        'world',
      ]);
      const page = await s3.send(new ListObjectsV2Command({ Bucket: 'bucket', Prefix: ' ', EncodingType: 'url' }));
      expect(decodeURIComponent(page.Contents?.[0]?.Key ?? '')).toBe(key);
      const plain = await s3.send(new ListObjectsV2Command({ Bucket: 'bucket', Prefix: ' ' }));
      expect(plain.Contents?.[0]?.Key).toBe(key);
    });

    it('answer conditions, ranges past the end and overrides', async () => {
      await s3.send(new PutObjectCommand({ Bucket: 'bucket', Key: 'cond', Body: 'abc' }));
      const { ETag, LastModified } = await s3.send(new HeadObjectCommand({ Bucket: 'bucket', Key: 'cond' }));
      const unchanged = await raw('GET', '/bucket/cond', { 'if-none-match': ETag as string });
      expect(unchanged).toMatchObject({
        status: 304,
        body: '',
        headers: { etag: ETag, 'last-modified': LastModified?.toUTCString() },
      });
      expect(codeOf(await raw('GET', '/bucket/cond', { 'if-match': '"other"' }))).toBe('412 PreconditionFailed');
      const etagOf = (condition: Record<string, string>) =>
        raw('GET', '/bucket/cond?attributes', { 'x-amz-object-attributes': 'ETag', ...condition });
      expect(await etagOf({ 'if-none-match': ETag as string })).toMatchObject({ status: 304, headers: { etag: ETag } });
      expect(codeOf(await etagOf({ 'if-match': '"other"' }))).toBe('412 PreconditionFailed');
      const beyond = await raw('GET', '/bucket/cond', { range: 'bytes=3-' });
      expect(codeOf(beyond)).toBe('416 InvalidRange');
      expect(beyond.body).toContain('<ActualObjectSize>3</ActualObjectSize>');
      const override = await raw('GET', '/bucket/cond?response-content-type=text%2Fcsv&response-expires=never');
      expect(override.headers).toMatchObject({ 'content-type': 'text/csv', expires: 'never' });
      const put = (condition: object): Promise<string> =>
        sdkError(s3.send(new PutObjectCommand({ Bucket: 'bucket', Key: 'cond', Body: 'new', ...condition })));
      expect(await put({ IfNoneMatch: '*' })).toBe('412 PreconditionFailed');
      expect(await put({ IfMatch: '"other"' })).toBe('412 PreconditionFailed');
      expect(await put({ IfMatch: ETag })).toBe('ok');
    });

    it('go through presigned URLs until these expire', async () => {
      const put = await getSignedUrl(s3, new PutObjectCommand({ Bucket: 'bucket', Key: 'pre signed' }), {
        expiresIn: 60,
      });
      expect((await fetch(put, { method: 'PUT', body: 'presigned body' })).status).toBe(200);
      const get = await getSignedUrl(s3, new GetObjectCommand({ Bucket: 'bucket', Key: 'pre signed' }));
      expect(await (await fetch(get)).text()).toBe('presigned body');
      const old = await getSignedUrl(s3, new GetObjectCommand({ Bucket: 'bucket', Key: 'pre signed' }), {
        signingDate: new Date(Date.now() - 3_600_000),
        expiresIn: 60,
      });
      const expired = await fetch(old);
      expect([expired.status, await expired.text()]).toEqual([403, expect.stringContaining('Request has expired')]);
      expect((await fetch(`${get}&versionId=null`)).status).toBe(403);
    });

    it('are copied, tagged, described and deleted', async () => {
      await s3.send(new PutObjectCommand({ Bucket: 'bucket', Key: 'source', Body: 'copy me', Metadata: { a: '1' } }));
      const copy = { Bucket: 'bucket', Key: 'target', CopySource: 'bucket/source' };
      const copied = await s3.send(new CopyObjectCommand(copy));
      expect(copied.CopyObjectResult?.ETag).toBeDefined();
      expect(await sdkError(s3.send(new CopyObjectCommand({ ...copy, Key: 'source' })))).toBe('400 InvalidRequest');
      const head = await s3.send(new HeadObjectCommand({ Bucket: 'bucket', Key: 'target' }));
      expect(head.Metadata).toEqual({ a: '1' });
      const tagging = { TagSet: [{ Key: 'k', Value: 'v & w'.replace(' & ', '-') }] };
      await s3.send(new PutObjectTaggingCommand({ Bucket: 'bucket', Key: 'target', Tagging: tagging }));
      const tags = await s3.send(new GetObjectTaggingCommand({ Bucket: 'bucket', Key: 'target' }));
      expect(tags.TagSet).toEqual(tagging.TagSet);
      const attributes = await s3.send(
        new GetObjectAttributesCommand({ Bucket: 'bucket', Key: 'target', ObjectAttributes: ['ETag', 'ObjectSize'] }),
      );
      expect(attributes).toMatchObject({ ObjectSize: 7, ETag: head.ETag?.replaceAll('"', '') });
      const deleted = await s3.send(
        new DeleteObjectsCommand({
          Bucket: 'bucket',
          Delete: { Objects: [{ Key: 'source' }, { Key: 'target' }, { Key: 'never there' }] },
        }),
      );
      expect(deleted.Deleted?.map((each) => each.Key).sort()).toEqual(['never there', 'source', 'target']);
    });
  });

  describe('encryption', () => {
    it('with a KMS key is told in every answer', async () => {
      const put = await s3.send(
        new PutObjectCommand({
          Bucket: 'bucket',
          Key: 'kms',
          Body: 'sealed',
          ServerSideEncryption: 'aws:kms',
          SSEKMSEncryptionContext: Buffer.from('{"team":"blue"}').toString('base64'),
        }),
      );
      expect(put.ServerSideEncryption).toBe('aws:kms');
      expect(put.SSEKMSKeyId).toBeDefined();
      const again = await s3.send(
        new PutObjectCommand({
          Bucket: 'bucket',
          Key: 'kms',
          Body: 'sealed',
          ServerSideEncryption: 'aws:kms',
          SSEKMSKeyId: `arn:aws:kms:${String(put.SSEKMSKeyId)}`,
        }),
      );
      expect(again.SSEKMSKeyId).toBe(put.SSEKMSKeyId);
      const got = await s3.send(new GetObjectCommand({ Bucket: 'bucket', Key: 'kms' }));
      expect(await got.Body?.transformToString()).toBe('sealed');
      expect(got).toMatchObject({ ServerSideEncryption: 'aws:kms', SSEKMSKeyId: put.SSEKMSKeyId });
      const unknown = { Bucket: 'bucket', Key: 'kms', Body: 'x', ServerSideEncryption: 'aws:kms' as const };
      expect(await sdkError(s3.send(new PutObjectCommand({ ...unknown, SSEKMSKeyId: 'no-such-key' })))).toBe(
        '400 KMS.NotFoundException',
      );
    });

    it('with a customer key needs that key again', async () => {
      const SSECustomerKey = Buffer.alloc(32, 1).toString('base64');
      const object = { Bucket: 'bucket', Key: 'ssec', SSECustomerAlgorithm: 'AES256' };
      const sse = { ...object, SSECustomerKey };
      await s3.send(new PutObjectCommand({ ...sse, Body: 'mine' }));
      const got = await s3.send(new GetObjectCommand(sse));
      expect(await got.Body?.transformToString()).toBe('mine');
      expect(got.SSECustomerAlgorithm).toBe('AES256');
      expect(await sdkError(s3.send(new GetObjectCommand({ Bucket: 'bucket', Key: 'ssec' })))).toBe(
        '400 InvalidRequest',
      );
      const wrong = { ...object, SSECustomerKey: Buffer.alloc(32, 2).toString('base64') };
      expect(await sdkError(s3.send(new GetObjectCommand(wrong)))).toBe('403 AccessDenied');
    });

    it('of a bucket is set, shown and taken away', async () => {
      await s3.send(new CreateBucketCommand({ Bucket: 'rules' }));
      const get = async (): Promise<unknown> => {
        const { ServerSideEncryptionConfiguration } = await s3.send(
          new GetBucketEncryptionCommand({ Bucket: 'rules' }),
        );
        return ServerSideEncryptionConfiguration?.Rules?.[0]?.ApplyServerSideEncryptionByDefault?.SSEAlgorithm;
      };
      const put = (KMSMasterKeyID?: string, SSEAlgorithm: 'aws:kms' | 'AES256' = 'aws:kms'): Promise<string> =>
        sdkError(
          s3.send(
            new PutBucketEncryptionCommand({
              Bucket: 'rules',
              ServerSideEncryptionConfiguration: {
                Rules: [{ ApplyServerSideEncryptionByDefault: { SSEAlgorithm, KMSMasterKeyID } }],
              },
            }),
          ),
        );
      expect(await get()).toBe('AES256');
      expect(await put()).toBe('ok');
      expect(await get()).toBe('aws:kms');
      expect(await put('no-such-key')).toBe('400 KMS.NotFoundException');
      expect(await put('key', 'AES256')).toBe('400 InvalidArgument');
      const { ServerSideEncryption } = await s3.send(new PutObjectCommand({ Bucket: 'rules', Key: 'k', Body: 'x' }));
      expect(ServerSideEncryption).toBe('aws:kms');
      expect((await raw('DELETE', '/rules?encryption')).status).toBe(204);
      expect(codeOf(await raw('GET', '/rules?encryption'))).toBe('404 ServerSideEncryptionConfigurationNotFoundError');
    });
  });

  it('puts parts together', async () => {
    const upload = { Bucket: 'bucket', Key: 'multi part' };
    const { UploadId } = await s3.send(
      new CreateMultipartUploadCommand({ ...upload, ServerSideEncryption: 'aws:kms', ChecksumAlgorithm: 'CRC32' }),
    );
    const first = Buffer.alloc(5 * 1024 * 1024, 'a');
    const part1 = await s3.send(
      new UploadPartCommand({ ...upload, UploadId, PartNumber: 1, Body: first, ChecksumAlgorithm: 'CRC32' }),
    );
    await s3.send(new PutObjectCommand({ Bucket: 'bucket', Key: 'part source', Body: '0123456789' }));
    const part2 = await s3.send(
      new UploadPartCopyCommand({
        ...upload,
        UploadId,
        PartNumber: 2,
        CopySource: 'bucket/part%20source',
        CopySourceRange: 'bytes=2-4',
      }),
    );
    const uploads = await s3.send(new ListMultipartUploadsCommand({ Bucket: 'bucket', Prefix: 'multi' }));
    expect(uploads.Uploads).toMatchObject([{ Key: 'multi part', UploadId, ChecksumAlgorithm: 'CRC32' }]);
    const parts = await s3.send(new ListPartsCommand({ ...upload, UploadId, MaxParts: 1 }));
    expect(parts).toMatchObject({ IsTruncated: true, NextPartNumberMarker: '1', Parts: [{ PartNumber: 1 }] });
    const last = await s3.send(new ListPartsCommand({ ...upload, UploadId, PartNumberMarker: '1' }));
    expect(last).toMatchObject({ IsTruncated: false, Parts: [{ PartNumber: 2 }] });
    expect(last.NextPartNumberMarker).toBeUndefined();
    const completed = await s3.send(
      new CompleteMultipartUploadCommand({
        ...upload,
        UploadId,
        MultipartUpload: {
          Parts: [
            { PartNumber: 1, ETag: part1.ETag, ChecksumCRC32: part1.ChecksumCRC32 },
            { PartNumber: 2, ETag: part2.CopyPartResult?.ETag, ChecksumCRC32: part2.CopyPartResult?.ChecksumCRC32 },
          ],
        },
      }),
    );
    expect(completed).toMatchObject({ ServerSideEncryption: 'aws:kms', ChecksumType: 'COMPOSITE' });
    const tail = await s3.send(new GetObjectCommand({ ...upload, Range: 'bytes=-5' }));
    expect(await tail.Body?.transformToString()).toBe('aa234');
    const second = await s3.send(new GetObjectCommand({ ...upload, PartNumber: 2 }));
    expect([second.PartsCount, await second.Body?.transformToString()]).toEqual([2, '234']);
  });

  it('lists buckets page by page', async () => {
    await s3.send(new CreateBucketCommand({ Bucket: 'page-a' }));
    await s3.send(new CreateBucketCommand({ Bucket: 'page-b' }));
    const one = await s3.send(new ListBucketsCommand({ Prefix: 'page-', MaxBuckets: 1 }));
    expect(one.Buckets?.map((bucket) => bucket.Name)).toEqual(['page-a']);
    const two = await s3.send(
      new ListBucketsCommand({ Prefix: 'page-', MaxBuckets: 1, ContinuationToken: one.ContinuationToken }),
    );
    expect(two.Buckets?.map((bucket) => bucket.Name)).toEqual(['page-b']);
    expect(two.ContinuationToken).toBeUndefined();
  });

  it('keeps versions', async () => {
    const bucket = { Bucket: 'versioned' };
    await s3.send(new CreateBucketCommand(bucket));
    await s3.send(new PutBucketVersioningCommand({ ...bucket, VersioningConfiguration: { Status: 'Enabled' } }));
    const first = await s3.send(new PutObjectCommand({ ...bucket, Key: 'k', Body: 'one' }));
    await s3.send(new PutObjectCommand({ ...bucket, Key: 'k', Body: 'two' }));
    const marker = await raw('DELETE', '/versioned/k');
    expect(marker.headers['x-amz-delete-marker']).toBe('true');
    const missing = await raw('GET', '/versioned/k');
    expect([codeOf(missing), missing.headers['x-amz-delete-marker']]).toEqual(['404 NoSuchKey', 'true']);
    const byId = await raw('GET', `/versioned/k?versionId=${String(marker.headers['x-amz-version-id'])}`);
    expect([codeOf(byId), byId.headers['allow']]).toEqual(['405 MethodNotAllowed', 'DELETE']);
    const old = await s3.send(new GetObjectCommand({ ...bucket, Key: 'k', VersionId: first.VersionId }));
    expect(await old.Body?.transformToString()).toBe('one');
    const versions = await s3.send(new ListObjectVersionsCommand(bucket));
    expect([versions.Versions?.length, versions.DeleteMarkers?.[0]?.IsLatest]).toEqual([2, true]);
  });

  it('opens to the public what a bucket policy opens, and nothing else', async () => {
    const { endpoint } = app.target;
    await s3.send(new CreateBucketCommand({ Bucket: 'public' }));
    await s3.send(new PutObjectCommand({ Bucket: 'public', Key: 'page', Body: 'hello' }));
    expect((await fetch(`${endpoint}/public/page`)).status).toBe(403);
    const Policy = JSON.stringify({
      Version: '2012-10-17',
      Statement: [{ Effect: 'Allow', Principal: '*', Action: 's3:GetObject', Resource: 'arn:aws:s3:::public/*' }],
    });
    await s3.send(new PutBucketPolicyCommand({ Bucket: 'public', Policy }));
    expect(await (await fetch(`${endpoint}/public/page`)).text()).toBe('hello');
    expect((await fetch(`${endpoint}/public/missing`)).status).toBe(403);
    expect((await fetch(`${endpoint}/public`)).status).toBe(403);
    expect((await fetch(`${endpoint}/public/page?response-content-type=text/html`)).status).toBe(400);
    expect(codeOf(await raw('PUT', '/public?policy', {}, '{"Statement":"x"}'))).toBe('400 MalformedPolicy');
    const block =
      '<PublicAccessBlockConfiguration><RestrictPublicBuckets>true</RestrictPublicBuckets></PublicAccessBlockConfiguration>';
    expect((await raw('PUT', '/public?publicAccessBlock', {}, block)).status).toBe(200);
    expect((await fetch(`${endpoint}/public/page`)).status).toBe(403);
  });
});
