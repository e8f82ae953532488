import * as fc from 'fast-check';
import { createTestStorage, type TestStorage } from '../../test/support/storage';
import { compareKeys, commonPrefix, prefixEnd } from './key-bounds';

let storage: TestStorage;
let count = 0;

beforeAll(async () => {
  storage = await createTestStorage();
});

afterAll(() => storage.close());

async function bucketWith(keys: readonly string[]): Promise<string> {
  count += 1;
  const bucket = `bucket-${count}`;
  await storage.buckets.create(bucket, 'owner');
  await insert(bucket, keys);
  return bucket;
}

/** Rows without bytes: listings look at nothing else. */
async function insert(bucket: string, keys: readonly string[]): Promise<void> {
  await storage.database.database.execute(
    {
      name: 'test.insert-keys',
      text: `INSERT INTO object_version (bucket_id, key, version_id, seq, is_current, size, etag, last_modified, owner, metadata, mode)
        SELECT b.id, k.key, 'null', nextval('object_version_seq'), true, 1, 'e', now(), 'owner', '{"user":{}}', 'none'
        FROM bucket b, unnest($2::text[]) AS k (key) WHERE b.name = $1`,
    },
    [bucket, keys],
  );
}

/** What a listing is, as simply as it can be said. */
function model(
  keys: readonly string[],
  prefix: string,
  delimiter: string | undefined,
  after: string | undefined,
): string[] {
  const entries = keys
    .filter((key) => key.startsWith(prefix))
    .map((key) => commonPrefix(key, prefix, delimiter) ?? key);
  return [...new Set(entries)].sort(compareKeys).filter((entry) => !after || compareKeys(entry, after) > 0);
}

async function listAll(
  bucket: string,
  prefix: string,
  delimiter: string | undefined,
  maxKeys: number,
  after?: string,
): Promise<string[]> {
  const entries: string[] = [];
  let continuationToken: string | undefined;
  for (;;) {
    const page = await storage.listing.list({ bucket, prefix, delimiter, maxKeys, after, continuationToken });
    const merged = [...page.objects.map((object) => object.key), ...page.commonPrefixes].sort(compareKeys);
    expect(merged.length).toBeLessThanOrEqual(maxKeys);
    entries.push(...merged);
    if (!page.truncated) {
      expect(page.nextContinuationToken).toBeUndefined();
      return entries;
    }
    expect(merged.length).toBe(maxKeys);
    expect(page.nextMarker).toBe(merged.at(-1));
    continuationToken = page.nextContinuationToken;
  }
}

/** Characters whose order differs between bytes, UTF-16 and locales, and some that mean something to SQL. */
const text = (maxLength: number) =>
  fc.string({
    unit: fc.constantFrom('a', 'b', 'B', '/', '-', '_', '%', "'", 'ä', '\uffff', '\u{10ffff}', '😀', '\u0001'),
    maxLength,
  });

describe('a listing', () => {
  it('is what the model says, on every page', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.uniqueArray(
          text(8).filter((key) => key !== ''),
          { maxLength: 40 },
        ),
        text(2),
        fc.option(fc.oneof(fc.constantFrom('/', 'ä', '\u{10ffff}', '-_'), text(2)), { nil: undefined }),
        fc.option(text(4), { nil: undefined }),
        fc.integer({ min: 1, max: 6 }),
        async (keys, prefix, delimiter, after, maxKeys) => {
          const bucket = await bucketWith(keys);
          expect(await listAll(bucket, prefix, delimiter, maxKeys, after)).toEqual(
            model(keys, prefix, delimiter, after),
          );
        },
      ),
      { numRuns: 150 },
    );
  });

  it('of versions and of uploads has the same shape', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.uniqueArray(
          text(5).filter((key) => key !== ''),
          { maxLength: 15 },
        ),
        text(1),
        fc.option(fc.constantFrom('/', 'ä'), { nil: undefined }),
        fc.integer({ min: 1, max: 4 }),
        async (keys, prefix, delimiter, max) => {
          const bucket = await bucketWith([]);
          await storage.buckets.setVersioning(bucket, 'enabled');
          const uploads: string[] = [];
          for (const key of [...keys, ...keys]) {
            await storage.put(bucket, key, 'x');
            const upload = await storage.multipart.create({ bucket, key, metadata: { user: {} }, owner: 'owner' });
            uploads.push(upload.uploadId);
          }
          const expected = model(keys, prefix, delimiter, undefined).flatMap((entry) =>
            delimiter !== undefined && commonPrefix(entry, prefix, delimiter) === entry ? [entry] : [entry, entry],
          );

          const versions: string[] = [];
          let marker: { keyMarker?: string; versionIdMarker?: string } = {};
          for (let more = true; more;) {
            const page = await storage.listing.listVersions({ bucket, prefix, delimiter, maxKeys: max, ...marker });
            versions.push(
              ...[...page.versions.map((version) => version.key), ...page.commonPrefixes].sort(compareKeys),
            );
            marker = { keyMarker: page.nextKeyMarker, versionIdMarker: page.nextVersionIdMarker };
            more = page.truncated;
          }
          expect(versions).toEqual(expected);

          const listed: string[] = [];
          let from: { keyMarker?: string; uploadIdMarker?: string } = {};
          for (let more = true; more;) {
            const page = await storage.multipart.listUploads({ bucket, prefix, delimiter, maxUploads: max, ...from });
            listed.push(...[...page.uploads.map((upload) => upload.key), ...page.commonPrefixes].sort(compareKeys));
            from = { keyMarker: page.nextKeyMarker, uploadIdMarker: page.nextUploadIdMarker };
            more = page.truncated;
          }
          expect(listed).toEqual(expected);
        },
      ),
      { numRuns: 25 },
    );
  });

  it('skips everything under a common prefix that it continues after', async () => {
    const bucket = await bucketWith(['a/1', 'a/2', 'b/1', 'c']);
    const page = await storage.listing.list({ bucket, prefix: '', delimiter: '/', maxKeys: 1 });
    expect(page).toMatchObject({ commonPrefixes: ['a/'], truncated: true, nextMarker: 'a/' });
    const next = await storage.listing.list({ bucket, prefix: '', delimiter: '/', maxKeys: 9, after: page.nextMarker });
    expect(next).toMatchObject({ commonPrefixes: ['b/'], objects: [{ key: 'c' }], truncated: false });
  });

  it('shows what S3 shows of an object', async () => {
    const bucket = await bucketWith([]);
    const put = await storage.put(bucket, 'a', 'hello', { metadata: { storageClass: 'STANDARD_IA', user: {} } });
    const { objects } = await storage.listing.list({ bucket, prefix: '', maxKeys: 1 });
    expect(objects).toEqual([
      {
        key: 'a',
        size: 5,
        etag: put.etag,
        lastModified: put.lastModified,
        storageClass: 'STANDARD_IA',
        owner: 'owner',
        checksumAlgorithm: 'CRC64NVME',
        checksumType: 'FULL_OBJECT',
      },
    ]);
  });

  it('is empty and complete for no keys wanted', async () => {
    const bucket = await bucketWith(['a']);
    expect(await storage.listing.list({ bucket, prefix: '', maxKeys: 0 })).toMatchObject({
      objects: [],
      truncated: false,
    });
    expect(await storage.listing.listVersions({ bucket, prefix: '', maxKeys: 0 })).toMatchObject({
      versions: [],
      truncated: false,
    });
  });

  it('refuses what it did not make', async () => {
    const bucket = await bucketWith(['a']);
    for (const continuationToken of ['', 'nonsense', '####', 'AQ==', Buffer.from('\u0002a').toString('base64url')]) {
      await expect(storage.listing.list({ bucket, prefix: '', maxKeys: 1, continuationToken })).rejects.toMatchObject({
        kind: 'InvalidArgument',
      });
    }
    await expect(
      storage.listing.listVersions({ bucket, prefix: '', maxKeys: 1, versionIdMarker: 'null' }),
    ).rejects.toMatchObject({ kind: 'InvalidArgument' });
    await expect(storage.listing.list({ bucket: 'missing', prefix: '', maxKeys: 1 })).rejects.toMatchObject({
      kind: 'NoSuchBucket',
    });
  });

  it('of a thousand common prefixes takes steps and not keys', async () => {
    const bucket = await bucketWith([]);
    const keys = Array.from({ length: 10_000 }, (_, index) => `p${String(index).padStart(5, '0')}/`);
    await insert(
      bucket,
      keys.flatMap((key) => [`${key}1`, `${key}2`, `${key}3`]),
    );
    await storage.database.database.dataSource.query('ANALYZE object_version');
    expect(await listAll(bucket, '', '/', 1000)).toEqual(keys);
    const started = performance.now();
    const page = await storage.listing.list({ bucket, prefix: '', delimiter: '/', maxKeys: 1000 });
    expect(page.commonPrefixes).toHaveLength(1000);
    expect(performance.now() - started).toBeLessThan(1000);
  });
});

describe('the end of a prefix', () => {
  it('lies behind all its keys and before what follows', () => {
    fc.assert(
      fc.property(text(4), text(6), text(6), (prefix, rest, other) => {
        const end = prefixEnd(prefix);
        expect(compareKeys(prefix + rest, end)).toBeLessThan(0);
        if (!other.startsWith(prefix) && compareKeys(other, prefix) > 0) {
          expect(compareKeys(end, other)).toBeLessThanOrEqual(0);
        }
      }),
    );
    expect(prefixEnd('\ud7ff')).toBe('\ue000');
  });
});
