import * as fc from 'fast-check';
import { createTestStorage, type TestStorage } from '../../test/support/storage';
import { ObjectDeleter } from './object-deleter.service';
import type { DeleteEntry, DeleteResult } from './object-storage.types';
import { ObjectRepository } from './object.repository';

let storage: TestStorage;
let count = 0;

beforeAll(async () => {
  storage = await createTestStorage({ settings: { inlineLimit: 100 } });
});

afterAll(() => storage.close());

async function newBucket(versioning?: 'enabled' | 'suspended'): Promise<string> {
  count += 1;
  const bucket = `bucket-${count}`;
  await storage.buckets.create(bucket, 'owner');
  if (versioning !== undefined) {
    await storage.buckets.setVersioning(bucket, versioning);
  }
  return bucket;
}

interface Version {
  readonly id: string;
  readonly marker: boolean;
}

/** The versions of each key, newest first, as they are listed. */
async function histories(bucket: string): Promise<Record<string, Version[]>> {
  const { versions } = await storage.listing.listVersions({ bucket, prefix: '', maxKeys: 1000 });
  const found: Record<string, Version[]> = {};
  for (const { key, versionId, deleteMarker, isLatest } of versions) {
    const history = (found[key] ??= []);
    expect(isLatest).toBe(history.length === 0);
    history.push({ id: versionId, marker: deleteMarker });
  }
  return found;
}

/** Rows of the inline table, and live blobs, that no version needs; and the other way round. */
async function unbalanced(): Promise<number> {
  const [row] = await storage.database.database.query<{ unbalanced: string }>({
    name: 'test.unbalanced',
    text: `SELECT (SELECT count(*) FROM object_inline i FULL JOIN (SELECT seq FROM object_version WHERE inline) v USING (seq)
        WHERE i.data IS NULL OR v.seq IS NULL)
      + (SELECT count(*) FROM (SELECT id FROM blob WHERE deleted_at IS NULL) b
        FULL JOIN (SELECT blob_id AS id FROM object_version WHERE blob_id IS NOT NULL) v USING (id)
        WHERE b.id IS NULL OR v.id IS NULL) AS unbalanced`,
  });
  return Number(row?.unbalanced);
}

describe('deleting many', () => {
  it('does to each what deleting it alone, in this order, would do', async () => {
    const entry = fc.record({
      key: fc.constantFrom('a', 'b', 'c'),
      // Which of the versions that the key had at first; beyond them for none, or one that never was.
      version: fc.constantFrom(0, 1, 2, 9, undefined, undefined),
    });
    await fc.assert(
      fc.asyncProperty(
        fc.constantFrom('enabled', 'suspended', undefined),
        fc.array(fc.constantFrom('a', 'b', 'c'), { maxLength: 5 }),
        fc.array(entry, { minLength: 1, maxLength: 8 }),
        async (versioning, puts, asked) => {
          const [together, alone] = [await newBucket(versioning), await newBucket(versioning)];
          for (const bucket of [together, alone]) {
            for (const [index, key] of puts.entries()) {
              await storage.put(bucket, key, 'x'.repeat(index % 2 === 0 ? 10 : 200));
            }
          }
          const entriesOf = async (bucket: string): Promise<DeleteEntry[]> => {
            const before = await histories(bucket);
            return asked.map(({ key, version }) => ({
              key,
              versionId: version === undefined ? undefined : (before[key]?.[version]?.id ?? 'null'),
            }));
          };
          const outcomes = await storage.objects.deleteMany(together, await entriesOf(together));
          expect(outcomes.failed).toEqual([]);
          const single: DeleteResult[] = [];
          for (const each of await entriesOf(alone)) {
            single.push(await storage.objects.delete(alone, each));
          }
          const shape = (results: readonly DeleteResult[]) =>
            results.map(({ key, deleteMarker, versionId }) => [key, deleteMarker, versionId === undefined]);
          expect(shape(outcomes.deleted)).toEqual(shape(single));
          const markers = (found: Record<string, Version[]>) =>
            Object.entries(found).map(([key, history]) => [key, ...history.map(({ marker }) => marker)]);
          expect(markers(await histories(together))).toEqual(markers(await histories(alone)));
        },
      ),
      { numRuns: 40 },
    );
    expect(await unbalanced()).toBe(0);
  });

  it('fails one by one what does not match or is missing, and does the rest', async () => {
    const bucket = await newBucket();
    const { etag } = await storage.put(bucket, 'a', 'x');
    await storage.put(bucket, 'b', 'x');
    await storage.put(bucket, 'c', 'x');
    const { deleted, failed } = await storage.objects.deleteMany(bucket, [
      { key: 'a', ifMatch: etag },
      { key: 'b', ifMatch: 'another' },
      { key: 'missing', ifMatch: etag },
      { key: 'c', ifMatch: '*' },
    ]);
    expect(deleted.map(({ key }) => key)).toEqual(['a', 'c']);
    expect(failed.map(({ key, error }) => [key, (error as unknown as { kind: string }).kind])).toEqual([
      ['b', 'PreconditionFailed'],
      ['missing', 'NoSuchKey'],
    ]);
    expect(Object.keys(await histories(bucket))).toEqual(['b']);
  });

  it.each(['enabled', 'suspended', undefined] as const)(
    'never waits in a circle, with versioning %s: requests in opposite orders, from two processes, among writers',
    async (versioning) => {
      const bucket = await newBucket(versioning);
      const keys = Array.from({ length: 60 }, (_, index) => `k${String(index).padStart(3, '0')}`);
      const others = new ObjectDeleter(new ObjectRepository(await storage.database.another()));
      const forwards = keys.map((key) => ({ key }));
      const backwards = [...forwards].reverse();
      const writes = async (order: readonly string[]) => {
        for (const [index, key] of order.entries()) {
          await storage.put(bucket, key, 'x'.repeat(index % 3 === 0 ? 200 : 10));
        }
      };
      const results = await Promise.all([
        ...[forwards, backwards, forwards.slice(20), backwards.slice(20)].flatMap((entries) => [
          storage.objects.deleteMany(bucket, entries),
          others.deleteMany(bucket, entries),
        ]),
        writes(keys),
        writes([...keys].reverse()),
      ]);
      for (const result of results.slice(0, 8)) {
        expect(result?.failed).toEqual([]);
      }
      expect(results[1]?.deleted.map(({ key }) => key)).toEqual(keys);
      // Checks of each key that the newest of its versions, and no other, is the current one.
      await histories(bucket);
      await storage.objects.deleteMany(bucket, forwards);
      expect((await storage.listing.list({ bucket, prefix: '', maxKeys: 1000 })).objects).toEqual([]);
      expect(await unbalanced()).toBe(0);
    },
  );
});
