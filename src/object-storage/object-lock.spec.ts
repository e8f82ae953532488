import { createTestStorage, type TestStorage } from '../../test/support/storage';
import { lockedMetadata, mayReplaceRetention } from './object-lock';
import type { ObjectLock } from './object-storage.types';

const NOW = new Date('2030-01-01T00:00:00Z');
const LATER = '2040-01-01T00:00:00.000Z';
const LATEST = '2050-01-01T00:00:00.000Z';
const governed: ObjectLock = { mode: 'GOVERNANCE', until: LATER };
const compliant: ObjectLock = { mode: 'COMPLIANCE', until: LATER };

async function outcome(work: Promise<unknown>): Promise<string> {
  try {
    await work;
    return 'done';
  } catch (error) {
    return (error as { kind: string }).kind;
  }
}

describe('lockedMetadata', () => {
  const user = { user: {} };

  it('takes the default of the bucket unless the write says otherwise', () => {
    const bucket = { rule: { mode: 'GOVERNANCE', days: 2 } } as const;
    expect(lockedMetadata(user, undefined, bucket, NOW).lock).toEqual({
      mode: 'GOVERNANCE',
      until: '2030-01-03T00:00:00.000Z',
    });
    expect(lockedMetadata(user, compliant, bucket, NOW).lock).toEqual(compliant);
    expect(lockedMetadata(user, { legalHold: true }, bucket, NOW).lock).toMatchObject({
      mode: 'GOVERNANCE',
      legalHold: true,
    });
    expect(lockedMetadata(user, undefined, { rule: { mode: 'COMPLIANCE', years: 1 } }, NOW).lock?.until).toBe(
      '2031-01-01T00:00:00.000Z',
    );
  });

  it('never copies the lock of a source, and refuses one where the bucket has none', () => {
    expect(lockedMetadata({ ...user, lock: governed }, undefined, undefined, NOW)).toEqual(user);
    expect(lockedMetadata({ ...user, lock: governed }, undefined, {}, NOW)).toEqual(user);
    expect(() => lockedMetadata(user, governed, undefined, NOW)).toThrow('missing ObjectLockConfiguration');
  });
});

describe('mayReplaceRetention', () => {
  it.each([
    ['none', {}, governed, false, true],
    ['one that has run out', { ...compliant, until: '2029-01-01T00:00:00Z' }, {}, false, true],
    ['governance by a longer one', governed, { ...governed, until: LATEST }, false, true],
    ['governance by a shorter one', { ...governed, until: LATEST }, governed, false, false],
    ['governance by a shorter one, bypassing', { ...governed, until: LATEST }, governed, true, true],
    ['governance by compliance', governed, compliant, false, false],
    ['governance by compliance, bypassing', governed, compliant, true, true],
    ['governance by nothing', governed, {}, false, false],
    ['compliance by a longer one', compliant, { ...compliant, until: LATEST }, false, true],
    ['compliance by a shorter one, bypassing', { ...compliant, until: LATEST }, compliant, true, false],
    ['compliance by governance, bypassing', compliant, { ...governed, until: LATEST }, true, false],
  ] as const)('replaces %s', (_, current, next, bypass, expected) => {
    expect(mayReplaceRetention(current, next, bypass, NOW)).toBe(expected);
  });
});

describe('object lock', () => {
  let storage: TestStorage;
  let count = 0;

  beforeAll(async () => {
    storage = await createTestStorage();
  });
  afterAll(() => storage.close());

  async function lockedBucket(): Promise<string> {
    count += 1;
    const bucket = `locked-${count}`;
    await storage.buckets.create(bucket, 'owner');
    await storage.buckets.setVersioning(bucket, 'enabled');
    await storage.locks.setOfBucket(bucket, {});
    return bucket;
  }

  it('needs versioning, and keeps it enabled', async () => {
    await storage.buckets.create('plain', 'owner');
    expect(await outcome(storage.locks.setOfBucket('plain', {}))).toBe('InvalidBucketState');
    expect(await outcome(storage.buckets.setVersioning(await lockedBucket(), 'suspended'))).toBe('InvalidBucketState');
  });

  it('holds versions against deletion, one by one and in bulk, but never against delete markers', async () => {
    const bucket = await lockedBucket();
    const held = (await storage.put(bucket, 'k', 'held', { lock: { legalHold: true } })).versionId as string;
    const kept = (await storage.put(bucket, 'k', 'kept', { lock: governed })).versionId as string;
    const free = (await storage.put(bucket, 'k', 'free')).versionId as string;
    expect(await outcome(storage.objects.delete(bucket, { key: 'k', versionId: held }, {}, true))).toBe('AccessDenied');
    expect(await outcome(storage.objects.delete(bucket, { key: 'k', versionId: kept }))).toBe('AccessDenied');
    expect(await outcome(storage.objects.delete(bucket, { key: 'k' }))).toBe('done');
    const { deleted, failed } = await storage.objects.deleteMany(bucket, [
      { key: 'k', versionId: held },
      { key: 'k', versionId: free },
    ]);
    expect(deleted.map(({ versionId }) => versionId)).toEqual([free]);
    expect(failed.map(({ versionId, error }) => [versionId, (error as { kind?: string }).kind])).toEqual([
      [held, 'AccessDenied'],
    ]);
    expect(await outcome(storage.objects.delete(bucket, { key: 'k', versionId: kept }, {}, true))).toBe('done');
    await storage.locks.setOfObject(bucket, { key: 'k', versionId: held }, { legalHold: false }, false);
    expect(await outcome(storage.objects.delete(bucket, { key: 'k', versionId: held }))).toBe('done');
  });

  it('keeps retention and legal hold apart, and compliance for good', async () => {
    const bucket = await lockedBucket();
    const { versionId } = await storage.put(bucket, 'k', 'x', { lock: compliant });
    const entry = { key: 'k', versionId };
    await storage.locks.setOfObject(bucket, entry, { legalHold: true }, false);
    expect((await storage.locks.ofObject(bucket, entry)).lock).toEqual({ ...compliant, legalHold: true });
    await storage.locks.setOfObject(bucket, entry, { legalHold: false }, false);
    expect(await outcome(storage.locks.setOfObject(bucket, entry, {}, true))).toBe('AccessDenied');
    expect(await outcome(storage.objects.delete(bucket, entry, {}, true))).toBe('AccessDenied');
  });

  it('takes changes that come at the same time', async () => {
    const bucket = await lockedBucket();
    const { versionId } = await storage.put(bucket, 'k', 'x');
    const entry = { key: 'k', versionId };
    const changes = [governed, { legalHold: true }, governed, { legalHold: true }];
    await Promise.all(changes.map((change) => storage.locks.setOfObject(bucket, entry, change, false)));
    expect((await storage.locks.ofObject(bucket, entry)).lock).toEqual({ ...governed, legalHold: true });
  });

  it('reaches uploads in parts and copies', async () => {
    const bucket = await lockedBucket();
    await storage.locks.setOfBucket(bucket, { rule: { mode: 'GOVERNANCE', days: 1 } });
    await storage.put(bucket, 'source', 'x', { lock: { legalHold: true } });
    await storage.objects.copy({ source: { bucket, key: 'source' }, bucket, key: 'copy', owner: 'owner' });
    const { lock } = await storage.locks.ofObject(bucket, { key: 'copy' });
    expect(lock.mode).toBe('GOVERNANCE');
    expect(lock.legalHold).toBeUndefined();
  });
});
