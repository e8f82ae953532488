import { createHmac, randomBytes } from 'node:crypto';
import { CiphertextError } from './dare';
import { DareOpener } from './dare-opener';
import { boundPath, deriveEtagKey, deriveLayerKeys, derivePartKey } from './key-derivation';
import { sealObjectKey, unsealObjectKey } from './object-key-seal';
import type { ObjectLocation } from './encryption.types';

const LOCATION: ObjectLocation = { bucket: 'bucket', key: 'object' };

function base64(text: string): Buffer {
  return Buffer.from(text, 'base64');
}

describe('key derivation', () => {
  // derivePartKeyTest of MinIO internal/crypto/key_test.go; the object key is 32 zero bytes.
  it.each([
    [0, 'aa7855e13839dd767cd5da7c1ff5036540c9264b7a803029315e55375287b4af'],
    [1, 'a3e7181c6eed030fd52f79537c56c4d07da92e56d374ff1dd2043350785b37d8'],
    [10000, 'f86e65c396ed52d204ee44bd1a0bbd86eb8b01b7354e67a3b3ae0e34dd5bd115'],
  ])('gives the part key of part %d', (part, expected) => {
    expect(derivePartKey(Buffer.alloc(32), part).toString('hex')).toBe(expected);
  });

  it('refuses part numbers that do not fit', () => {
    expect(() => derivePartKey(Buffer.alloc(32), -1)).toThrow(RangeError);
    expect(() => derivePartKey(Buffer.alloc(32), 2 ** 32)).toThrow(RangeError);
  });

  it('opens a sealed ETag (first of decryptETagTests, MinIO cmd/encryption-v1_test.go)', () => {
    const sealed = '20000f00f27834c9a2654927546df57f9e998187496394d4ee80f3d9978f85f3c7d81f72600cdbe03d80dc5a13d69354';
    const opener = new DareOpener(deriveEtagKey(Buffer.alloc(32)), { plaintextSize: 16 });
    const etag = Buffer.concat(opener.update(Buffer.from(sealed, 'hex')));
    opener.final();
    expect(etag.toString('hex')).toBe('8ad3fe6b84bf38489e95c701c84355b6');
  });

  it('gives unrelated keys to the layers', () => {
    const { inner, outer } = deriveLayerKeys(Buffer.alloc(32));
    expect(new Set([inner, outer, derivePartKey(Buffer.alloc(32), 1)].map((key) => key.toString('hex'))).size).toBe(3);
  });

  it.each([
    ['object', 'bucket/object'],
    ['a/b.c/ü', 'bucket/a/b.c/ü'],
    ['folder/', 'bucket/folder'],
    ['a//b', 'bucket/a//b'],
    ['a/./b', 'bucket/a/./b'],
    ['../other/x', 'bucket/../other/x'],
    ['/leading', 'bucket//leading'],
    ['folder//', 'bucket/folder//'],
    ['..', 'bucket/..'],
    ['../', 'bucket/../'],
  ])('binds %s to %s', (key, path) => {
    expect(boundPath({ bucket: 'bucket', key })).toBe(path);
  });
});

describe('sealed object keys', () => {
  // ssecUnsealObjectKeyTests of MinIO internal/crypto/sse_test.go
  const minioCustomer = {
    sealAlgorithm: 'DAREv2-HMAC-SHA256',
    iv: base64('coVfGS3I/CTrqexX5vUN+PQPoP9aUFiPYYrSzqTWfBA='),
    sealedKey: base64('IAAfAMBdYor5tf/UlVaQvwYlw5yKbPBeQqfygqsfHqhu1wHD9KDAP4bw38AhL12prFTS23JbbR9Re5Qv26ZnlQ=='),
  };
  const minioCustomerKey = base64('MzJieXRlc2xvbmdzZWNyZXRrZXltdXN0cHJvdmlkZWQ=');

  it('opens the SSE-C key of MinIO for its own object only', () => {
    expect(unsealObjectKey(minioCustomer, minioCustomerKey, 'SSE-C', LOCATION)).toHaveLength(32);
    expect(() =>
      unsealObjectKey(minioCustomer, minioCustomerKey, 'SSE-C', { bucket: 'bucket', key: 'object2' }),
    ).toThrow(CiphertextError);
  });

  it('opens the SSE-S3 key of MinIO (s3UnsealObjectKeyTests, cmd/crypto/sse_test.go)', () => {
    // That test's KMS: a master key of 32 zero bytes, HMAC(master key, key id ‖ context) opens the data key's package.
    const wrapping = createHmac('sha256', Buffer.alloc(32)).update('test-key-1{"bucket":"bucket/object"}').digest();
    const opener = new DareOpener(wrapping, { plaintextSize: 32 });
    const dataKey = Buffer.concat(
      opener.update(base64('IAAfAMRS2iw45FsfiF3QXajSYVWj1lxMpQm6DxDGPtADCX6fJQQ4atHBtfpgqJFyeQmIHsm0FBI+UlHw1Lv4ug==')),
    );
    opener.final();
    const sealed = {
      sealAlgorithm: 'DAREv2-HMAC-SHA256',
      iv: base64('hhVY0LKR1YtZbzAKxTWUfZt5enDfYX6Fxz1ma8Kiudc='),
      sealedKey: base64('IAAfALhsOeD5AE3s5Zgq3DZ5VFGsOa3B0ksVC86veDcaj+fXv2U0VadhPaOKYr9Emd5ssOsO0uIhIIrKiOy9rA=='),
    };
    expect(unsealObjectKey(sealed, dataKey, 'SSE-S3', LOCATION)).toHaveLength(32);
    expect(() => unsealObjectKey(sealed, dataKey, 'SSE-KMS', LOCATION)).toThrow(CiphertextError);
  });

  // sealUnsealKeyTests of MinIO internal/crypto/key_test.go
  it.each([
    ['another external key', { externalKey: Buffer.concat([Buffer.of(1), Buffer.alloc(31)]) }],
    ['another domain', { domain: 'SSE-S3' as const }],
    ['another bucket', { location: { bucket: 'Bucket', key: 'object' } }],
    ['another object', { location: { bucket: 'bucket', key: 'Object' } }],
    ['a legacy algorithm', { change: { sealAlgorithm: 'DARE-SHA256' } }],
    ['another IV', { change: { iv: Buffer.alloc(32, 1) } }],
    ['a short IV', { change: { iv: Buffer.alloc(31) } }],
    ['a short sealed key', { change: { sealedKey: Buffer.alloc(63) } }],
  ])('does not open with %s', (_name, { externalKey, domain, location, change }: Partial<Deviation>) => {
    const objectKey = randomBytes(32);
    const sealed = sealObjectKey(objectKey, Buffer.alloc(32), 'SSE-C', LOCATION);
    expect(sealed.sealedKey).toHaveLength(64);
    expect(unsealObjectKey(sealed, Buffer.alloc(32), 'SSE-C', LOCATION).equals(objectKey)).toBe(true);
    expect(() =>
      unsealObjectKey(
        { ...sealed, ...change },
        externalKey ?? Buffer.alloc(32),
        domain ?? 'SSE-C',
        location ?? LOCATION,
      ),
    ).toThrow(CiphertextError);
  });

  it('notices every altered byte of the sealed key', () => {
    const sealed = sealObjectKey(randomBytes(32), Buffer.alloc(32), 'SSE-KMS', LOCATION);
    for (let offset = 0; offset < 64; offset += 1) {
      const sealedKey = Buffer.from(sealed.sealedKey);
      sealedKey[offset] = sealedKey.readUInt8(offset) ^ 1;
      expect(() => unsealObjectKey({ ...sealed, sealedKey }, Buffer.alloc(32), 'SSE-KMS', LOCATION)).toThrow(
        CiphertextError,
      );
    }
  });

  it('refuses keys of another length', () => {
    expect(() => sealObjectKey(Buffer.alloc(31), Buffer.alloc(32), 'SSE-C', LOCATION)).toThrow(RangeError);
    expect(() => sealObjectKey(Buffer.alloc(32), Buffer.alloc(16), 'SSE-C', LOCATION)).toThrow(RangeError);
  });
});

interface Deviation {
  readonly externalKey: Buffer;
  readonly domain: 'SSE-S3';
  readonly location: ObjectLocation;
  readonly change: Partial<Parameters<typeof unsealObjectKey>[0]>;
}
