import { createHash } from 'node:crypto';
import type { IncomingHttpHeaders } from 'node:http';
import type { ObjectInfo } from '../../object-storage/object-storage.types';
import { contentMd5, multipartChecksum, sentChecksum } from './checksum-headers';
import { copySourceRange, partNumberOf, readConditions, requestedRange, writeConditions } from './condition-headers';
import { copySourceOf } from './copy-source';
import { describingHeaders, metadataOf, tagsOf } from './object-headers';
import {
  copySourceCustomerKeyOf,
  customerKeyOf,
  readingCustomerKeyOf,
  refuseManagedEncryptionOnRead,
  requestedEncryption,
} from './sse-headers';

function kindOf(work: () => unknown): string {
  try {
    work();
    return 'accepted';
  } catch (error) {
    return (error as { kind: string }).kind;
  }
}

const SSE = 'x-amz-server-side-encryption';
const KEY = Buffer.alloc(32, 7);
const KEY_MD5 = createHash('md5').update(KEY).digest('base64');
const CUSTOMER = {
  [`${SSE}-customer-algorithm`]: 'AES256',
  [`${SSE}-customer-key`]: KEY.toString('base64'),
  [`${SSE}-customer-key-md5`]: KEY_MD5,
};

describe('encryption headers', () => {
  it('reads every mode', () => {
    expect(requestedEncryption({})).toBeUndefined();
    expect(requestedEncryption({ [SSE]: 'AES256' })).toEqual({ mode: 'sse-s3' });
    expect(requestedEncryption({ [SSE]: 'aws:kms' })).toMatchObject({ mode: 'sse-kms' });
    const context = Buffer.from('{"team":"blue"}').toString('base64');
    expect(
      requestedEncryption({
        [SSE]: 'aws:kms:dsse',
        [`${SSE}-aws-kms-key-id`]: 'arn:aws:kms:my-key',
        [`${SSE}-context`]: context,
        [`${SSE}-bucket-key-enabled`]: 'true',
      }),
    ).toEqual({ mode: 'dsse-kms', keyId: 'arn:aws:kms:my-key', context: { team: 'blue' }, bucketKey: true });
    expect(requestedEncryption(CUSTOMER)).toEqual({ mode: 'sse-c', customerKey: { key: KEY, md5: KEY_MD5 } });
  });

  it.each<[string, IncomingHttpHeaders]>([
    ['InvalidArgument', { [SSE]: 'AES128' }],
    ['InvalidArgument', { [SSE]: 'aws:KMS' }],
    ['InvalidArgument', { [`${SSE}-aws-kms-key-id`]: 'key' }],
    ['InvalidArgument', { [SSE]: 'AES256', [`${SSE}-aws-kms-key-id`]: 'key' }],
    ['InvalidRequest', { [SSE]: 'aws:kms', [`${SSE}-aws-kms-key-id`]: ' key' }],
    ['InvalidArgument', { [SSE]: 'aws:kms', [`${SSE}-aws-kms-key-id`]: '' }],
    ['InvalidArgument', { [SSE]: 'aws:kms', [`${SSE}-context`]: 'not base64!' }],
    ['InvalidArgument', { [SSE]: 'aws:kms', [`${SSE}-context`]: Buffer.from('[1]').toString('base64') }],
    ['InvalidArgument', { ...CUSTOMER, [SSE]: 'AES256' }],
    ['InvalidArgument', { ...CUSTOMER, [SSE]: 'aws:kms' }],
    ['InvalidEncryptionAlgorithmError', { ...CUSTOMER, [`${SSE}-customer-algorithm`]: 'AES128' }],
    ['InvalidArgument', { ...CUSTOMER, [SSE]: 'AES256', [`${SSE}-customer-algorithm`]: 'AES128' }],
    ['InvalidArgument', { ...CUSTOMER, [`${SSE}-customer-algorithm`]: undefined }],
    ['InvalidArgument', { ...CUSTOMER, [`${SSE}-customer-key`]: undefined }],
    ['InvalidArgument', { ...CUSTOMER, [`${SSE}-customer-key-md5`]: undefined }],
    ['InvalidArgument', { ...CUSTOMER, [`${SSE}-customer-key`]: 'c2hvcnQ=' }],
    ['InvalidArgument', { ...CUSTOMER, [`${SSE}-customer-key-md5`]: Buffer.alloc(16).toString('base64') }],
  ])('answers %s to %j', (kind, headers) => {
    expect(kindOf(() => requestedEncryption(headers))).toBe(kind);
  });

  it('takes a customer key without its MD5 for reads alone, and none with a wrong one', () => {
    const withMd5 = (md5: string | undefined): IncomingHttpHeaders => ({
      ...CUSTOMER,
      [`${SSE}-customer-key-md5`]: md5,
    });
    expect(readingCustomerKeyOf(withMd5(undefined))).toEqual({ key: KEY, md5: KEY_MD5 });
    expect(kindOf(() => readingCustomerKeyOf(withMd5('')))).toBe('InvalidArgument');
    expect(kindOf(() => readingCustomerKeyOf(withMd5(Buffer.alloc(16).toString('base64'))))).toBe('InvalidArgument');
    expect(kindOf(() => customerKeyOf(withMd5(undefined)))).toBe('InvalidArgument');
  });

  it('takes what is no key for a wrong one on reads, and names the header that AWS names', () => {
    const short = { ...CUSTOMER, [`${SSE}-customer-key`]: 'c2hvcnQ=' };
    expect(kindOf(() => readingCustomerKeyOf(short))).toBe('AccessDenied');
    expect(() => customerKeyOf(short)).toThrow(expect.objectContaining({ details: { ArgumentName: SSE } }));
    expect(() => customerKeyOf({ ...CUSTOMER, [`${SSE}-customer-algorithm`]: 'KMS' })).toThrow(
      expect.objectContaining({ details: { ArgumentName: SSE, ArgumentValue: 'KMS' } }),
    );
  });

  it('refuses managed encryption on reads and half a copy source key', () => {
    expect(kindOf(() => refuseManagedEncryptionOnRead({ [SSE]: 'aws:kms' }))).toBe('BadRequest');
    expect(kindOf(() => refuseManagedEncryptionOnRead(CUSTOMER))).toBe('accepted');
    expect(
      kindOf(() => copySourceCustomerKeyOf({ 'x-amz-copy-source-server-side-encryption-customer-key': 'a' })),
    ).toBe('InvalidArgument');
  });
});

describe('checksum headers', () => {
  it('finds the one checksum, in a header or announced as a trailer', () => {
    expect(sentChecksum({}, [])).toBeUndefined();
    expect(sentChecksum({ 'x-amz-checksum-crc32': 'AAAAAA==' }, [])).toEqual({ algorithm: 'CRC32', value: 'AAAAAA==' });
    expect(sentChecksum({ 'x-amz-sdk-checksum-algorithm': 'crc32c' }, ['x-amz-checksum-crc32c'])).toEqual({
      algorithm: 'CRC32C',
    });
    expect(sentChecksum({ 'x-amz-checksum-mode': 'ENABLED', 'x-amz-checksum-algorithm': 'SHA1' }, [])).toBeUndefined();
  });

  it.each<[string, IncomingHttpHeaders, string[]]>([
    ['InvalidRequest', { 'x-amz-checksum-crc32': 'AAAA' }, []],
    ['InvalidRequest', { 'x-amz-checksum-crc32': 'AAAAAA==', 'x-amz-checksum-sha1': 'x' }, []],
    ['InvalidRequest', { 'x-amz-checksum-crc32': 'AAAAAA==' }, ['x-amz-checksum-crc32c']],
    ['InvalidRequest', { 'x-amz-checksum-blake3': 'AAAAAA==' }, []],
    ['InvalidRequest', { 'x-amz-sdk-checksum-algorithm': 'CRC32' }, []],
    ['InvalidRequest', { 'x-amz-sdk-checksum-algorithm': 'SHA1', 'x-amz-checksum-crc32': 'AAAAAA==' }, []],
  ])('answers %s to %j', (kind, headers, trailers) => {
    expect(kindOf(() => sentChecksum(headers, trailers))).toBe(kind);
  });

  it('knows which types go with which algorithm', () => {
    const of = (algorithm: string, type?: string): unknown =>
      multipartChecksum({ 'x-amz-checksum-algorithm': algorithm, 'x-amz-checksum-type': type });
    expect(of('CRC32')).toEqual({ algorithm: 'CRC32', type: 'COMPOSITE' });
    expect(of('CRC32', 'FULL_OBJECT')).toEqual({ algorithm: 'CRC32', type: 'FULL_OBJECT' });
    expect(of('CRC64NVME')).toEqual({ algorithm: 'CRC64NVME', type: 'FULL_OBJECT' });
    expect(kindOf(() => of('CRC64NVME', 'COMPOSITE'))).toBe('InvalidRequest');
    expect(kindOf(() => of('SHA256', 'FULL_OBJECT'))).toBe('InvalidRequest');
    expect(kindOf(() => of('MD4'))).toBe('InvalidRequest');
  });

  it('checks the form of Content-MD5', () => {
    expect(contentMd5({ 'content-md5': KEY_MD5 })).toEqual(Buffer.from(KEY_MD5, 'base64'));
    expect(kindOf(() => contentMd5({ 'content-md5': 'nonsense' }))).toBe('InvalidDigest');
    expect(kindOf(() => contentMd5({ 'content-md5': 'YWJj' }))).toBe('InvalidDigest');
  });
});

describe('object headers', () => {
  it('stores standard headers and user metadata, and takes aws-chunked off', () => {
    expect(
      metadataOf({
        'content-type': 'text/plain',
        'content-encoding': 'gzip,aws-chunked',
        'x-amz-meta-name': Buffer.from('Grüße').toString('latin1'),
        'x-amz-meta-old': '\xfc',
      }),
    ).toMatchObject({ contentType: 'text/plain', contentEncoding: 'gzip', user: { name: 'Grüße', old: 'ü' } });
    expect(metadataOf({ 'content-encoding': 'aws-chunked' }).contentEncoding).toBeUndefined();
  });

  it('limits metadata to 2 KB and storage classes to the known', () => {
    expect(kindOf(() => metadataOf({ 'x-amz-meta-a': 'v'.repeat(2047) }))).toBe('accepted');
    expect(kindOf(() => metadataOf({ 'x-amz-meta-a': 'v'.repeat(2048) }))).toBe('MetadataTooLarge');
    expect(kindOf(() => metadataOf({ 'x-amz-storage-class': 'GOLD' }))).toBe('InvalidStorageClass');
  });

  it('gives back what was stored, encoded so that headers can carry it', () => {
    const info: ObjectInfo = {
      bucket: 'b',
      key: 'k',
      versionId: 'null',
      versioned: true,
      isLatest: true,
      deleteMarker: false,
      size: 1,
      etag: 'abc',
      lastModified: new Date('2026-01-02T03:04:05.678Z'),
      metadata: { contentDisposition: 'attachment; filename="ü"', user: { name: 'Grüße', plain: 'text' } },
      encryption: { mode: 'none' },
      tags: { a: '1' },
      owner: 'root',
    };
    expect(describingHeaders(info)).toEqual({
      ETag: '"abc"',
      'Last-Modified': 'Fri, 02 Jan 2026 03:04:05 GMT',
      'Accept-Ranges': 'bytes',
      'Content-Type': 'binary/octet-stream',
      'Content-Disposition': Buffer.from('attachment; filename="ü"').toString('latin1'),
      'x-amz-meta-name': '=?UTF-8?Q?Gr=C3=BC=C3=9Fe?=',
      'x-amz-meta-plain': 'text',
      'x-amz-tagging-count': '1',
    });
  });

  it('parses tags', () => {
    expect(tagsOf({ 'x-amz-tagging': 'a=1&b%20c=%2F&d' })).toEqual({ a: '1', 'b c': '/', d: '' });
    expect(tagsOf({ 'x-amz-tagging': '%2B-%20%3D._%3A%2F=%2B-%20%3D._%3A%2F&&' })).toEqual({ '+- =._:/': '+- =._:/' });
    expect(kindOf(() => tagsOf({ 'x-amz-tagging': 'a==1' }))).toBe('InvalidArgument');
    expect(kindOf(() => tagsOf({ 'x-amz-tagging': 'a=1&a=2' }))).toBe('InvalidArgument');
    expect(kindOf(() => tagsOf({ 'x-amz-tagging': 'a=%' }))).toBe('InvalidArgument');
    expect(kindOf(() => tagsOf({ 'x-amz-tagging': 'a=<' }))).toBe('InvalidTag');
    const eleven = Array.from({ length: 11 }, (_, index) => `t${index}=x`).join('&');
    expect(kindOf(() => tagsOf({ 'x-amz-tagging': eleven }))).toBe('BadRequest');
  });
});

describe('condition and range headers', () => {
  it.each([
    ['bytes=0-9', { kind: 'from', first: 0, last: 9 }],
    ['bytes=5-', { kind: 'from', first: 5 }],
    ['bytes=-7', { kind: 'suffix', length: 7 }],
    ['bytes=9-5', undefined],
    ['bytes=0-1,3-4', undefined],
    ['bytes=-', undefined],
    ['lines=1-2', undefined],
    ['bytes=a-b', undefined],
  ])('reads the range %s', (range, expected) => {
    expect(requestedRange({ range })).toEqual(expected);
  });

  it('reads conditions', () => {
    expect(readConditions({}, '')).toBeUndefined();
    expect(
      readConditions(
        { 'if-match': '"a", W/"b"', 'if-none-match': '*', 'if-modified-since': 'Fri, 02 Jan 2026 03:04:05 GMT' },
        '',
      ),
    ).toEqual({
      ifMatch: ['a', 'b'],
      ifNoneMatch: ['*'],
      ifModifiedSince: new Date('2026-01-02T03:04:05Z'),
      ifUnmodifiedSince: undefined,
    });
    expect(writeConditions({ 'if-none-match': '*' })).toEqual({ ifNoneMatchAny: true });
    expect(writeConditions({ 'if-match': '"a"' })).toEqual({ ifMatch: 'a' });
    expect(kindOf(() => writeConditions({ 'if-none-match': '"a"' }))).toBe('NotImplemented');
  });

  it('reads part numbers, copy ranges and copy sources', () => {
    expect(partNumberOf(new Map([['partNumber', '10000']]))).toBe(10000);
    for (const value of ['0', '10001', '-1', 'x', '']) {
      expect(kindOf(() => partNumberOf(new Map([['partNumber', value]])))).toBe('InvalidArgument');
    }
    expect(copySourceRange({ 'x-amz-copy-source-range': 'bytes=1-5' })).toEqual({ first: 1, last: 5 });
    expect(kindOf(() => copySourceRange({ 'x-amz-copy-source-range': 'bytes=5-' }))).toBe('InvalidArgument');
    const source = (value: string): unknown => copySourceOf({ 'x-amz-copy-source': value });
    expect(source('/bucket/a%20b/c+d%2B?versionId=v1')).toEqual({ bucket: 'bucket', key: 'a b/c d+', versionId: 'v1' });
    expect(source('bucket%2Fkey')).toEqual({ bucket: 'bucket', key: 'key' });
    expect(kindOf(() => source('bucket/a?versionId='))).toBe('InvalidArgument');
    expect(source('bucket/a%3FversionId=x')).toEqual({ bucket: 'bucket', key: 'a?versionId=x' });
    for (const value of ['', 'bucket', 'bucket/', '/', 'bucket/%zz']) {
      expect(kindOf(() => source(value))).toBe('InvalidArgument');
    }
  });
});
