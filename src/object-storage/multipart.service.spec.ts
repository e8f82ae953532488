import { createHash, randomBytes } from 'node:crypto';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { bodyOf, contentOf, createTestStorage, customerKey, type TestStorage } from '../../test/support/storage';
import { createChecksum } from '../crypto/checksums';
import type { CustomerKey, EncryptionRequest } from '../crypto/encryption.types';
import type {
  ChecksumAlgorithm,
  CompleteMultipartCommand,
  CreateMultipartCommand,
  PartResult,
} from './object-storage.types';

const MIB = 1024 * 1024;
const CUSTOMER_KEY = customerKey();

const REQUESTS: EncryptionRequest[] = [
  { mode: 'none' },
  { mode: 'sse-s3' },
  { mode: 'sse-kms', keyId: 'k', context: { a: 'b' } },
  { mode: 'sse-kms', bucketKey: true },
  { mode: 'dsse-kms' },
  { mode: 'sse-c', customerKey: CUSTOMER_KEY },
];

let storage: TestStorage;

beforeAll(async () => {
  storage = await createTestStorage();
  await storage.buckets.create('bucket', 'owner');
});

afterAll(() => storage.close());

const keyOf = (request: EncryptionRequest): CustomerKey | undefined =>
  request.mode === 'sse-c' ? request.customerKey : undefined;

async function begin(key: string, more: Partial<CreateMultipartCommand> = {}): Promise<string> {
  const upload = await storage.multipart.create({
    bucket: 'bucket',
    key,
    metadata: { user: {} },
    owner: 'owner',
    ...more,
  });
  return upload.uploadId;
}

const part = (
  key: string,
  uploadId: string,
  partNumber: number,
  content: Buffer,
  more: { customerKey?: CustomerKey; body?: ReturnType<typeof bodyOf> } = {},
): Promise<PartResult> =>
  storage.multipart.uploadPart({ bucket: 'bucket', key, uploadId, partNumber, body: bodyOf(content), ...more });

const complete = (
  key: string,
  uploadId: string,
  etags: readonly string[],
  more: Partial<CompleteMultipartCommand> = {},
) =>
  storage.multipart.complete({
    bucket: 'bucket',
    key,
    uploadId,
    parts: etags.map((etag, index) => ({ partNumber: index + 1, etag })),
    ...more,
  });

const liveBlobs = async (): Promise<number> => {
  const [row] = await storage.database.database.query<{ count: string }>({
    name: 'test.live-blobs',
    text: `SELECT count(*) AS count FROM blob WHERE deleted_at IS NULL`,
  });
  return Number(row?.count);
};

const digest = (algorithm: ChecksumAlgorithm, content: Buffer): Buffer => {
  const hash = createChecksum(algorithm);
  hash.update(content);
  return hash.digest();
};

describe.each(REQUESTS.map((request) => [JSON.stringify({ ...request, customerKey: undefined }), request] as const))(
  'an upload under %s',
  (name, encryption) => {
    const contents = [randomBytes(5 * MIB), randomBytes(5 * MIB + 1), randomBytes(70_000)];
    const whole = Buffer.concat(contents);
    const customer = keyOf(encryption);

    it('becomes one object, whatever the order of its parts', async () => {
      const uploadId = await begin(name, { encryption });
      const results = await Promise.all(
        [2, 0, 1].map(async (index) => {
          const content = contents[index] as Buffer;
          return [index, await part(name, uploadId, index + 1, content, { customerKey: customer })] as const;
        }),
      );
      const etags = results.sort(([left], [right]) => left - right).map(([, result]) => result.etag);
      const result = await complete(name, uploadId, etags);
      const expected = createHash('md5');
      etags.forEach((etag) => expected.update(etag, 'hex'));
      expect(result.etag).toBe(`${expected.digest('hex')}-3`);
      const value = digest('CRC64NVME', whole).toString('base64');
      // Nobody chose it, and then objects under customer keys have none, as on AWS.
      const checksum = customer === undefined ? { algorithm: 'CRC64NVME', type: 'FULL_OBJECT', value } : undefined;
      expect(result.checksum).toEqual(checksum);
      const opened = await storage.objects.open({ bucket: 'bucket', key: name, customerKey: customer });
      expect(opened.info.checksum).toEqual(checksum);
      expect(opened.info.parts?.map(({ size }) => size)).toEqual(contents.map((content) => content.length));
      expect((await contentOf(opened)).equals(whole)).toBe(true);
    });

    it('gives ranges across its parts, and its parts', async () => {
      for (const [first, last] of [
        [0, 0],
        [5 * MIB - 1, 5 * MIB],
        [100, whole.length - 1],
        [5 * MIB, 10 * MIB],
        [10 * MIB - 65536, 10 * MIB + 65536],
        [whole.length - 1, whole.length - 1],
      ] as const) {
        const range = { kind: 'from', first, last } as const;
        const read = await storage.read('bucket', name, { range, customerKey: customer });
        expect(read.equals(whole.subarray(first, last + 1))).toBe(true);
      }
      for (const [index, content] of contents.entries()) {
        const read = await storage.read('bucket', name, { partNumber: index + 1, customerKey: customer });
        expect(read.equals(content)).toBe(true);
      }
      await expect(storage.read('bucket', name, { partNumber: 4, customerKey: customer })).rejects.toMatchObject({
        kind: 'InvalidPartNumber',
      });
    });

    it('is copied like any object, onto itself too', async () => {
      await storage.objects.copy({
        source: { bucket: 'bucket', key: name },
        sourceCustomerKey: customer,
        bucket: 'bucket',
        key: 'copied',
        encryption: { mode: 'sse-s3' },
        owner: 'owner',
      });
      expect((await storage.read('bucket', 'copied')).equals(whole)).toBe(true);
      await storage.objects.copy({
        source: { bucket: 'bucket', key: name },
        sourceCustomerKey: customer,
        bucket: 'bucket',
        key: name,
        encryption,
        metadata: { user: { changed: '1' } },
        owner: 'owner',
      });
      await storage.reaper.reap({ deleted: 0, orphan: 0, staged: 0, completion: 3_600_000 });
      expect((await storage.read('bucket', name, { customerKey: customer })).equals(whole)).toBe(true);
    });
  },
);

describe('parts', () => {
  it('that are sent again replace the ones before, whose blobs go', async () => {
    const before = await liveBlobs();
    const uploadId = await begin('again');
    await part('again', uploadId, 1, Buffer.from('first'));
    const { etag } = await part('again', uploadId, 1, Buffer.from('second'));
    expect(await liveBlobs()).toBe(before + 1);
    await complete('again', uploadId, [etag]);
    expect((await storage.read('bucket', 'again')).toString()).toBe('second');
  });

  it('racing for one number leave exactly one', async () => {
    const before = await liveBlobs();
    const uploadId = await begin('raced');
    await Promise.all(
      Array.from({ length: 10 }, (_, index) => part('raced', uploadId, 1, Buffer.from(`part ${index}`))),
    );
    expect(await liveBlobs()).toBe(before + 1);
    await storage.multipart.abort('bucket', 'raced', uploadId);
    expect(await liveBlobs()).toBe(before);
  });

  it('that are not used go when the upload is completed', async () => {
    const before = await liveBlobs();
    const uploadId = await begin('unused');
    const used = await part('unused', uploadId, 7, Buffer.from('used'));
    await part('unused', uploadId, 8, Buffer.from('unused'));
    await complete('unused', uploadId, [], { parts: [{ partNumber: 7, etag: used.etag }] });
    expect(await liveBlobs()).toBe(before + 1);
    expect((await storage.read('bucket', 'unused', { partNumber: 1 })).toString()).toBe('used');
  });

  it('may be empty', async () => {
    const uploadId = await begin('empty', { encryption: { mode: 'sse-s3' } });
    const { etag } = await part('empty', uploadId, 1, Buffer.alloc(0));
    await complete('empty', uploadId, [etag]);
    expect(await storage.read('bucket', 'empty')).toHaveLength(0);
    expect(await storage.read('bucket', 'empty', { partNumber: 1 })).toHaveLength(0);
  });

  it('are ciphertext on disk, different at every attempt', async () => {
    const marker = randomBytes(16).toString('hex').repeat(100);
    const uploadId = await begin('cipher', { encryption: { mode: 'sse-s3' } });
    const files = async () => {
      const entries = await readdir(join(storage.directory, 'objects'), { recursive: true, withFileTypes: true });
      return entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name));
    };
    const before = new Set(await files());
    await part('cipher', uploadId, 1, Buffer.from(marker));
    await part('cipher', uploadId, 1, Buffer.from(marker));
    const made = (await files()).filter((path) => !before.has(path));
    const [first, second] = await Promise.all(made.map((path) => readFile(path)));
    expect(first?.includes(marker.slice(0, 32))).toBe(false);
    expect(first?.equals(second as Buffer)).toBe(false);
  });

  it('are refused with a wrong number, digest or algorithm', async () => {
    const uploadId = await begin('refused', { checksum: { algorithm: 'SHA256', type: 'COMPOSITE' } });
    const content = Buffer.from('x');
    for (const partNumber of [0, 10_001, 1.5]) {
      await expect(part('refused', uploadId, partNumber, content)).rejects.toMatchObject({ kind: 'InvalidArgument' });
    }
    const body = bodyOf(content, { md5: randomBytes(16), checksum: { algorithm: 'SHA256' } });
    await expect(part('refused', uploadId, 1, content, { body })).rejects.toMatchObject({ kind: 'BadDigest' });
    expect(body.stream.destroyed).toBe(true);
    const other = bodyOf(content, { checksum: { algorithm: 'CRC32' } });
    await expect(part('refused', uploadId, 1, content, { body: other })).rejects.toMatchObject({
      kind: 'InvalidRequest',
    });
    await expect(part('refused', 'no-upload', 1, content)).rejects.toMatchObject({ kind: 'NoSuchUpload' });
    await expect(part('other-key', uploadId, 1, content)).rejects.toMatchObject({ kind: 'NoSuchUpload' });
  });

  it('need the same customer key each time', async () => {
    const uploadId = await begin('customer', { encryption: { mode: 'sse-c', customerKey: CUSTOMER_KEY } });
    const plain = await begin('customer');
    const content = Buffer.from('x');
    for (const [id, key] of [
      [uploadId, undefined],
      [uploadId, customerKey()],
      [plain, CUSTOMER_KEY],
    ] as const) {
      await expect(part('customer', id, 1, content, { customerKey: key })).rejects.toMatchObject({
        kind: 'InvalidRequest',
      });
    }
  });

  it('keep a checksum under a customer key when it was chosen at their beginning or their end', async () => {
    const encryption = { mode: 'sse-c', customerKey: CUSTOMER_KEY } as const;
    const content = Buffer.from('x');
    const algorithm = 'CRC64NVME';
    const value = digest(algorithm, content).toString('base64');
    const begun = { encryption, checksum: { algorithm, type: 'FULL_OBJECT' } } as const;
    for (const [command, ended] of [
      [begun, { customerKey: CUSTOMER_KEY }],
      [{ encryption }, { checksum: { algorithm, value } }],
    ] as const) {
      const uploadId = await begin('chosen', command);
      const { etag } = await part('chosen', uploadId, 1, content, { customerKey: CUSTOMER_KEY });
      const result = await complete('chosen', uploadId, [etag], ended);
      expect(result.checksum).toEqual({ algorithm, type: 'FULL_OBJECT', value });
    }
  });

  it('are listed in pages', async () => {
    const uploadId = await begin('listed', { encryption: { mode: 'sse-kms' } });
    for (const number of [3, 1, 20]) {
      await part('listed', uploadId, number, Buffer.from(`part ${number}`));
    }
    const first = await storage.multipart.listParts('bucket', 'listed', uploadId, 0, 2);
    expect(first).toMatchObject({
      truncated: true,
      nextPartNumberMarker: 3,
      parts: [{ partNumber: 1 }, { partNumber: 3 }],
    });
    expect(first.upload).toMatchObject({ key: 'listed', uploadId, encryption: { mode: 'sse-kms' } });
    const second = await storage.multipart.listParts('bucket', 'listed', uploadId, 3, 2);
    expect(second.parts).toMatchObject([{ partNumber: 20, size: 7, checksum: undefined }]);
    expect(second).toMatchObject({ truncated: false, nextPartNumberMarker: undefined });
  });

  it('can be ranges of other objects', async () => {
    const source = randomBytes(6 * MIB);
    await storage.put('bucket', 'source', source, { encryption: { mode: 'sse-kms' } });
    const uploadId = await begin('assembled', { encryption: { mode: 'sse-s3' } });
    const target = { bucket: 'bucket', key: 'assembled', uploadId, source: { bucket: 'bucket', key: 'source' } };
    const ranged = { ...target, partNumber: 1, range: { first: 1, last: 5 * MIB } };
    const results = [
      await storage.multipart.uploadPartCopy(ranged),
      await storage.multipart.uploadPartCopy({ ...target, partNumber: 2 }),
    ];
    await complete(
      'assembled',
      uploadId,
      results.map(({ etag }) => etag),
    );
    const expected = Buffer.concat([source.subarray(1, 5 * MIB + 1), source]);
    expect((await storage.read('bucket', 'assembled')).equals(expected)).toBe(true);
    await expect(
      storage.multipart.uploadPartCopy({
        ...ranged,
        uploadId: await begin('assembled'),
        range: { first: 0, last: 6 * MIB },
      }),
    ).rejects.toMatchObject({ kind: 'InvalidArgument' });
  });
});

describe('completing', () => {
  it('again with the same parts gives the same answer, with others none', async () => {
    const uploadId = await begin('repeat');
    const { etag } = await part('repeat', uploadId, 1, Buffer.from('x'));
    const [first, second] = await Promise.all([
      complete('repeat', uploadId, [etag]),
      complete('repeat', uploadId, [etag]),
    ]);
    expect(second).toEqual(first);
    await expect(complete('repeat', uploadId, [etag, etag])).rejects.toMatchObject({ kind: 'NoSuchUpload' });
    await expect(part('repeat', uploadId, 1, Buffer.from('y'))).rejects.toMatchObject({ kind: 'NoSuchUpload' });
    await expect(storage.multipart.abort('bucket', 'repeat', uploadId)).rejects.toMatchObject({ kind: 'NoSuchUpload' });
    await storage.reaper.reap({ deleted: 0, orphan: 0, staged: 0, completion: -1000 });
    await expect(complete('repeat', uploadId, [etag])).rejects.toMatchObject({ kind: 'NoSuchUpload' });
    expect((await storage.read('bucket', 'repeat')).toString()).toBe('x');
  });

  it('refuses lists that do not fit', async () => {
    const uploadId = await begin('unfit');
    const one = (await part('unfit', uploadId, 1, randomBytes(100))).etag;
    const two = (await part('unfit', uploadId, 2, randomBytes(100))).etag;
    const list = (...parts: [number, string][]) => ({
      parts: parts.map(([partNumber, etag]) => ({ partNumber, etag })),
    });
    for (const [kind, more] of [
      ['MalformedXML', list()],
      ['InvalidPartOrder', list([2, two], [1, one])],
      ['InvalidPartOrder', list([1, one], [1, one])],
      ['InvalidPart', list([1, two])],
      ['InvalidPart', list([3, one])],
      ['EntityTooSmall', list([1, one], [2, two])],
      ['InvalidRequest', { ...list([1, one]), objectSize: 99 }],
      ['InvalidRequest', { ...list([1, one]), checksumType: 'COMPOSITE' as const }],
      ['BadDigest', { ...list([1, one]), checksum: { algorithm: 'CRC64NVME' as const, value: 'AAAAAAAAAAA=' } }],
      ['PreconditionFailed', { ...list([1, one]), conditions: { ifNoneMatchAny: true } }],
    ] as const) {
      if (kind === 'PreconditionFailed') {
        await storage.put('bucket', 'unfit', 'there already');
      }
      await expect(complete('unfit', uploadId, [], more)).rejects.toMatchObject({ kind });
    }
    await expect(complete('unfit', uploadId, [one])).resolves.toBeDefined();
  });

  it.each([
    ['SHA256', 'COMPOSITE'],
    ['SHA1', 'COMPOSITE'],
    ['CRC32', 'COMPOSITE'],
    ['CRC32', 'FULL_OBJECT'],
    ['CRC32C', 'FULL_OBJECT'],
    ['CRC64NVME', 'FULL_OBJECT'],
  ] as const)('computes %s %s', async (algorithm, type) => {
    const contents = [randomBytes(5 * MIB), randomBytes(1000)];
    const uploadId = await begin('sums', { checksum: { algorithm, type } });
    const parts: CompleteMultipartCommand['parts'][number][] = [];
    for (const [index, content] of contents.entries()) {
      const value = digest(algorithm, content).toString('base64');
      const body = bodyOf(content, { checksum: { algorithm, value } });
      const { etag } = await part('sums', uploadId, index + 1, content, { body });
      parts.push({ partNumber: index + 1, etag, checksum: { algorithm, value } });
    }
    const value =
      type === 'COMPOSITE'
        ? `${digest(algorithm, Buffer.concat(contents.map((content) => digest(algorithm, content)))).toString('base64')}-2`
        : digest(algorithm, Buffer.concat(contents)).toString('base64');
    const wrong = parts.map((each) => ({ ...each, checksum: { algorithm, value: 'wrong' } }));
    await expect(complete('sums', uploadId, [], { parts: wrong })).rejects.toMatchObject({ kind: 'InvalidPart' });
    const result = await complete('sums', uploadId, [], { parts, checksum: { algorithm, value }, checksumType: type });
    expect(result.checksum).toEqual({ algorithm, type, value });
  });

  it('refuses checksum types that an algorithm cannot have', async () => {
    for (const checksum of [
      { algorithm: 'SHA256', type: 'FULL_OBJECT' },
      { algorithm: 'CRC64NVME', type: 'COMPOSITE' },
    ] as const) {
      await expect(begin('sums', { checksum })).rejects.toMatchObject({ kind: 'InvalidRequest' });
    }
  });

  it('and aborting at once end in one of the two', async () => {
    const before = await liveBlobs();
    const uploadId = await begin('ending');
    const { etag } = await part('ending', uploadId, 1, Buffer.from('x'));
    const [completed, aborted] = await Promise.allSettled([
      complete('ending', uploadId, [etag]),
      storage.multipart.abort('bucket', 'ending', uploadId),
    ]);
    expect([completed.status, aborted.status].sort()).toEqual(['fulfilled', 'rejected']);
    expect(await liveBlobs()).toBe(before + (completed.status === 'fulfilled' ? 1 : 0));
  });

  it('makes a version where versioning is enabled', async () => {
    await storage.buckets.create('versioned', 'owner');
    await storage.buckets.setVersioning('versioned', 'enabled');
    const { uploadId } = await storage.multipart.create({
      bucket: 'versioned',
      key: 'a',
      metadata: { user: {} },
      owner: 'owner',
    });
    const body = bodyOf('x');
    const { etag } = await storage.multipart.uploadPart({
      bucket: 'versioned',
      key: 'a',
      uploadId,
      partNumber: 1,
      body,
    });
    const parts = [{ partNumber: 1, etag }];
    const result = await storage.multipart.complete({ bucket: 'versioned', key: 'a', uploadId, parts });
    expect(result.versionId).toMatch(/^[0-9a-f]{32}$/);
    expect((await storage.read('versioned', 'a', { versionId: result.versionId })).toString()).toBe('x');
  });
});

describe('an upload', () => {
  it('needs a bucket and goes with it', async () => {
    await storage.buckets.create('short-lived', 'owner');
    const create = () =>
      storage.multipart.create({ bucket: 'short-lived', key: 'a', metadata: { user: {} }, owner: 'owner' });
    const before = await liveBlobs();
    const { uploadId } = await create();
    const body = bodyOf('x');
    await storage.multipart.uploadPart({ bucket: 'short-lived', key: 'a', uploadId, partNumber: 1, body });
    await storage.buckets.delete('short-lived');
    expect(await liveBlobs()).toBe(before);
    await expect(create()).rejects.toMatchObject({ kind: 'NoSuchBucket' });
    await expect(storage.multipart.abort('short-lived', 'a', uploadId)).rejects.toMatchObject({ kind: 'NoSuchBucket' });
  });

  it('costs one KMS call to begin', async () => {
    const before = storage.dataKeys.calls;
    await begin('kms', { encryption: { mode: 'sse-kms' } });
    expect(storage.dataKeys.calls).toBe(before + 1);
  });
});
