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
  return bucketOf(keys.map((key) => ({ key, markers: [false] })));
}

/** A key and its versions, newest first: whether each is a delete marker. */
interface KeyHistory {
  readonly key: string;
  readonly markers: readonly boolean[];
}

/** Makes a bucket of rows without bytes: listings look at nothing else. Every version has an upload in progress beside it. */
async function bucketOf(histories: readonly KeyHistory[]): Promise<string> {
  count += 1;
  const bucket = `bucket-${count}`;
  await storage.buckets.create(bucket, 'owner');
  const rows = histories.flatMap(({ key, markers }) => markers.map((marker, age) => ({ key, marker, age })).reverse());
  await storage.database.database.execute(
    {
      name: 'test.insert-versions',
      text: `WITH given AS (
          SELECT b.id, g.*, nextval('object_version_seq') AS seq
          FROM bucket b, unnest($2::text[], $3::boolean[], $4::integer[]) WITH ORDINALITY AS g (key, marker, age, place) WHERE b.name = $1
        ), uploads AS (
          INSERT INTO multipart_upload (id, bucket_id, key, owner, metadata, mode)
          SELECT $1 || '-' || lpad(place::text, 5, '0'), id, key, 'owner', '{"user":{}}', 'none' FROM given
        )
        INSERT INTO object_version (bucket_id, key, version_id, seq, is_current, delete_marker, size, etag, last_modified, owner, metadata, mode)
        SELECT id, key, lpad(to_hex(-seq), 16, '0') || '0123456789abcdef', seq, age = 0, marker, 1, 'e', now(), 'owner', '{"user":{}}', 'none'
        FROM given`,
    },
    [bucket, rows.map(({ key }) => key), rows.map(({ marker }) => marker), rows.map(({ age }) => age)],
  );
  return bucket;
}

/** What a listing is, as simply as it can be said: every entry, a common prefix once, in the order of UTF-8 bytes. */
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

/** The same of what may be listed several times: each entry as often as `times` says, a common prefix once. */
function repeated(
  histories: readonly KeyHistory[],
  prefix: string,
  delimiter: string | undefined,
  after: string | undefined,
): string[] {
  const keys = histories.map(({ key }) => key);
  return model(keys, prefix, delimiter, after).flatMap((entry) => {
    const own = histories.find(({ key }) => key === entry && commonPrefix(key, prefix, delimiter) === undefined);
    return own === undefined ? [entry] : own.markers.map(() => entry);
  });
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

async function listAllVersions(
  bucket: string,
  prefix: string,
  delimiter: string | undefined,
  maxKeys: number,
  after?: string,
): Promise<{ names: string[]; versions: string[] }> {
  const names: string[] = [];
  const versions: string[] = [];
  let marker: { keyMarker?: string; versionIdMarker?: string } = { keyMarker: after };
  for (;;) {
    const page = await storage.listing.listVersions({ bucket, prefix, delimiter, maxKeys, ...marker });
    expect(page.versions.length + page.commonPrefixes.length).toBeLessThanOrEqual(maxKeys);
    names.push(...[...page.versions.map(({ key }) => key), ...page.commonPrefixes].sort(compareKeys));
    versions.push(...page.versions.map(({ versionId }) => versionId));
    if (!page.truncated) {
      return { names, versions };
    }
    marker = { keyMarker: page.nextKeyMarker, versionIdMarker: page.nextVersionIdMarker };
  }
}

async function listAllUploads(
  bucket: string,
  prefix: string,
  delimiter: string | undefined,
  maxUploads: number,
): Promise<string[]> {
  const names: string[] = [];
  let marker: { keyMarker?: string; uploadIdMarker?: string } = {};
  for (;;) {
    const page = await storage.multipart.listUploads({ bucket, prefix, delimiter, maxUploads, ...marker });
    names.push(...[...page.uploads.map(({ key }) => key), ...page.commonPrefixes].sort(compareKeys));
    if (!page.truncated) {
      return names;
    }
    marker = { keyMarker: page.nextKeyMarker, uploadIdMarker: page.nextUploadIdMarker };
  }
}

/** Characters whose order differs between bytes, UTF-16 and locales, the ends of ranges, and some that mean something to SQL. */
const CHARACTERS = [
  ...['a', 'b', 'B', '/', '-', '_', '%', "'", '\\', 'ä', '\u0001', '\u007f', '\u0080'],
  ...['\ud7ff', '\ue000', '\ufffd', '\uffff', '\u{10000}', '\u{10ffff}', '😀'],
];
const text = (maxLength: number) => fc.string({ unit: fc.constantFrom(...CHARACTERS), maxLength });
const keyName = (maxLength: number) => text(maxLength).filter((key) => key !== '');
const delimiters = fc.option(fc.oneof(fc.constantFrom('/', 'ä', '\u{10ffff}', '-_', '\uffff\u{10ffff}'), keyName(2)), {
  nil: undefined,
});
const histories = (maxLength: number) =>
  fc.uniqueArray(fc.record({ key: keyName(8), markers: fc.array(fc.boolean(), { minLength: 1, maxLength: 4 }) }), {
    maxLength,
    selector: ({ key }) => key,
  });
const prefixes = fc.oneof(text(2), fc.constantFrom('\u{10ffff}', '\u{10ffff}\u{10ffff}', '\ud7ff', '\u007f'));

describe('a listing', () => {
  it('is what the model says, on every page', async () => {
    await fc.assert(
      fc.asyncProperty(
        histories(40),
        prefixes,
        delimiters,
        fc.option(text(4), { nil: undefined }),
        fc.integer({ min: 1, max: 6 }),
        async (given, prefix, delimiter, after, maxKeys) => {
          const bucket = await bucketOf(given);
          const visible = given.filter(({ markers }) => markers[0] === false).map(({ key }) => key);
          expect(await listAll(bucket, prefix, delimiter, maxKeys, after)).toEqual(
            model(visible, prefix, delimiter, after),
          );
        },
      ),
      { numRuns: 120 },
    );
  });

  it('of versions and of uploads is too', async () => {
    await fc.assert(
      fc.asyncProperty(
        histories(15),
        prefixes,
        delimiters,
        fc.option(text(4), { nil: undefined }),
        fc.integer({ min: 1, max: 6 }),
        async (given, prefix, delimiter, after, max) => {
          const bucket = await bucketOf(given);
          const listed = await listAllVersions(bucket, prefix, delimiter, max, after);
          expect(listed.names).toEqual(repeated(given, prefix, delimiter, after));
          expect(new Set(listed.versions).size).toBe(listed.versions.length);
          expect(await listAllUploads(bucket, prefix, delimiter, max)).toEqual(
            repeated(given, prefix, delimiter, undefined),
          );
        },
      ),
      { numRuns: 60 },
    );
  });

  it('finds its way through long runs of keys, of common prefixes and of delete markers', async () => {
    const run = fc.record({
      kind: fc.constantFrom('keys', 'prefixes', 'markers'),
      length: fc.constantFrom(1, 2, 99, 100, 101, 250),
    });
    await fc.assert(
      fc.asyncProperty(fc.array(run, { maxLength: 8 }), fc.constantFrom(7, 1000), async (runs, maxKeys) => {
        const given = runs.flatMap(({ kind, length }, place) =>
          Array.from({ length }, (_, index) => ({
            key: `${place}-${String(index).padStart(3, '0')}${kind === 'prefixes' ? '/x' : ''}`,
            markers: [kind === 'markers'],
          })),
        );
        const bucket = await bucketOf(given);
        const visible = given.filter(({ markers }) => markers[0] === false).map(({ key }) => key);
        expect(await listAll(bucket, '', '/', maxKeys)).toEqual(model(visible, '', '/', undefined));
        expect(await listAll(bucket, '', undefined, 1000)).toEqual(model(visible, '', undefined, undefined));
        expect((await listAllVersions(bucket, '', '/', 1000)).names).toEqual(repeated(given, '', '/', undefined));
      }),
      { numRuns: 10 },
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

  it('of many common prefixes reads a row for each and not for each key, whatever Postgres knows of the table', async () => {
    const keys = Array.from({ length: 2000 }, (_, index) => `p${String(index).padStart(5, '0')}/`);
    const bucket = await bucketWith(keys.flatMap((key) => Array.from({ length: 10 }, (_, index) => `${key}${index}`)));
    expect(await listAll(bucket, '', '/', 1000)).toEqual(keys);
    const read = await rowsRead(`SELECT * FROM object_list(id, '', 0, 'q', 1001, '/', '0', 0)`, bucket);
    expect(read).toBeGreaterThanOrEqual(1000);
    expect(read).toBeLessThan(1500);
    expect(await rowsRead(`SELECT * FROM object_list(id, '', 0, 'q', 1001, NULL, NULL, 0)`, bucket)).toBeLessThan(1500);
    const versions = `SELECT * FROM object_version_list(id, '', -9223372036854775808, 'q', 1001,`;
    expect(await rowsRead(`${versions} '/', '0', 0)`, bucket)).toBeLessThan(1500);
    expect(await rowsRead(`${versions} NULL, NULL, 0)`, bucket)).toBeLessThan(1500);
  });

  it('does not look for the next common prefix among delete markers behind the end of its own', async () => {
    const key = (index: number): KeyHistory => ({ key: `p/${index}/k`, markers: [false] });
    const deleted = (index: number): KeyHistory => ({ key: `q${String(index)}/`, markers: [true] });
    const bucket = await bucketOf([...range(50, key), ...range(2000, deleted)]);
    expect(await listAll(bucket, 'p/', '/', 100)).toHaveLength(50);
    expect(await rowsRead(`SELECT * FROM object_list(id, 'p/', 0, 'p0', 1001, '/', '0', 2)`, bucket)).toBeLessThan(200);
  });
});

function range<T>(count: number, make: (index: number) => T): T[] {
  return Array.from({ length: count }, (_, index) => make(index));
}

/** Rows and index entries of the table of versions that one query reads, as Postgres counts them itself. */
async function rowsRead(query: string, bucket: string): Promise<number> {
  const client = await storage.database.database.pool.connect();
  const readSoFar = async (): Promise<number> => {
    const { rows } = await client.query<{ read: string }>(`
      SELECT t.seq_tup_read + (SELECT sum(pg_stat_get_xact_tuples_returned(i.indexrelid)) FROM pg_stat_user_indexes i
        WHERE i.relid = t.relid) AS read FROM pg_stat_xact_user_tables t WHERE t.relname = 'object_version'`);
    return Number(rows[0]?.read);
  };
  try {
    await client.query('BEGIN');
    const readBefore = await readSoFar();
    await client.query(`SELECT count(l.*) FROM bucket b CROSS JOIN LATERAL (${query}) l WHERE b.name = '${bucket}'`);
    return (await readSoFar()) - readBefore;
  } finally {
    await client.query('ROLLBACK');
    client.release();
  }
}

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
