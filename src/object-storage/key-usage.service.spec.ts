import { KeyUsageRepository } from './key-usage.repository';
import { KeyUsageService } from './key-usage.service';
import { createTestStorage, customerKey, type TestStorage } from '../../test/support/storage';

describe('KeyUsageService', () => {
  let storage: TestStorage;
  let usage: KeyUsageService;

  beforeEach(async () => {
    storage = await createTestStorage();
    usage = new KeyUsageService(new KeyUsageRepository(storage.database.database), storage.dataKeys);
    await storage.buckets.create('bucket', 'owner');
  });

  afterEach(() => storage.close());

  const kms = (keyId: string, bucketKey = false) => ({ encryption: { mode: 'sse-kms' as const, keyId, bucketKey } });

  it('counts object versions, bytes and uploads of each key, and nothing else', async () => {
    await storage.buckets.setVersioning('bucket', 'enabled');
    await storage.put('bucket', 'a', '12345', kms('first'));
    await storage.put('bucket', 'a', '123', kms('first', true));
    await storage.put('bucket', 'b', '1', kms('second'));
    await storage.put('bucket', 'plain', 'x');
    await storage.put('bucket', 'customer', 'x', { encryption: { mode: 'sse-c', customerKey: customerKey() } });
    const upload = { bucket: 'bucket', metadata: { user: {} }, owner: 'owner', ...kms('second') };
    await storage.multipart.create({ ...upload, key: 'open' });
    const aborted = await storage.multipart.create({ ...upload, key: 'aborted' });
    await storage.multipart.abort('bucket', 'aborted', aborted.uploadId);

    expect(await usage.usage()).toEqual([
      {
        kms: 'memory:default',
        keyId: 'first',
        objects: 2,
        bytes: 8,
        bucketKeyObjects: 1,
        uploads: 0,
        escrowObjects: 0,
        escrowUploads: 0,
        versions: [
          {
            keyVersion: expect.any(String),
            objects: 2,
            bytes: 8,
            bucketKeyObjects: 1,
            uploads: 0,
            escrowObjects: 0,
            escrowUploads: 0,
          },
        ],
        bucketDefaults: [],
      },
      expect.objectContaining({
        keyId: 'second',
        objects: 1,
        bytes: 1,
        uploads: 1,
        escrowObjects: 0,
        escrowUploads: 0,
      }),
    ]);
  });

  it('names the buckets whose default encryption uses a key, also one they do not name', async () => {
    await storage.buckets.create('named', 'owner');
    await storage.buckets.setEncryption('named', { mode: 'sse-kms', keyId: 'first', bucketKey: false });
    await storage.buckets.setEncryption('bucket', { mode: 'sse-kms', bucketKey: false });
    await storage.buckets.create('server', 'owner');
    await storage.buckets.setEncryption('server', { mode: 'sse-s3', bucketKey: false });
    expect(await usage.usageOf('memory:default', 'first')).toMatchObject({ objects: 0, bucketDefaults: ['named'] });
    expect(await usage.usageOf('memory:default', 'default-key')).toMatchObject({ bucketDefaults: ['bucket'] });
  });

  it('gives zeros for a key that nothing uses', async () => {
    await storage.put('bucket', 'a', 'x', kms('first'));
    expect(await usage.usageOf('memory:default', 'other')).toEqual({
      kms: 'memory:default',
      keyId: 'other',
      objects: 0,
      bytes: 0,
      bucketKeyObjects: 0,
      uploads: 0,
      escrowObjects: 0,
      escrowUploads: 0,
      versions: [],
      bucketDefaults: [],
    });
  });

  it('reads the index on the keys and not the table', async () => {
    await storage.put('bucket', 'a', 'x', kms('first'));
    const { database } = storage.database;
    await database.execute({
      name: 'test.fill',
      text: `INSERT INTO object_version
          (bucket_id, key, version_id, seq, is_current, size, etag, last_modified, owner, metadata, mode, kms, kms_key_id)
        SELECT bucket_id, 'k' || n, version_id, nextval('object_version_seq'), true, 7, etag, last_modified, owner,
          jsonb_build_object('user', jsonb_build_object('as-wide-as-rows-are', repeat('x', 500))), mode, kms, 'k' || n % 3 FROM object_version, generate_series(1, 20000) n`,
    });
    await database.execute({ name: 'test.vacuum', text: 'VACUUM ANALYZE object_version' });
    const plan = await database.query<{ 'QUERY PLAN': string }>({
      name: 'test.explain-usage',
      text: `EXPLAIN SELECT kms, kms_key_id, kms_key_version, count(*), sum(size), count(*) FILTER (WHERE bucket_key)
        FROM object_version WHERE kms IS NOT NULL GROUP BY 1, 2, 3`,
    });
    expect(plan.map((row) => row['QUERY PLAN']).join('\n')).toContain('Index Only Scan using object_version_kms');
    expect(await usage.usageOf('memory:default', 'k1')).toMatchObject({ objects: 6667, bytes: 46669 });
  });
});
