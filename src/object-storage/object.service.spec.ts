import { createHash, randomBytes } from 'node:crypto';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import * as fc from 'fast-check';
import { bodyOf, contentOf, createTestStorage, customerKey, type TestStorage } from '../../test/support/storage';
import { createChecksum } from '../crypto/checksums';
import type { EncryptionRequest } from '../crypto/encryption.types';
import type { ChecksumAlgorithm } from './object-storage.types';

const MIB = 1024 * 1024;
const CUSTOMER_KEY = customerKey();

const REQUESTS: Record<string, EncryptionRequest> = {
  none: { mode: 'none' },
  'sse-s3': { mode: 'sse-s3' },
  'sse-kms': { mode: 'sse-kms', keyId: 'my-key', context: { project: 'x' } },
  'sse-kms with a bucket key': { mode: 'sse-kms', bucketKey: true },
  'dsse-kms': { mode: 'dsse-kms' },
  'sse-c': { mode: 'sse-c', customerKey: CUSTOMER_KEY },
};

let storage: TestStorage;

beforeAll(async () => {
  storage = await createTestStorage();
  await storage.buckets.create('bucket', 'owner');
});

afterAll(() => storage.close());

function keyFor(encryption: EncryptionRequest) {
  return encryption.mode === 'sse-c' ? CUSTOMER_KEY : undefined;
}

async function files(): Promise<string[]> {
  const names = await readdir(storage.directory, { recursive: true, withFileTypes: true });
  return names.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name));
}

describe.each(Object.entries(REQUESTS))('an object under %s', (name, encryption) => {
  it.each([0, 1, 32768, 32769, 65536, 65537, 2 * MIB + 3])('comes back as it was, %d bytes', async (size) => {
    const content = randomBytes(size);
    const key = `${name}/${size}`;
    const result = await storage.put('bucket', key, content, { encryption });
    expect(result.size).toBe(size);
    const opened = await storage.objects.open({ bucket: 'bucket', key, customerKey: keyFor(encryption) });
    expect(opened.info).toMatchObject({ size, etag: result.etag, lastModified: result.lastModified });
    expect(opened.length).toBe(size);
    expect(opened.info.encryption.mode).toBe(encryption.mode);
    expect((await contentOf(opened)).equals(content)).toBe(true);
  });

  it('gives any range', async () => {
    for (const size of [20_000, 300_000]) {
      const content = randomBytes(size);
      await storage.put('bucket', `${name}/range`, content, { encryption });
      await fc.assert(
        fc.asyncProperty(fc.nat(size - 1), fc.nat(size + 10), async (first, length) => {
          const opened = await storage.objects.open({
            bucket: 'bucket',
            key: `${name}/range`,
            range: { kind: 'from', first, last: first + length },
            customerKey: keyFor(encryption),
          });
          const expected = content.subarray(first, first + length + 1);
          expect(opened.range).toEqual({ first, last: first + expected.length - 1 });
          expect(opened.length).toBe(expected.length);
          expect((await contentOf(opened)).equals(expected)).toBe(true);
        }),
        { numRuns: 15 },
      );
    }
  });

  it('is on disk and in the database only as ciphertext, unless it is plain', async () => {
    const marker = randomBytes(16).toString('hex');
    for (const [key, repeats] of [
      ['small', 4],
      ['large', 4000],
    ] as const) {
      await storage.put('bucket', `${name}/${key}`, marker.repeat(repeats), { encryption });
    }
    const plain = encryption.mode === 'none';
    const contents = await Promise.all((await files()).map((path) => readFile(path)));
    expect(contents.some((content) => content.includes(marker))).toBe(plain);
    const [row] = await storage.database.database.query<{ found: boolean }>(
      { name: 'test.inline', text: `SELECT bool_or(position($1::bytea IN data) > 0) AS found FROM object_inline` },
      [Buffer.from(marker)],
    );
    expect(row?.found).toBe(plain);
  });

  it('has an MD5 as ETag only where AWS has one', async () => {
    const content = Buffer.from('hello');
    const md5 = createHash('md5').update(content).digest();
    const body = bodyOf(content, { md5 });
    const { etag } = await storage.objects.put({
      bucket: 'bucket',
      key: `${name}/etag`,
      body,
      metadata: { user: {} },
      owner: 'owner',
      encryption,
    });
    if (encryption.mode === 'none' || encryption.mode === 'sse-s3') {
      expect(etag).toBe(md5.toString('hex'));
    } else {
      expect(etag).toMatch(/^[0-9a-f]{32}-1$/);
      expect(etag).not.toContain(md5.toString('hex'));
    }
  });
});

describe('what is kept with an object', () => {
  it('comes back', async () => {
    const metadata = { contentType: 'text/plain', cacheControl: 'no-store', user: { a: 'ä', b: '' } };
    await storage.put('bucket', 'kept', 'x', {
      metadata,
      tags: { team: 'blue' },
      encryption: { mode: 'sse-kms', keyId: 'k', context: { a: 'b' }, bucketKey: false },
    });
    const { info } = await storage.objects.head({ bucket: 'bucket', key: 'kept' });
    expect(info).toMatchObject({
      metadata,
      tags: { team: 'blue' },
      owner: 'owner',
      versionId: 'null',
      encryption: { mode: 'sse-kms', kms: 'memory:default', keyId: 'k', context: { a: 'b' } },
      checksum: { algorithm: 'CRC64NVME', type: 'FULL_OBJECT' },
    });
  });

  it('includes tags that are set later', async () => {
    await storage.put('bucket', 'tagged', 'x');
    expect(await storage.objects.getTags('bucket', { key: 'tagged' })).toEqual({
      versionId: 'null',
      versioned: false,
      tags: {},
    });
    await storage.objects.setTags('bucket', { key: 'tagged' }, { a: '1' });
    expect((await storage.objects.getTags('bucket', { key: 'tagged' })).tags).toEqual({ a: '1' });
    await expect(storage.objects.setTags('bucket', { key: 'missing' }, {})).rejects.toMatchObject({
      kind: 'NoSuchKey',
    });
  });

  it('is decided by the request, then the bucket, then the server', async () => {
    await storage.buckets.create('ruled', 'owner');
    await storage.buckets.setEncryption('ruled', { mode: 'sse-kms', keyId: 'rule-key', bucketKey: false });
    expect((await storage.put('ruled', 'a', 'x')).encryption).toMatchObject({ mode: 'sse-kms', keyId: 'rule-key' });
    const asked = await storage.put('ruled', 'a', 'x', { encryption: { mode: 'sse-kms' } });
    expect(asked.encryption).toMatchObject({ mode: 'sse-kms', keyId: 'rule-key', bucketKey: false });
    expect((await storage.put('ruled', 'a', 'x', { encryption: { mode: 'sse-s3' } })).encryption.mode).toBe('sse-s3');
    await storage.buckets.setEncryption('ruled', null);
    expect((await storage.put('ruled', 'a', 'x')).encryption.mode).toBe('none');
  });
});

describe('a body that is not what was announced', () => {
  const content = randomBytes(100_000);
  const wrong = (algorithm: ChecksumAlgorithm): string => {
    const hash = createChecksum(algorithm);
    hash.update(Buffer.from('something else'));
    return hash.digest().toString('base64');
  };

  it.each([
    ['IncompleteBody', 'is short', { length: content.length + 1 }],
    ['IncompleteBody', 'is long', { length: content.length - 1 }],
    ['BadDigest', 'has another MD5', { md5: randomBytes(16) }],
    ['InvalidDigest', 'has an impossible MD5', { md5: randomBytes(15) }],
    ['XAmzContentSHA256Mismatch', 'has another SHA-256', { sha256: '0'.repeat(64) }],
    ['MalformedTrailerError', 'lacks its trailer', { checksum: { algorithm: 'CRC32', trailer: () => undefined } }],
    ['InvalidRequest', 'has a malformed checksum', { checksum: { algorithm: 'CRC32', value: 'AAAA' } }],
  ] as const)('fails with %s when it %s', async (kind, _, expectation) => {
    const before = await files();
    const body = bodyOf(content, expectation);
    await expect(storage.put('bucket', 'refused', '', { body })).rejects.toMatchObject({ kind });
    expect(body.stream.destroyed).toBe(true);
    expect(await files()).toEqual(before);
    await expect(storage.objects.head({ bucket: 'bucket', key: 'refused' })).rejects.toMatchObject({
      kind: 'NoSuchKey',
    });
  });

  it.each(['CRC32', 'CRC32C', 'CRC64NVME', 'SHA1', 'SHA256'] as const)('is noticed by %s', async (algorithm) => {
    for (const checksum of [
      { algorithm, value: wrong(algorithm) },
      { algorithm, trailer: () => wrong(algorithm) },
    ]) {
      const body = bodyOf(content, { checksum });
      await expect(storage.put('bucket', 'refused', '', { body })).rejects.toMatchObject({ kind: 'BadDigest' });
    }
    const hash = createChecksum(algorithm);
    hash.update(content);
    const value = hash.digest().toString('base64');
    const body = bodyOf(content, { checksum: { algorithm, value } });
    expect((await storage.put('bucket', 'accepted', '', { body })).checksum).toEqual({
      algorithm,
      value,
      type: 'FULL_OBJECT',
    });
  });

  it('passes on the failure of its stream and leaves nothing behind', async () => {
    const before = await files();
    const failing = Readable.from(
      (async function* () {
        yield randomBytes(65536);
        throw Object.assign(new Error('aborted'), { code: 'ECONNRESET' });
      })(),
    );
    const body = { stream: failing, expectation: { length: 10 * MIB } };
    await expect(storage.put('bucket', 'refused', '', { body })).rejects.toMatchObject({ kind: 'IncompleteBody' });
    expect(await files()).toEqual(before);
  });

  it('is refused before it is read when it is over 5 GiB', async () => {
    const body = { stream: Readable.from([Buffer.from('x')]), expectation: { length: 5 * 1024 ** 3 + 1 } };
    await expect(storage.put('bucket', 'refused', '', { body })).rejects.toMatchObject({ kind: 'EntityTooLarge' });
    expect(body.stream.destroyed).toBe(true);
  });
});

describe('the key management', () => {
  afterEach(() => {
    storage.dataKeys.failing = false;
    storage.dataKeys.gate = Promise.resolve();
  });

  it('that fails makes the write fail and leaves nothing behind', async () => {
    storage.dataKeys.failing = true;
    const before = await files();
    for (const size of [10, 100_000]) {
      const encryption: EncryptionRequest = { mode: 'sse-kms' };
      await expect(storage.put('bucket', 'kms-down', randomBytes(size), { encryption })).rejects.toMatchObject({
        kind: 'kms-unavailable',
      });
    }
    expect(await files()).toEqual(before);
    await expect(storage.read('bucket', 'kms-down')).rejects.toMatchObject({ kind: 'NoSuchKey' });
    await expect(storage.put('bucket', 'plain', 'still works')).resolves.toBeDefined();
  });

  it('is asked while the body is read', async () => {
    let release = (): void => undefined;
    storage.dataKeys.gate = new Promise((resolve) => {
      release = resolve;
    });
    // Were the answer awaited before the body is read, it would never come.
    const stream = Readable.from(
      (function* () {
        yield randomBytes(200_000);
        release();
      })(),
    );
    const body = { stream, expectation: { length: 200_000 } };
    const result = await storage.put('bucket', 'overlap', '', { encryption: { mode: 'sse-kms' }, body });
    expect(result.encryption.mode).toBe('sse-kms');
  });
});

describe('finding nothing', () => {
  it.each([
    ['NoSuchBucket', { bucket: 'missing-bucket', key: 'a' }],
    ['NoSuchBucket', { bucket: 'NOT_A_BUCKET', key: 'a' }],
    ['NoSuchKey', { bucket: 'bucket', key: 'missing' }],
    ['NoSuchVersion', { bucket: 'bucket', key: 'missing', versionId: '0'.repeat(32) }],
    ['InvalidArgument', { bucket: 'bucket', key: 'missing', versionId: 'nonsense' }],
    ['KeyTooLongError', { bucket: 'bucket', key: 'ä'.repeat(513) }],
    ['InvalidArgument', { bucket: 'bucket', key: 'a\0b' }],
    ['InvalidArgument', { bucket: 'bucket', key: 'a\ud800' }],
  ])('is %s for %j', async (kind, address) => {
    await expect(storage.objects.open(address)).rejects.toMatchObject({ kind });
    await expect(storage.objects.head(address)).rejects.toMatchObject({ kind });
  });

  it('also happens to writes', async () => {
    const body = bodyOf('x');
    await expect(storage.put('missing-bucket', 'a', '', { body })).rejects.toMatchObject({ kind: 'NoSuchBucket' });
    expect(body.stream.destroyed).toBe(true);
    await expect(storage.put('bucket', 'ä'.repeat(513), 'x')).rejects.toMatchObject({ kind: 'KeyTooLongError' });
    await expect(storage.objects.delete('missing-bucket', { key: 'a' })).rejects.toMatchObject({
      kind: 'NoSuchBucket',
    });
  });

  it('does not happen to odd keys', async () => {
    for (const key of ['ä'.repeat(512), '../x', 'a//b', 'a/./b', ' ', '\u{10FFFF}', '%00', "'; DROP TABLE bucket"]) {
      await storage.put('bucket', key, key);
      expect((await storage.read('bucket', key)).toString()).toBe(key);
    }
  });
});

describe('ranges and parts', () => {
  it.each([
    [{ kind: 'suffix', length: 3 }, 'hij'],
    [{ kind: 'suffix', length: 100 }, 'abcdefghij'],
    [{ kind: 'from', first: 8 }, 'ij'],
    [{ kind: 'from', first: 0, last: 0 }, 'a'],
    [{ kind: 'from', first: 9, last: 900 }, 'j'],
  ] as const)('gives %j', async (range, expected) => {
    await storage.put('bucket', 'letters', 'abcdefghij');
    expect((await storage.read('bucket', 'letters', { range })).toString()).toBe(expected);
  });

  it('refuses what lies outside', async () => {
    await storage.put('bucket', 'letters', 'abcdefghij');
    await storage.put('bucket', 'empty', '');
    const at = (key: string) => ({ bucket: 'bucket', key });
    for (const [key, range] of [
      ['letters', { kind: 'from', first: 10 }],
      ['letters', { kind: 'suffix', length: 0 }],
      ['empty', { kind: 'from', first: 0 }],
    ] as const) {
      await expect(storage.objects.open({ ...at(key), range })).rejects.toMatchObject({ kind: 'InvalidRange' });
    }
    // Nothing has a last byte: what is asked for is the whole of nothing.
    const suffix = { kind: 'suffix', length: 5 } as const;
    expect(await storage.objects.head({ ...at('empty'), range: suffix })).toMatchObject({ length: 0 });
    await expect(storage.objects.open({ ...at('letters'), partNumber: 2 })).rejects.toMatchObject({
      kind: 'InvalidPartNumber',
    });
    const both = { range: { kind: 'from', first: 0 }, partNumber: 1 } as const;
    await expect(storage.objects.open({ ...at('letters'), ...both })).rejects.toMatchObject({ kind: 'InvalidRequest' });
    const part = await storage.objects.open({ ...at('letters'), partNumber: 1 });
    expect(part.range).toEqual({ first: 0, last: 9 });
  });
});

describe('customer keys', () => {
  it('must be there, right and in place', async () => {
    const encryption: EncryptionRequest = { mode: 'sse-c', customerKey: CUSTOMER_KEY };
    await storage.put('bucket', 'customer', randomBytes(100), { encryption });
    await storage.put('bucket', 'no-customer', randomBytes(100));
    for (const method of ['open', 'head'] as const) {
      const read = (key: string, other?: typeof CUSTOMER_KEY) =>
        storage.objects[method]({ bucket: 'bucket', key, customerKey: other });
      await expect(read('customer')).rejects.toMatchObject({ kind: 'InvalidRequest' });
      await expect(read('customer', customerKey())).rejects.toMatchObject({ kind: 'AccessDenied' });
      await expect(read('no-customer', CUSTOMER_KEY)).rejects.toMatchObject({ kind: 'InvalidRequest' });
      await expect(read('customer', CUSTOMER_KEY)).resolves.toBeDefined();
    }
  });
});

describe('reading', () => {
  it('under conditions', async () => {
    const { etag, lastModified } = await storage.put('bucket', 'conditional', 'x');
    const read = (conditions: object) => storage.objects.head({ bucket: 'bucket', key: 'conditional', conditions });
    const before = new Date(lastModified.getTime() - 60_000);
    const after = new Date(lastModified.getTime() + 60_000);
    for (const passing of [
      { ifMatch: [etag] },
      { ifMatch: ['*'] },
      { ifNoneMatch: ['other'] },
      { ifModifiedSince: before },
      { ifUnmodifiedSince: lastModified },
      { ifMatch: [etag], ifUnmodifiedSince: before },
      { ifNoneMatch: ['other'], ifModifiedSince: after },
    ]) {
      await expect(read(passing)).resolves.toBeDefined();
    }
    for (const failing of [{ ifMatch: ['other'] }, { ifUnmodifiedSince: before }]) {
      await expect(read(failing)).rejects.toMatchObject({ kind: 'PreconditionFailed' });
    }
    for (const unchanged of [
      { ifNoneMatch: [etag] },
      { ifNoneMatch: ['*'] },
      { ifModifiedSince: lastModified },
      { ifNoneMatch: [etag], ifModifiedSince: before },
    ]) {
      await expect(read(unchanged)).rejects.toMatchObject({ kind: 'NotModified', details: { etag } });
    }
  });

  it('finds tampering before a bad byte leaves', async () => {
    const before = new Set(await files());
    const content = randomBytes(3 * MIB);
    await storage.put('bucket', 'tampered', content, { encryption: { mode: 'sse-s3' } });
    const [path] = (await files()).filter((file) => !before.has(file)) as [string];
    const { open } = await import('node:fs/promises');
    const handle = await open(path, 'r+');
    await handle.write(Buffer.from([0]), 0, 1, 2 * MIB);
    await handle.write(Buffer.from([255]), 0, 1, 2 * MIB + 1);
    await handle.close();
    const opened = await storage.objects.open({ bucket: 'bucket', key: 'tampered' });
    const received: Buffer[] = [];
    await expect(
      (async () => {
        for await (const chunk of opened.body as Readable) {
          received.push(chunk as Buffer);
        }
      })(),
    ).rejects.toMatchObject({ kind: 'ObjectTampered' });
    const bytes = Buffer.concat(received);
    expect(bytes.equals(content.subarray(0, bytes.length))).toBe(true);
    expect(bytes.length).toBeLessThanOrEqual(2 * MIB);
  });

  it('closes the file of a stream that nobody reads', async () => {
    await storage.put('bucket', 'unread', randomBytes(2 * MIB), { encryption: { mode: 'sse-s3' } });
    const descriptors = async () => (await readdir('/proc/self/fd')).length;
    const before = await descriptors();
    for (let round = 0; round < 20; round += 1) {
      const opened = await storage.objects.open({ bucket: 'bucket', key: 'unread' });
      const stream = opened.body as Readable;
      if (round % 2 === 1) {
        await new Promise((resolve) => stream.once('readable', resolve));
      }
      stream.destroy();
      await new Promise((resolve) => stream.once('close', resolve));
    }
    expect(await descriptors()).toBeLessThanOrEqual(before + 1);
  });
});
