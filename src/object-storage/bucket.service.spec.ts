import { createTestStorage, type TestStorage } from '../../test/support/storage';

let storage: TestStorage;

beforeAll(async () => {
  storage = await createTestStorage();
});

afterAll(() => storage.close());

describe('bucket names', () => {
  it.each(['abc', 'a-b.c', '123', 'a'.repeat(63), 'with.dots-and-dashes.9'])('may be %s', async (name) => {
    await expect(storage.buckets.create(name, 'owner')).resolves.toEqual({ created: true });
  });

  it.each([
    'ab',
    'a'.repeat(64),
    'Upper',
    'under_score',
    '-dash',
    'dash-',
    '.dot',
    'dot.',
    'a..b',
    'a.-b',
    '192.168.5.4',
    'xn--abc',
    'sthree-abc',
    'abc-s3alias',
    'abc--ol-s3',
    'minio',
    'rustfs',
    'api',
    'docs',
    'console',
    'health',
    'metrics',
    'ümlaut',
    'nul\0nul',
    '',
  ])('may not be %j', async (name) => {
    await expect(storage.buckets.create(name, 'owner')).rejects.toMatchObject({ kind: 'InvalidBucketName' });
  });
});

describe('a bucket', () => {
  it('can be created again by its owner and by nobody else', async () => {
    await storage.buckets.create('mine', 'owner');
    expect(await storage.buckets.create('mine', 'owner')).toEqual({ created: false });
    await expect(storage.buckets.create('mine', 'other')).rejects.toMatchObject({ kind: 'BucketAlreadyExists' });
    expect(await storage.buckets.get('mine')).toEqual({
      name: 'mine',
      owner: 'owner',
      createdAt: expect.any(Date),
      versioning: 'unversioned',
      ownership: 'BucketOwnerEnforced',
      ownershipChosen: false,
      encryption: undefined,
    });
  });

  it('remembers its encryption rule, and that it was deleted', async () => {
    await storage.buckets.create('rules', 'owner');
    const rule = { mode: 'sse-kms', keyId: 'k', bucketKey: true } as const;
    await storage.buckets.setEncryption('rules', rule);
    expect((await storage.buckets.get('rules')).encryption).toEqual(rule);
    await storage.buckets.setEncryption('rules', null);
    expect((await storage.buckets.get('rules')).encryption).toBeNull();
  });

  it('keeps documents', async () => {
    await storage.buckets.create('documents', 'owner');
    expect(await storage.buckets.getDocument('documents', 'cors')).toBeUndefined();
    await storage.buckets.setDocument('documents', 'cors', '<one/>');
    await storage.buckets.setDocument('documents', 'cors', '<two/>');
    await storage.buckets.setDocument('documents', 'policy', '{}');
    expect(await storage.buckets.getDocument('documents', 'cors')).toBe('<two/>');
    await storage.buckets.setDocument('documents', 'cors', null);
    expect(await storage.buckets.getDocument('documents', 'cors')).toBeUndefined();
    expect(await storage.buckets.getDocument('documents', 'policy')).toBe('{}');
    await storage.buckets.delete('documents');
    await storage.buckets.create('documents', 'owner');
    expect(await storage.buckets.getDocument('documents', 'policy')).toBeUndefined();
  });

  it('is deleted only when nothing is in it, not even a marker', async () => {
    await storage.buckets.create('full', 'owner');
    await storage.buckets.setVersioning('full', 'enabled');
    const { deleteMarkerVersionId: versionId } = await storage.objects.delete('full', { key: 'a' });
    await expect(storage.buckets.delete('full')).rejects.toMatchObject({ kind: 'BucketNotEmpty' });
    await storage.objects.delete('full', { key: 'a', versionId });
    await storage.buckets.delete('full');
    await expect(storage.buckets.get('full')).rejects.toMatchObject({ kind: 'NoSuchBucket' });
  });

  it('that is being deleted takes no object that is then lost', async () => {
    for (let round = 0; round < 10; round += 1) {
      await storage.buckets.create('contended', 'owner');
      const results = await Promise.allSettled([
        storage.put('contended', 'a', 'x'),
        storage.put('contended', 'b', 'x'),
        storage.buckets.delete('contended'),
      ]);
      const stored = results.slice(0, 2).some(({ status }) => status === 'fulfilled');
      expect(results[2]?.status).toBe(stored ? 'rejected' : 'fulfilled');
      if (stored) {
        await storage.objects.deleteMany('contended', [{ key: 'a' }, { key: 'b' }]);
        await storage.buckets.delete('contended');
      }
    }
  });

  it('that does not exist fails everything', async () => {
    const { buckets } = storage;
    for (const name of ['no-such-bucket', 'NOT VALID', 'nul\0']) {
      for (const call of [
        () => buckets.get(name),
        () => buckets.delete(name),
        () => buckets.setEncryption(name, null),
        () => buckets.setVersioning(name, 'enabled'),
        () => buckets.getDocument(name, 'cors'),
        () => buckets.setDocument(name, 'cors', 'x'),
      ]) {
        await expect(call()).rejects.toMatchObject({ kind: 'NoSuchBucket' });
      }
    }
  });
});

describe('the list of buckets', () => {
  it('is in order, by prefix and in pages', async () => {
    for (const name of ['list-c', 'list-a', 'list-b', 'list.z']) {
      await storage.buckets.create(name, 'owner');
    }
    const page = await storage.buckets.list({ prefix: 'list', limit: 3 });
    expect(page.buckets.map(({ name }) => name)).toEqual(['list-a', 'list-b', 'list-c']);
    expect(page.truncated).toBe(true);
    const next = await storage.buckets.list({ prefix: 'list', after: 'list-c' });
    expect(next.buckets.map(({ name }) => name)).toEqual(['list.z']);
    expect(next.truncated).toBe(false);
  });
});
