import fc from 'fast-check';
import {
  fromEncryptionHeaders,
  toEncryptionHeaders,
  toRustfsHeaders,
  type EncryptionFacts,
} from './encryption-headers';

const NAME = 'x-amz-server-side-encryption';
const context = fc.dictionary(fc.string({ unit: 'grapheme' }), fc.string({ unit: 'grapheme' }), { maxKeys: 4 });
const facts: fc.Arbitrary<EncryptionFacts> = fc.oneof(
  fc.constant({ mode: 'sse-s3' as const }),
  fc.record({ mode: fc.constant('sse-c' as const), customerKeyMd5: fc.base64String({ minLength: 24, maxLength: 24 }) }),
  fc.record(
    {
      mode: fc.constantFrom('sse-kms' as const, 'dsse-kms' as const),
      keyId: fc.stringMatching(/^[\w:/.-]{1,60}$/),
      context,
      bucketKey: fc.constant(true),
    },
    { requiredKeys: ['mode'] },
  ),
);

it('gives back every fact it wrote', () => {
  fc.assert(
    fc.property(facts, (value) => {
      expect(fromEncryptionHeaders(toEncryptionHeaders(value))).toEqual(value);
    }),
  );
});

it('writes the headers of S3', () => {
  expect(toEncryptionHeaders({ mode: 'none' })).toEqual({});
  expect(toEncryptionHeaders({ mode: 'sse-s3', keyId: 'internal' })).toEqual({ [NAME]: 'AES256' });
  expect(
    toEncryptionHeaders({ mode: 'sse-kms', keyId: 'my-key', context: { b: '2', a: '1' }, bucketKey: true }),
  ).toEqual({
    [NAME]: 'aws:kms',
    [`${NAME}-aws-kms-key-id`]: 'my-key',
    [`${NAME}-context`]: Buffer.from('{"a":"1","b":"2"}').toString('base64'),
    [`${NAME}-bucket-key-enabled`]: 'true',
  });
  expect(toEncryptionHeaders({ mode: 'dsse-kms', bucketKey: false })).toEqual({ [NAME]: 'aws:kms:dsse' });
  expect(toEncryptionHeaders({ mode: 'sse-c', customerKeyMd5: 'm' })).toEqual({
    [`${NAME}-customer-algorithm`]: 'AES256',
    [`${NAME}-customer-key-md5`]: 'm',
  });
});

it('finds nothing where there is nothing', () => {
  expect(fromEncryptionHeaders({ 'content-type': 'x' })).toBeUndefined();
});

it('takes a context without base64 padding', () => {
  const unpadded = Buffer.from('{"a":"1"}').toString('base64').replace(/=+$/, '');
  expect(fromEncryptionHeaders({ [NAME]: 'aws:kms', [`${NAME}-context`]: unpadded })).toEqual({
    mode: 'sse-kms',
    context: { a: '1' },
  });
});

it.each<[string, Record<string, string>, string]>([
  ['an unknown algorithm', { [NAME]: 'AES128' }, 'InvalidArgument'],
  ['an algorithm in other letters', { [NAME]: 'AWS:KMS' }, 'InvalidArgument'],
  ['a key id without aws:kms', { [`${NAME}-aws-kms-key-id`]: 'k' }, 'InvalidArgument'],
  ['a key id with AES256', { [NAME]: 'AES256', [`${NAME}-aws-kms-key-id`]: 'k' }, 'InvalidArgument'],
  ['a key id with a space', { [NAME]: 'aws:kms', [`${NAME}-aws-kms-key-id`]: ' k' }, 'InvalidRequest'],
  ['a context that is not base64', { [NAME]: 'aws:kms', [`${NAME}-context`]: '{}' }, 'InvalidArgument'],
  ['a context that is not JSON', { [NAME]: 'aws:kms', [`${NAME}-context`]: 'AAAA' }, 'InvalidArgument'],
  ['an odd bucket key', { [NAME]: 'aws:kms', [`${NAME}-bucket-key-enabled`]: 'yes' }, 'InvalidArgument'],
  ['another customer algorithm', { [`${NAME}-customer-algorithm`]: 'AES128' }, 'InvalidArgument'],
  ['a customer MD5 alone', { [`${NAME}-customer-key-md5`]: 'm' }, 'InvalidArgument'],
  ['a customer key beside SSE-S3', { [NAME]: 'AES256', [`${NAME}-customer-algorithm`]: 'AES256' }, 'InvalidArgument'],
])('refuses %s', (_name, headers, kind) => {
  expect(() => fromEncryptionHeaders(headers)).toThrow(expect.objectContaining({ kind }) as Error);
});

it('gives older RustFS clients the wrapped key where asked to', () => {
  const record = {
    mode: 'sse-kms' as const,
    iv: Buffer.alloc(32, 1),
    sealAlgorithm: 'DAREv2-HMAC-SHA256',
    sealedKey: Buffer.alloc(64),
    multipart: false,
  };
  expect(toRustfsHeaders(record)).toEqual({});
  const wrappedKey = { kms: 'vault:default', keyId: 'k', ciphertext: Buffer.from('vault:v1:x') };
  expect(toRustfsHeaders({ ...record, wrappedKey })).toEqual({
    'x-amz-meta-sse-kms-encrypted-key': Buffer.from('vault:v1:x').toString('base64'),
    'x-amz-meta-sse-kms-iv': Buffer.alloc(32, 1).toString('base64'),
  });
});
