import fc from 'fast-check';
import { CiphertextError } from './dare';
import type { EncryptionRecord } from './encryption.types';
import { decodeMetadata, encodeMetadata } from './metadata-codec';

const PREFIX = 'X-Minio-Internal-Server-Side-Encryption-';
const KMS = 'builtin:default';

/** s3UnsealObjectKeyTests[0] of MinIO cmd/crypto/sse_test.go */
const MINIO_S3 = {
  [`${PREFIX}Iv`]: 'hhVY0LKR1YtZbzAKxTWUfZt5enDfYX6Fxz1ma8Kiudc=',
  [`${PREFIX}S3-Sealed-Key`]:
    'IAAfALhsOeD5AE3s5Zgq3DZ5VFGsOa3B0ksVC86veDcaj+fXv2U0VadhPaOKYr9Emd5ssOsO0uIhIIrKiOy9rA==',
  [`${PREFIX}S3-Kms-Sealed-Key`]:
    'IAAfAMRS2iw45FsfiF3QXajSYVWj1lxMpQm6DxDGPtADCX6fJQQ4atHBtfpgqJFyeQmIHsm0FBI+UlHw1Lv4ug==',
  [`${PREFIX}S3-Kms-Key-Id`]: 'test-key-1',
  [`${PREFIX}Seal-Algorithm`]: 'DAREv2-HMAC-SHA256',
};

const bytes = (length: number): fc.Arbitrary<Buffer> =>
  fc.uint8Array({ minLength: length, maxLength: length }).map((array) => Buffer.from(array));
const context = fc.dictionary(fc.string({ unit: 'grapheme' }), fc.string({ unit: 'grapheme' }), { maxKeys: 4 });
const wrappedKey = fc.record(
  {
    kms: fc.constantFrom('vault:default', 'builtin:server'),
    keyId: fc.string({ minLength: 1 }),
    keyVersion: fc.string({ minLength: 1 }),
    ciphertext: fc.uint8Array({ minLength: 1, maxLength: 200 }).map((array) => Buffer.from(array)),
  },
  { requiredKeys: ['kms', 'keyId', 'ciphertext'] },
);
const common = {
  iv: bytes(32),
  sealedKey: bytes(64),
  sealAlgorithm: fc.constant('DAREv2-HMAC-SHA256'),
  multipart: fc.boolean(),
};
const record: fc.Arbitrary<EncryptionRecord> = fc.oneof(
  fc.record({ ...common, mode: fc.constant('sse-c' as const) }),
  fc.record({ ...common, mode: fc.constant('sse-s3' as const), wrappedKey }),
  fc.record(
    {
      ...common,
      mode: fc.constantFrom('sse-kms' as const, 'dsse-kms' as const),
      wrappedKey,
      context,
      bucketKey: fc.constant(true),
    },
    { requiredKeys: ['mode', 'iv', 'sealedKey', 'sealAlgorithm', 'multipart', 'wrappedKey'] },
  ),
);

it('gives back every record it wrote', () => {
  fc.assert(
    fc.property(record, (value) => {
      const metadata = { 'content-type': 'text/plain', ...encodeMetadata(value) };
      expect(decodeMetadata(metadata, 'other:kms')).toEqual(value);
    }),
  );
});

it('reads what MinIO wrote', () => {
  const decoded = decodeMetadata({ ...MINIO_S3, etag: 'x' }, KMS);
  expect(decoded).toMatchObject({ mode: 'sse-s3', multipart: false, wrappedKey: { kms: KMS, keyId: 'test-key-1' } });
  expect(decoded && encodeMetadata(decoded)).toMatchObject(MINIO_S3);
});

it('writes the names of MinIO', () => {
  const value: EncryptionRecord = {
    mode: 'sse-kms',
    iv: Buffer.alloc(32),
    sealAlgorithm: 'DAREv2-HMAC-SHA256',
    sealedKey: Buffer.alloc(64),
    wrappedKey: { kms: KMS, keyId: 'my-key', ciphertext: Buffer.from('c') },
    context: { b: '2', a: '1' },
    multipart: true,
  };
  expect(encodeMetadata(value)).toEqual({
    [`${PREFIX}Iv`]: Buffer.alloc(32).toString('base64'),
    [`${PREFIX}Seal-Algorithm`]: 'DAREv2-HMAC-SHA256',
    [`${PREFIX}Kms-Sealed-Key`]: Buffer.alloc(64).toString('base64'),
    [`${PREFIX}S3-Kms-Key-Id`]: 'my-key',
    [`${PREFIX}S3-Kms-Sealed-Key`]: Buffer.from('c').toString('base64'),
    [`${PREFIX}Context`]: Buffer.from('{"a":"1","b":"2"}').toString('base64'),
    'X-Minio-Internal-Encrypted-Multipart': '',
    'X-Strongroom-Internal-Kms': KMS,
  });
});

it('takes objects without encryption metadata as unencrypted', () => {
  expect(decodeMetadata({ 'content-type': 'x', 'x-amz-server-side-encryption': 'aws:kms' }, KMS)).toBeUndefined();
});

it.each<[string, Record<string, string | undefined>]>([
  ['no IV', { Iv: undefined }],
  ['a short IV', { Iv: Buffer.alloc(31).toString('base64') }],
  ['an IV that is not base64', { Iv: '.hVY0LKR1YtZbzAKxTWUfZt5enDfYX6Fxz1ma8Kiudc=' }],
  ['no seal algorithm', { 'Seal-Algorithm': undefined }],
  ['a legacy seal algorithm', { 'Seal-Algorithm': 'DARE-SHA256' }],
  ['no sealed key', { 'S3-Sealed-Key': undefined }],
  ['an empty sealed key', { 'S3-Sealed-Key': '' }],
  ['a short sealed key', { 'S3-Sealed-Key': Buffer.alloc(63).toString('base64') }],
  ['two sealed keys', { 'Kms-Sealed-Key': Buffer.alloc(64).toString('base64') }],
  ['a key id without ciphertext', { 'S3-Kms-Sealed-Key': undefined }],
  ['ciphertext without key id', { 'S3-Kms-Key-Id': undefined }],
  ['an empty key id', { 'S3-Kms-Key-Id': '' }],
  ['KMS ciphertext that is not base64', { 'S3-Kms-Sealed-Key': '.MzJieXRlc2xv' }],
  ['a context that is not base64', { Context: '{}' }],
  ['a context that is not JSON', { Context: Buffer.from('{').toString('base64') }],
  ['a context of other values', { Context: Buffer.from('{"a":1}').toString('base64') }],
  ['a context that is a list', { Context: Buffer.from('["a"]').toString('base64') }],
])('refuses %s', (_name, change) => {
  const metadata: Record<string, string> = { ...MINIO_S3 };
  for (const [suffix, value] of Object.entries(change)) {
    delete metadata[`${PREFIX}${suffix}`];
    if (value !== undefined) {
      metadata[`${PREFIX}${suffix}`] = value;
    }
  }
  expect(() => decodeMetadata(metadata, KMS)).toThrow(CiphertextError);
});

it('refuses a KMS key beside a customer key, and a lone multipart mark', () => {
  const { [`${PREFIX}S3-Sealed-Key`]: sealedKey, ...rest } = MINIO_S3;
  expect(() => decodeMetadata({ ...rest, [`${PREFIX}Sealed-Key`]: sealedKey }, KMS)).toThrow(CiphertextError);
  expect(() => decodeMetadata({ 'X-Minio-Internal-Encrypted-Multipart': '' }, KMS)).toThrow(CiphertextError);
});
