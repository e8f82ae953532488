import { CreateBucketCommand, PutBucketVersioningCommand, PutObjectCommand } from '@aws-sdk/client-s3';
import fc from 'fast-check';
import { S3_ROUTES } from '../../src/s3/s3-routes';
import { parseXml } from '../../src/s3/xml';
import { converse, requestBytes } from '../support/raw-socket';
import { signedOptions } from '../support/raw-request';
import { TestServer } from '../support/server';

const BUCKET = 'fuzz';
/** What no request of chance names. */
const UNTOUCHED = 'untouched';
const RUNS = 60;
/** How long to wait for the answer to a request that is whole, and to one that may not be, in milliseconds. */
const COMPLETE = 20_000;
const INCOMPLETE = 500;
const METHODS = ['GET', 'HEAD', 'PUT', 'POST', 'DELETE', 'OPTIONS', 'TRACE', 'PATCH', 'CONNECT', 'PROPFIND'];
const SUB_RESOURCES = [...new Set(S3_ROUTES.flatMap(({ query }) => (query === undefined ? [] : [query])))];
const HEADERS = [
  'content-type',
  'content-md5',
  'content-encoding',
  'expect',
  'if-match',
  'if-none-match',
  'if-modified-since',
  'origin',
  'range',
  'x-amz-acl',
  'x-amz-bypass-governance-retention',
  'x-amz-checksum-crc32',
  'x-amz-checksum-mode',
  'x-amz-copy-source',
  'x-amz-copy-source-range',
  'x-amz-decoded-content-length',
  'x-amz-expected-bucket-owner',
  'x-amz-meta-a',
  'x-amz-metadata-directive',
  'x-amz-mfa',
  'x-amz-object-attributes',
  'x-amz-object-lock-mode',
  'x-amz-object-lock-retain-until-date',
  'x-amz-sdk-checksum-algorithm',
  'x-amz-security-token',
  'x-amz-server-side-encryption',
  'x-amz-server-side-encryption-aws-kms-key-id',
  'x-amz-server-side-encryption-context',
  'x-amz-server-side-encryption-customer-algorithm',
  'x-amz-storage-class',
  'x-amz-tagging',
  'x-amz-trailer',
  'x-amz-website-redirect-location',
];

/** Any characters that can stand in a request line or header. */
const printable = fc.string({ unit: fc.integer({ min: 0x21, max: 0xff }).map((code) => String.fromCharCode(code)) });
const word = fc.oneof(
  printable,
  fc.constantFrom(
    '',
    '0',
    '-1',
    '1',
    '99999999999999999999',
    'true',
    '*',
    '%',
    '%00',
    '%FF',
    '%C3%28',
    '..',
    '/',
    'NaN',
  ),
);
const headers = fc.dictionary(fc.constantFrom(...HEADERS), word, { maxKeys: 4 });
const query = fc
  .array(
    fc.tuple(
      fc.oneof(fc.constantFrom(...SUB_RESOURCES, 'uploadId', 'versionId', 'max-keys', 'partNumber'), word),
      word,
    ),
    {
      maxLength: 3,
    },
  )
  .map((pairs) => pairs.map(([name, value]) => `${encodeURIComponent(name)}=${encodeURIComponent(value)}`).join('&'));
const xml = fc.letrec<{ node: string }>((tie) => ({
  node: fc.oneof(
    { maxDepth: 4 },
    fc.constantFrom(
      'Enabled',
      'Suspended',
      'a',
      '1',
      '-1',
      '',
      '&amp;',
      '&lt;',
      '&#0;',
      '&x;',
      '<![CDATA[x]]>',
      '<!-- x -->',
    ),
    fc
      .tuple(
        fc.constantFrom(
          'Tag',
          'Key',
          'Value',
          'TagSet',
          'Status',
          'Rule',
          'Object',
          'Part',
          'ETag',
          'Days',
          'ID',
          'Filter',
        ),
        fc.array(tie('node'), { maxLength: 3 }),
      )
      .map(([name, children]) => `<${name}>${children.join('')}</${name}>`),
  ),
})).node;
const ROOTS = [
  'Tagging',
  'Delete',
  'CompleteMultipartUpload',
  'VersioningConfiguration',
  'LifecycleConfiguration',
  'CORSConfiguration',
  'ServerSideEncryptionConfiguration',
  'CreateBucketConfiguration',
  'ObjectLockConfiguration',
  'RestoreRequest',
];

describe('whatever comes over the wire', () => {
  let server: TestServer;

  beforeAll(async () => {
    server = await TestServer.start();
    const s3 = server.s3();
    await s3.send(new CreateBucketCommand({ Bucket: BUCKET }));
    await s3.send(new CreateBucketCommand({ Bucket: UNTOUCHED }));
    const VersioningConfiguration = { Status: 'Enabled' } as const;
    await s3.send(new PutBucketVersioningCommand({ Bucket: BUCKET, VersioningConfiguration }));
    // Holds the bucket, which a request of chance may ask to delete.
    await s3.send(new PutObjectCommand({ Bucket: BUCKET, Key: 'kept', Body: 'content' }));
    await s3.send(new PutObjectCommand({ Bucket: UNTOUCHED, Key: 'object', Body: 'content' }));
  });
  afterAll(() => server.stop());

  /** What must hold of every answer: nothing, or HTTP that is no crash, with a readable document where it refuses. */
  function assertSensible(answer: string): void {
    if (answer === '') {
      return;
    }
    const status = Number(/^HTTP\/1\.1 (\d{3}) /.exec(answer.replace(/^HTTP\/1\.1 100 Continue\r\n\r\n/, ''))?.[1]);
    expect(status).toBeGreaterThanOrEqual(200);
    expect([500, 502, 504]).not.toContain(status);
    const document = /\r\n\r\n(<\?xml .*<\/Error>)/s.exec(answer)?.[1];
    if (document !== undefined) {
      expect(() => parseXml(Buffer.from(document, 'latin1'), 'Error')).not.toThrow();
    }
  }

  /** Sends a request that is signed as a client would sign it, and so reaches the operations. */
  async function signed(
    method: string,
    path: string,
    more: Record<string, string>,
    body: Buffer | string = '',
  ): Promise<void> {
    const stated = { 'x-amz-content-sha256': 'UNSIGNED-PAYLOAD', 'content-length': String(Buffer.byteLength(body)) };
    const { headers: all } = signedOptions(server, method, path, { ...stated, ...more });
    assertSensible(await converse(server.endpoint, requestBytes(`${method} ${path} HTTP/1.1`, all, body), COMPLETE));
  }

  /** The worker that served everything before still serves. */
  async function assertAlive(): Promise<void> {
    const { headers: all } = signedOptions(server, 'GET', `/${UNTOUCHED}/object`, {
      'x-amz-content-sha256': 'UNSIGNED-PAYLOAD',
    });
    const answer = await converse(server.endpoint, requestBytes(`GET /${UNTOUCHED}/object HTTP/1.1`, all), COMPLETE);
    expect(answer).toMatch(/^HTTP\/1\.1 200 OK.*content$/s);
    expect(server.output).not.toMatch(/uncaught|unhandled|worker .*(died|exited|ended)/i);
  }
  afterEach(assertAlive);

  it('is answered or cut off, be it HTTP or not', async () => {
    const line = fc.oneof(
      fc
        .tuple(fc.constantFrom(...METHODS), word, fc.constantFrom('HTTP/1.1', 'HTTP/1.0', 'HTTP/2.0', 'HTTP/9', ''))
        .map(([method, target, version]) => `${method} /${target} ${version}`),
      printable,
    );
    const all = fc.dictionary(
      fc.oneof(fc.constantFrom(...HEADERS, 'Host', 'Content-Length', 'Transfer-Encoding'), printable),
      word,
    );
    await fc.assert(
      fc.asyncProperty(line, all, fc.uint8Array({ maxLength: 64 }), async (first, fields, body) => {
        assertSensible(await converse(server.endpoint, requestBytes(first, fields, Buffer.from(body)), INCOMPLETE));
      }),
      { numRuns: RUNS * 2 },
    );
  });

  it('is answered, whatever parameters and headers a signed request has', async () => {
    const key = fc.constantFrom('', '/', '/object', '/missing', '/%F0%9F%98%80', '/a//b/../c');
    await fc.assert(
      fc.asyncProperty(
        fc.constantFrom(...METHODS.slice(0, 5)),
        key,
        query,
        headers,
        (method, suffix, parameters, fields) =>
          signed(method, `/${BUCKET}${suffix}?${parameters}`, fields, method === 'PUT' ? 'body' : ''),
      ),
      { numRuns: RUNS * 2 },
    );
  });

  it('is answered, whatever document comes for a sub-resource', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.constantFrom('PUT', 'POST'),
        fc.constantFrom('', '/object'),
        fc.constantFrom(...SUB_RESOURCES),
        fc.constantFrom(...ROOTS),
        fc.array(xml, { maxLength: 3 }),
        (method, suffix, parameter, root, children) =>
          signed(method, `/${BUCKET}${suffix}?${parameter}=`, {}, `<${root}>${children.join('')}</${root}>`),
      ),
      { numRuns: RUNS * 2 },
    );
  });

  it('is answered, however a body is cut into chunks', async () => {
    const size = fc.oneof(fc.constantFrom('0', '4', '4 ', 'zz', '-1', 'ffffffffffffffff', '04;x=y', ''), printable);
    const chunk = fc.tuple(size, fc.constantFrom('body', '', 'body and more'), fc.constantFrom('\r\n', '\n', ''));
    const trailer = fc.oneof(
      fc.constantFrom('x-amz-checksum-crc32:AAAAAA==', 'x-amz-checksum-crc32', ':', ''),
      printable,
    );
    await fc.assert(
      fc.asyncProperty(
        fc.constantFrom(
          'STREAMING-AWS4-HMAC-SHA256-PAYLOAD',
          'STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER',
          'STREAMING-UNSIGNED-PAYLOAD-TRAILER',
        ),
        fc.array(chunk, { maxLength: 4 }),
        trailer,
        fc.constantFrom('0', '4', '8', '-1', 'x', '99999999999'),
        (framing, chunks, last, length) =>
          signed(
            'PUT',
            `/${BUCKET}/chunked`,
            {
              'x-amz-content-sha256': framing,
              'x-amz-decoded-content-length': length,
              'content-encoding': 'aws-chunked',
              'x-amz-trailer': 'x-amz-checksum-crc32',
            },
            Buffer.from(
              `${chunks.map(([head, data, end]) => `${head}\r\n${data}${end}`).join('')}0\r\n${last}\r\n\r\n`,
              'latin1',
            ),
          ),
      ),
      { numRuns: RUNS },
    );
  });

  it('is answered, whatever a form holds', async () => {
    const name = fc.constantFrom(
      'key',
      'file',
      'policy',
      'acl',
      'tagging',
      'success_action_status',
      'x-amz-signature',
      'x-amz-date',
    );
    const part = fc.tuple(fc.oneof(name, printable), word, fc.constantFrom('\r\n', '\n', ''));
    await fc.assert(
      fc.asyncProperty(fc.array(part, { maxLength: 5 }), fc.constantFrom('--x--', '--x', ''), async (parts, end) => {
        const body = Buffer.from(
          parts
            .map(
              ([field, value, eol]) => `--x\r\nContent-Disposition: form-data; name="${field}"\r\n${eol}${value}\r\n`,
            )
            .join('') + end,
          'latin1',
        );
        const fields = {
          Host: new URL(server.endpoint).host,
          'Content-Type': 'multipart/form-data; boundary=x',
          'Content-Length': String(body.length),
        };
        assertSensible(
          await converse(server.endpoint, requestBytes(`POST /${BUCKET} HTTP/1.1`, fields, body), COMPLETE),
        );
      }),
      { numRuns: RUNS },
    );
  });

  it('is refused for the reason it has', async () => {
    const host = new URL(server.endpoint).host;
    const ask = (line: string, fields: Record<string, string> = { Host: host }): Promise<string> =>
      converse(server.endpoint, requestBytes(line, fields), COMPLETE);
    expect(await ask(`TRACE /${UNTOUCHED}/object HTTP/1.1`)).toMatch(/^HTTP\/1\.1 405 .*<Code>MethodNotAllowed/s);
    expect(await ask(`PATCH /${UNTOUCHED}/object HTTP/1.1`)).toMatch(/^HTTP\/1\.1 405 .*<Code>MethodNotAllowed/s);
    expect(await ask(`OPTIONS /${UNTOUCHED}/object HTTP/1.1`)).toMatch(/^HTTP\/1\.1 (400|403) /);
    expect(await ask(`GET /${UNTOUCHED}/object HTTP/1.0`)).toMatch(/^HTTP\/1\.1 403 .*<Code>AccessDenied/s);
    expect(await ask(`GET /${UNTOUCHED}/object HTTP/1.1`, {})).toMatch(/^HTTP\/1\.1 400 /);
    expect(await ask(`GET /${'k'.repeat(40_000)} HTTP/1.1`)).toMatch(/^HTTP\/1\.1 431 /);
  });
});
