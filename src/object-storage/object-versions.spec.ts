import { randomBytes } from 'node:crypto';
import { createTestStorage, type TestStorage } from '../../test/support/storage';

let storage: TestStorage;
let bucket: string;
let count = 0;

beforeAll(async () => {
  storage = await createTestStorage({ settings: { inlineLimit: 100 } });
});

beforeEach(async () => {
  count += 1;
  bucket = `bucket-${count}`;
  await storage.buckets.create(bucket, 'owner');
});

afterAll(() => storage.close());

const read = async (key: string, versionId?: string): Promise<string> =>
  (await storage.read(bucket, key, { versionId })).toString();

const versions = async (): Promise<string[]> => {
  const { versions: listed } = await storage.listing.listVersions({ bucket, prefix: '', maxKeys: 1000 });
  return listed.map(
    ({ key, versionId, isLatest, deleteMarker }) =>
      `${key}${versionId === 'null' ? ' null' : ''}${deleteMarker ? ' marker' : ''}${isLatest ? ' latest' : ''}`,
  );
};

/** Rows of the inline table and live blobs: what the bucket's versions need, and not one more. */
const kept = async (): Promise<{ inline: number; blobs: number }> => {
  const [row] = await storage.database.database.query<{ inline: string; blobs: string }>({
    name: 'test.kept',
    text: `SELECT (SELECT count(*) FROM object_inline) AS inline,
      (SELECT count(*) FROM blob WHERE deleted_at IS NULL) AS blobs`,
  });
  return { inline: Number(row?.inline), blobs: Number(row?.blobs) };
};

const deletedAt: unknown = expect.any(Date);

describe('a bucket that never had versioning', () => {
  it('keeps one version and replaces it, whatever its size', async () => {
    const before = await kept();
    for (const size of [10, 1000, 10, 20, 1000, 2000]) {
      const content = randomBytes(size);
      const { versionId } = await storage.put(bucket, 'a', content);
      expect(versionId).toBeUndefined();
      expect((await storage.read(bucket, 'a')).equals(content)).toBe(true);
    }
    expect(await versions()).toEqual(['a null latest']);
    expect(await kept()).toEqual({ inline: before.inline, blobs: before.blobs + 1 });
    expect(await storage.objects.delete(bucket, { key: 'a' })).toEqual({ key: 'a', deletedAt });
    expect(await storage.objects.delete(bucket, { key: 'a' })).toEqual({ key: 'a', deletedAt });
    expect(await versions()).toEqual([]);
    expect(await kept()).toEqual(before);
  });
});

describe('a bucket with versioning', () => {
  beforeEach(() => storage.buckets.setVersioning(bucket, 'enabled'));

  it('keeps every version readable by its id', async () => {
    const ids: string[] = [];
    for (const content of ['one', 'two', 'x'.repeat(1000)]) {
      ids.push((await storage.put(bucket, 'a', content)).versionId as string);
    }
    expect(new Set(ids).size).toBe(3);
    expect(await read('a')).toBe('x'.repeat(1000));
    expect(await read('a', ids[0])).toBe('one');
    expect(await read('a', ids[1])).toBe('two');
    expect(await versions()).toEqual(['a latest', 'a', 'a']);
  });

  it('deletes by a marker, which can be deleted again', async () => {
    const { versionId } = await storage.put(bucket, 'a', 'one');
    const deleted = await storage.objects.delete(bucket, { key: 'a' });
    expect(deleted).toMatchObject({ key: 'a', deleteMarker: true });
    const marker = deleted.deleteMarkerVersionId as string;
    expect(await versions()).toEqual(['a marker latest', 'a']);
    await expect(read('a')).rejects.toMatchObject({
      kind: 'NoSuchKey',
      details: { deleteMarker: 'true', versionId: marker },
    });
    await expect(read('a', marker)).rejects.toMatchObject({ kind: 'MethodNotAllowed' });
    expect(await read('a', versionId)).toBe('one');
    expect((await storage.listing.list({ bucket, prefix: '', maxKeys: 10 })).objects).toEqual([]);
    const undone = await storage.objects.delete(bucket, { key: 'a', versionId: marker });
    expect(undone).toEqual({
      key: 'a',
      versionId: marker,
      deleteMarker: true,
      deleteMarkerVersionId: marker,
      deletedAt,
    });
    expect(await read('a')).toBe('one');
  });

  it('puts a marker even over nothing', async () => {
    expect(await storage.objects.delete(bucket, { key: 'never' })).toMatchObject({ deleteMarker: true });
    expect(await versions()).toEqual(['never marker latest']);
  });

  it('makes the one before current when the current version is deleted for good', async () => {
    const before = await kept();
    const first = await storage.put(bucket, 'a', 'one');
    const second = await storage.put(bucket, 'a', 'x'.repeat(1000));
    await storage.objects.delete(bucket, { key: 'a', versionId: second.versionId });
    expect(await read('a')).toBe('one');
    await storage.objects.delete(bucket, { key: 'a', versionId: first.versionId });
    expect(await versions()).toEqual([]);
    expect(await kept()).toEqual(before);
    expect(await storage.objects.delete(bucket, { key: 'a', versionId: first.versionId })).toEqual({
      key: 'a',
      versionId: first.versionId,
      deletedAt,
    });
  });

  it('keeps the version from before as null', async () => {
    await storage.buckets.create(`${bucket}-old`, 'owner');
    bucket = `${bucket}-old`;
    await storage.put(bucket, 'a', 'old');
    await storage.buckets.setVersioning(bucket, 'enabled');
    await storage.put(bucket, 'a', 'new');
    expect(await read('a', 'null')).toBe('old');
    expect(await versions()).toEqual(['a latest', 'a null']);
  });

  it('copies an older version over the current one', async () => {
    const { versionId } = await storage.put(bucket, 'a', 'one');
    await storage.put(bucket, 'a', 'two');
    const copied = await storage.objects.copy({
      source: { bucket, key: 'a', versionId },
      bucket,
      key: 'a',
      owner: 'owner',
    });
    expect(copied.sourceVersionId).toBe(versionId);
    expect(await read('a')).toBe('one');
    expect(await versions()).toEqual(['a latest', 'a', 'a']);
  });

  it('tags versions one by one', async () => {
    const { versionId } = await storage.put(bucket, 'a', 'one');
    await storage.put(bucket, 'a', 'two');
    await storage.objects.setTags(bucket, { key: 'a', versionId }, { a: 'one' });
    expect((await storage.objects.getTags(bucket, { key: 'a' })).tags).toEqual({});
    expect((await storage.objects.getTags(bucket, { key: 'a', versionId })).tags).toEqual({ a: 'one' });
  });
});

describe('a bucket whose versioning is suspended', () => {
  it('replaces only the null version', async () => {
    const before = await kept();
    await storage.put(bucket, 'a', 'old null');
    await storage.buckets.setVersioning(bucket, 'enabled');
    const { versionId } = await storage.put(bucket, 'a', 'versioned');
    await storage.buckets.setVersioning(bucket, 'suspended');
    expect((await storage.put(bucket, 'a', 'x'.repeat(1000))).versionId).toBe('null');
    expect(await versions()).toEqual(['a null latest', 'a']);
    await storage.put(bucket, 'a', 'null again');
    expect(await versions()).toEqual(['a null latest', 'a']);
    expect(await read('a')).toBe('null again');
    expect(await read('a', versionId)).toBe('versioned');

    const deleted = await storage.objects.delete(bucket, { key: 'a' });
    expect(deleted).toEqual({ key: 'a', deleteMarker: true, deleteMarkerVersionId: 'null', deletedAt });
    expect(await versions()).toEqual(['a null marker latest', 'a']);
    await storage.objects.delete(bucket, { key: 'a' });
    expect(await versions()).toEqual(['a null marker latest', 'a']);
    await storage.put(bucket, 'a', 'back');
    expect(await versions()).toEqual(['a null latest', 'a']);

    await storage.buckets.setVersioning(bucket, 'enabled');
    await storage.put(bucket, 'a', 'newest');
    expect(await versions()).toEqual(['a latest', 'a null', 'a']);
    expect(await read('a', 'null')).toBe('back');
    expect(await kept()).toEqual({ inline: before.inline + 3, blobs: before.blobs });
  });
});

describe('conditions of writes', () => {
  it('are If-None-Match: * and If-Match', async () => {
    const created = await storage.put(bucket, 'a', 'one', { conditions: { ifNoneMatchAny: true } });
    await expect(storage.put(bucket, 'a', 'two', { conditions: { ifNoneMatchAny: true } })).rejects.toMatchObject({
      kind: 'PreconditionFailed',
    });
    await expect(storage.put(bucket, 'a', 'two', { conditions: { ifMatch: 'other' } })).rejects.toMatchObject({
      kind: 'PreconditionFailed',
    });
    await expect(storage.put(bucket, 'b', 'two', { conditions: { ifMatch: 'other' } })).rejects.toMatchObject({
      kind: 'NoSuchKey',
    });
    expect(await read('a')).toBe('one');
    await storage.put(bucket, 'a', 'two', { conditions: { ifMatch: created.etag } });
    expect(await read('a')).toBe('two');
    await expect(storage.objects.delete(bucket, { key: 'a' }, { ifMatch: created.etag })).rejects.toMatchObject({
      kind: 'PreconditionFailed',
    });
    await storage.buckets.setVersioning(bucket, 'enabled');
    await storage.objects.delete(bucket, { key: 'a' });
    await storage.put(bucket, 'a', 'three', { conditions: { ifNoneMatchAny: true } });
    expect(await read('a')).toBe('three');
  });

  it.each([10, 1000])('let exactly one of many racing creators of %d bytes win', async (size) => {
    const before = await kept();
    const results = await Promise.allSettled(
      Array.from({ length: 20 }, (_, index) =>
        storage.put(bucket, 'raced', Buffer.alloc(size, index), { conditions: { ifNoneMatchAny: true } }),
      ),
    );
    const winners = results.flatMap((result, index) => (result.status === 'fulfilled' ? [index] : []));
    expect(winners).toHaveLength(1);
    for (const result of results) {
      expect(result.status === 'rejected' ? result.reason.kind : 'PreconditionFailed').toBe('PreconditionFailed');
    }
    expect((await storage.read(bucket, 'raced')).equals(Buffer.alloc(size, winners[0]))).toBe(true);
    const after = await kept();
    expect(after.inline + after.blobs).toBe(before.inline + before.blobs + 1);
    await storage.reaper.sweep({ deleted: 0, orphan: -60_000, staged: -60_000, completion: 0 });
    expect((await storage.read(bucket, 'raced')).length).toBe(size);
  });

  it('keep racing writers, deleters and readers consistent', async () => {
    await storage.buckets.setVersioning(bucket, 'enabled');
    await Promise.all(
      Array.from({ length: 30 }, async (_, index) => {
        const result = await storage.put(bucket, 'busy', Buffer.alloc(index % 2 === 0 ? 10 : 1000, index));
        if (index % 3 === 0) {
          await storage.objects.delete(bucket, { key: 'busy', versionId: result.versionId });
        } else if (index % 5 === 0) {
          await storage.objects.delete(bucket, { key: 'busy' });
        }
        await storage.read(bucket, 'busy').catch((error: { kind: string }) => expect(error.kind).toBe('NoSuchKey'));
      }),
    );
    const listed = await versions();
    expect(listed.filter((version) => version.endsWith('latest'))).toEqual([listed[0]]);
  });
});

describe('deleting many', () => {
  it('is one transaction with an outcome for each', async () => {
    await storage.put(bucket, 'a', 'x');
    await storage.put(bucket, 'b', 'y'.repeat(1000));
    const result = await storage.objects.deleteMany(bucket, [
      { key: 'b' },
      { key: 'missing' },
      { key: 'ä'.repeat(600) },
      { key: 'a', versionId: 'nonsense' },
      { key: 'a', versionId: 'null' },
    ]);
    expect(result.deleted).toEqual([
      { key: 'b', deletedAt },
      { key: 'missing', deletedAt },
      { key: 'a', versionId: 'null', deletedAt },
    ]);
    expect(
      result.failed.map(({ key, error }) => [key.slice(0, 1), (error as unknown as { kind: string }).kind]),
    ).toEqual([
      ['ä', 'KeyTooLongError'],
      ['a', 'InvalidArgument'],
    ]);
    expect(await versions()).toEqual([]);
    await expect(storage.objects.deleteMany('no-such-bucket', [{ key: 'a' }])).rejects.toMatchObject({
      kind: 'NoSuchBucket',
    });
  });
});
