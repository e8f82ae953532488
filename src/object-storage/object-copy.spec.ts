import { randomBytes } from 'node:crypto';
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { createTestStorage, customerKey, type TestStorage } from '../../test/support/storage';
import type { CustomerKey, EncryptionRequest } from '../crypto/encryption.types';
import type { CopyObjectCommand } from './object-storage.types';

const SOURCE_KEY = customerKey();
const TARGET_KEY = customerKey();

const requests = (key: CustomerKey): EncryptionRequest[] => [
  { mode: 'none' },
  { mode: 'sse-s3' },
  { mode: 'sse-kms', keyId: 'k', context: { a: 'b' } },
  { mode: 'dsse-kms' },
  { mode: 'sse-c', customerKey: key },
];

const PAIRS = requests(SOURCE_KEY).flatMap((from) =>
  requests(TARGET_KEY).map((to) => [from.mode, to.mode, from, to] as const),
);

let storage: TestStorage;

beforeAll(async () => {
  storage = await createTestStorage();
  await storage.buckets.create('bucket', 'owner');
  await storage.buckets.create('other', 'owner', { ownership: 'ObjectWriter' });
});

afterAll(() => storage.close());

const keyOf = (request: EncryptionRequest): CustomerKey | undefined =>
  request.mode === 'sse-c' ? request.customerKey : undefined;

const copy = (from: string, to: string, more: Partial<CopyObjectCommand> = {}) =>
  storage.objects.copy({
    source: { bucket: 'bucket', key: from },
    bucket: 'bucket',
    key: to,
    owner: 'owner',
    ...more,
  });

const blobFiles = async (): Promise<string[]> =>
  (await readdir(join(storage.directory, 'objects'), { recursive: true, withFileTypes: true }))
    .filter((entry) => entry.isFile())
    .map((entry) => entry.name)
    .sort();

describe.each(PAIRS)('a copy from %s to %s', (_, __, from, to) => {
  it.each([0, 1000, 200_000])('of %d bytes holds the same', async (size) => {
    const content = randomBytes(size);
    const metadata = { contentType: 'text/x', user: { a: '1' } };
    await storage.put('bucket', 'source', content, { encryption: from, metadata, tags: { t: '1' } });
    const result = await storage.objects.copy({
      source: { bucket: 'bucket', key: 'source' },
      sourceCustomerKey: keyOf(from),
      bucket: 'other',
      key: 'target',
      encryption: to,
      owner: 'somebody',
    });
    expect(result.encryption.mode).toBe(to.mode);
    const opened = await storage.objects.head({ bucket: 'other', key: 'target', customerKey: keyOf(to) });
    expect(opened.info).toMatchObject({ size, metadata, tags: { t: '1' }, owner: 'somebody', etag: result.etag });
    expect((await storage.read('other', 'target', { customerKey: keyOf(to) })).equals(content)).toBe(true);
  });

  it.each([1000, 200_000])('onto itself of %d bytes holds the same', async (size) => {
    const content = randomBytes(size);
    await storage.put('bucket', 'self', content, { encryption: from });
    await copy('self', 'self', { encryption: to, sourceCustomerKey: keyOf(from), metadata: { user: { new: '1' } } });
    const { info } = await storage.objects.head({ bucket: 'bucket', key: 'self', customerKey: keyOf(to) });
    expect(info.metadata).toEqual({ user: { new: '1' } });
    expect(info.encryption.mode).toBe(to.mode);
    expect((await storage.read('bucket', 'self', { customerKey: keyOf(to) })).equals(content)).toBe(true);
    await storage.reaper.reap({ deleted: 0, orphan: 0, staged: 0, completion: 0 });
    expect((await storage.read('bucket', 'self', { customerKey: keyOf(to) })).equals(content)).toBe(true);
  });
});

describe('a copy', () => {
  it('onto itself needs a change', async () => {
    await storage.put('bucket', 'same', 'x');
    await expect(copy('same', 'same')).rejects.toMatchObject({ kind: 'InvalidRequest' });
  });

  it('onto itself under another KMS key leaves the bytes where they are', async () => {
    await storage.put('bucket', 'rotated', randomBytes(200_000), { encryption: { mode: 'sse-kms', keyId: 'old' } });
    const before = await blobFiles();
    const { encryption } = await copy('rotated', 'rotated', { encryption: { mode: 'sse-kms', keyId: 'new' } });
    expect(encryption.keyId).toBe('new');
    expect(await blobFiles()).toEqual(before);
    await expect(storage.read('bucket', 'rotated')).resolves.toHaveLength(200_000);
  });

  it('to SSE-S3 has an MD5 as ETag, even onto itself', async () => {
    const { createHash } = await import('node:crypto');
    const content = randomBytes(200_000);
    await storage.put('bucket', 'etag', content, { encryption: { mode: 'sse-kms' } });
    const { etag } = await copy('etag', 'etag', { encryption: { mode: 'sse-s3' } });
    expect(etag).toBe(createHash('md5').update(content).digest('hex'));
  });

  it('survives a racing overwrite of its source', async () => {
    await storage.put('bucket', 'race', randomBytes(100_000), { encryption: { mode: 'sse-s3' } });
    await Promise.all(
      Array.from({ length: 12 }, (_, index) =>
        index % 3 === 0
          ? storage.put('bucket', 'race', randomBytes(100_000), { encryption: { mode: 'sse-s3' } })
          : copy('race', 'race', { encryption: { mode: 'sse-kms' } }),
      ),
    );
    await storage.reaper.reap({ deleted: 0, orphan: 0, staged: 0, completion: 0 });
    await expect(storage.read('bucket', 'race')).resolves.toHaveLength(100_000);
  });

  it('heeds the conditions of its source and its target', async () => {
    const { etag } = await storage.put('bucket', 'conditional', 'x');
    for (const sourceConditions of [{ ifMatch: ['other'] }, { ifNoneMatch: [etag] }]) {
      await expect(copy('conditional', 'elsewhere', { sourceConditions })).rejects.toMatchObject({
        kind: 'PreconditionFailed',
      });
    }
    await copy('conditional', 'elsewhere', { conditions: { ifNoneMatchAny: true } });
    await expect(copy('conditional', 'elsewhere', { conditions: { ifNoneMatchAny: true } })).rejects.toMatchObject({
      kind: 'PreconditionFailed',
    });
  });

  it('does not carry over the encryption of its source', async () => {
    await storage.put('bucket', 'secret', 'x', { encryption: { mode: 'sse-kms' } });
    expect((await copy('secret', 'plain')).encryption.mode).toBe('none');
  });

  it('computes the checksum that is asked for', async () => {
    await storage.put('bucket', 'sum', 'hello');
    expect((await copy('sum', 'sum2', { checksumAlgorithm: 'SHA256' })).checksum).toEqual({
      algorithm: 'SHA256',
      value: 'LPJNul+wow4m6DsqxbninhsWHlwfp0JecwQzYpOLmCQ=',
      type: 'FULL_OBJECT',
    });
  });

  it('needs a source, a target and the right key', async () => {
    await expect(copy('missing', 'x')).rejects.toMatchObject({ kind: 'NoSuchKey' });
    await storage.put('bucket', 'locked', 'x', { encryption: { mode: 'sse-c', customerKey: SOURCE_KEY } });
    await expect(copy('locked', 'x')).rejects.toMatchObject({ kind: 'InvalidRequest' });
    await expect(copy('locked', 'x', { sourceCustomerKey: TARGET_KEY })).rejects.toMatchObject({
      kind: 'AccessDenied',
    });
    await storage.put('bucket', 'open', 'x');
    await expect(copy('open', 'x', { bucket: 'no-such-bucket' })).rejects.toMatchObject({ kind: 'NoSuchBucket' });
  });
});
