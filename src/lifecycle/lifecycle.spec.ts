import { Logger } from '@nestjs/common';
import { age, createTestLifecycle, type TestLifecycle, UNHURRIED } from '../../test/support/lifecycle';
import { createTestStorage, customerKey, type TestStorage } from '../../test/support/storage';
import type { LeasedRun } from './lifecycle.types';

const BIG = Buffer.alloc(100_000, 1);

describe('lifecycle rules', () => {
  let storage: TestStorage;
  let lifecycle: TestLifecycle;
  let bucket: string;
  let buckets = 0;

  beforeAll(async () => {
    Logger.overrideLogger(false);
    storage = await createTestStorage();
    lifecycle = createTestLifecycle(storage);
  });
  afterAll(() => storage.close());
  beforeEach(async () => {
    bucket = `bucket-${++buckets}`;
    await storage.buckets.create(bucket, 'owner');
  });

  const versions = async (): Promise<string[]> => {
    const page = await storage.listing.listVersions({ bucket, prefix: '', maxKeys: 1_000 });
    return page.versions.map(({ key, isLatest, deleteMarker }) =>
      [key, isLatest ? 'current' : 'noncurrent', ...(deleteMarker ? ['marker'] : [])].join(' '),
    );
  };
  const putOld = async (key: string, days: number, content: Buffer | string = key, more = {}): Promise<void> => {
    await storage.put(bucket, key, content, more);
    await age(storage, bucket, key, days);
  };
  const queuedBlobs = async (): Promise<number> => {
    const [row] = await storage.database.database.query<{ count: number }>({
      name: 'test.queued',
      text: 'SELECT count(*)::integer AS count FROM blob WHERE deleted_at IS NOT NULL',
    });
    return row!.count;
  };

  it('remove what has expired from a bucket without versions, bytes and all', async () => {
    await putOld('old/small', 5);
    await putOld('old/big', 5, BIG);
    await putOld('old/young', 1);
    await putOld('other', 5);
    await lifecycle.setRules(bucket, { filter: { prefix: 'old/' }, expiration: { days: 3 } });
    const before = await queuedBlobs();
    const run = await lifecycle.run(bucket);
    expect(run).toMatchObject({ state: 'completed', objectsExpired: 2, bytes: BIG.length + 'old/small'.length });
    expect(run.scanned).toBe(3);
    expect(await versions()).toEqual(['old/young current', 'other current']);
    expect(await queuedBlobs()).toBe(before + 1);
  });

  it('put delete markers into a versioned bucket, and null markers where versioning is suspended', async () => {
    await storage.buckets.setVersioning(bucket, 'enabled');
    await putOld('kept', 5);
    await storage.buckets.setVersioning(bucket, 'suspended');
    await putOld('replaced', 5);
    await lifecycle.setRules(bucket, { expiration: { days: 3 } });
    expect(await lifecycle.run(bucket)).toMatchObject({ objectsExpired: 2, bytes: 0 });
    expect(await versions()).toEqual(['kept current marker', 'kept noncurrent', 'replaced current marker']);
    expect(await lifecycle.run(bucket)).toMatchObject({ objectsExpired: 0, changed: 0 });
  });

  it('remove noncurrent versions by age and number, and then the marker above them', async () => {
    await storage.buckets.setVersioning(bucket, 'enabled');
    for (let version = 0; version < 6; version++) {
      await putOld('key', 3);
    }
    await lifecycle.setRules(bucket, {
      noncurrentExpiration: { days: 1, newerVersions: 2 },
      expiration: { expiredDeleteMarker: true },
    });
    expect(await lifecycle.run(bucket)).toMatchObject({ versionsRemoved: 3, markersRemoved: 0 });
    await storage.objects.delete(bucket, { key: 'key' });
    await age(storage, bucket, 'key', 3);
    await lifecycle.setRules(bucket, {
      noncurrentExpiration: { days: 1 },
      expiration: { expiredDeleteMarker: true },
    });
    expect(await lifecycle.run(bucket)).toMatchObject({ versionsRemoved: 3, markersRemoved: 0 });
    expect(await versions()).toEqual(['key current marker']);
    expect(await lifecycle.run(bucket)).toMatchObject({ markersRemoved: 1 });
    expect(await versions()).toEqual([]);
  });

  it('count a noncurrent version from when the one above it came', async () => {
    await storage.buckets.setVersioning(bucket, 'enabled');
    await putOld('key', 100);
    await storage.put(bucket, 'key', 'newer');
    await lifecycle.setRules(bucket, { noncurrentExpiration: { days: 1 } });
    expect(await lifecycle.run(bucket)).toMatchObject({ versionsRemoved: 0 });
    await age(storage, bucket, 'key', 3);
    expect(await lifecycle.run(bucket)).toMatchObject({ versionsRemoved: 1 });
  });

  it('never remove a locked version', async () => {
    await storage.buckets.setVersioning(bucket, 'enabled');
    await storage.locks.setOfBucket(bucket, {});
    await putOld('held', 9, 'x', { lock: { legalHold: true } });
    await putOld('held', 9, 'y', { lock: { mode: 'COMPLIANCE', until: new Date(Date.now() + 1e8).toISOString() } });
    await putOld('held', 9, 'z');
    await putOld('held', 9, 'current');
    await lifecycle.setRules(bucket, { noncurrentExpiration: { days: 1 } });
    expect(await lifecycle.run(bucket)).toMatchObject({ versionsRemoved: 1, locked: 2 });
    expect(await versions()).toEqual(['held current', 'held noncurrent', 'held noncurrent']);
  });

  it('need no key of what they remove', async () => {
    await putOld('kms', 5, BIG, { encryption: { mode: 'sse-kms' } });
    await putOld('customer', 5, 'x', { encryption: { mode: 'sse-c', customerKey: customerKey() } });
    const calls = storage.dataKeys.calls;
    await lifecycle.setRules(bucket, { expiration: { days: 1 } });
    expect(await lifecycle.run(bucket)).toMatchObject({ objectsExpired: 2 });
    expect(storage.dataKeys.calls).toEqual(calls);
  });

  it('end uploads that were begun too long ago', async () => {
    const upload = { bucket, key: 'up/old', metadata: { user: {} }, owner: 'owner' };
    const { uploadId } = await storage.multipart.create(upload);
    await age(storage, bucket, 'up/old', 9);
    await storage.multipart.create(upload);
    await storage.multipart.create({ ...upload, key: 'other' });
    await age(storage, bucket, 'other', 9);
    await lifecycle.setRules(bucket, { filter: { prefix: 'up/' }, abortUploadsAfterDays: 7 });
    expect(await lifecycle.run(bucket)).toMatchObject({ uploadsAborted: 1, scanned: 2 });
    await expect(storage.multipart.listParts(bucket, 'up/old', uploadId, 0, 1)).rejects.toMatchObject({
      kind: 'NoSuchUpload',
    });
  });

  it('go on page after page, and remember what is above a version from one page to the next', async () => {
    await storage.buckets.setVersioning(bucket, 'enabled');
    for (let version = 0; version < 130; version++) {
      await storage.put(bucket, 'many', 'x');
    }
    await age(storage, bucket, 'many', 5);
    await lifecycle.setRules(bucket, { noncurrentExpiration: { days: 1, newerVersions: 5 } });
    expect(await lifecycle.run(bucket)).toMatchObject({ versionsRemoved: 124 });
    expect(await versions()).toHaveLength(6);
  });

  it('show beforehand what they would do, without doing it', async () => {
    await putOld('a', 5);
    await putOld('b', 5);
    await putOld('c', 0);
    await lifecycle.setRules(bucket, { expiration: { days: 1 } });
    const first = await lifecycle.service.preview(bucket, undefined, 1);
    expect(first.actions).toEqual([{ action: 'expire', ruleId: 'rule-0', key: 'a', versionId: 'null', size: 1 }]);
    const second = await lifecycle.service.preview(bucket, first.next, 10);
    expect(second.actions.map(({ key }) => key)).toEqual(['b']);
    expect(await versions()).toHaveLength(3);
  });

  it('leave alone what was changed after it was judged', async () => {
    await putOld('overwritten', 5);
    await putOld('tagged', 5, 'x', { tags: { state: 'done' } });
    await lifecycle.setRules(bucket, { filter: {}, expiration: { days: 1 } });
    const page = await lifecycle.walker.objects(
      { ...(await leased()) },
      { stage: 'objects', key: '', upload: '' },
      undefined,
      100,
    );
    await storage.put(bucket, 'overwritten', 'new');
    await storage.objects.setTags(bucket, { key: 'tagged' }, { state: 'wanted' });
    const run = await leased();
    const outcomes = await storage.database.database.transaction((tx) =>
      lifecycle.walk.expire(run.bucketId, page!.judgements, tx),
    );
    expect(outcomes.map(({ outcome }) => outcome)).toEqual(['changed', 'changed']);
    expect((await storage.read(bucket, 'overwritten')).toString()).toBe('new');
  });

  it('leave a version alone that became the current one again', async () => {
    await storage.buckets.setVersioning(bucket, 'enabled');
    await putOld('key', 9);
    await storage.objects.delete(bucket, { key: 'key' });
    await age(storage, bucket, 'key', 5);
    await lifecycle.setRules(bucket, { noncurrentExpiration: { days: 1 } });
    const run = await leased();
    const page = await lifecycle.walker.objects(run, run.cursor, undefined, 100);
    expect(page!.judgements).toHaveLength(1);
    const [marker] = (await storage.listing.listVersions({ bucket, prefix: '', maxKeys: 10 })).versions;
    await storage.objects.delete(bucket, { key: 'key', versionId: marker!.versionId });
    const [outcome] = await storage.database.database.transaction((tx) =>
      lifecycle.walk.expire(run.bucketId, page!.judgements, tx),
    );
    expect(outcome).toMatchObject({ outcome: 'changed' });
    expect(await versions()).toEqual(['key current']);
  });

  it('are gone on with by another process where one was killed', async () => {
    for (let index = 0; index < 5; index++) {
      await putOld(`key-${index}`, 5);
    }
    await lifecycle.setRules(bucket, { expiration: { days: 1 } });
    const dead = await leased();
    const page = await lifecycle.walker.objects(dead, dead.cursor, undefined, 2);
    await storage.database.database.transaction(async (tx) => {
      await lifecycle.walk.expire(dead.bucketId, page!.judgements, tx);
      await lifecycle.runs.advance(dead, page!.next, { ...NOTHING, objectsExpired: 2 }, tx);
    });
    expect(await lifecycle.runs.take()).toBeUndefined();
    await expireLeases();
    const taken = await lifecycle.runs.take();
    expect(taken).toMatchObject({ bucket, cursor: { stage: 'objects', key: 'key-1' } });
    await lifecycle.runner.run(taken!, UNHURRIED);
    expect(await lifecycle.service.get(bucket)).toMatchObject({ state: 'completed', objectsExpired: 5 });
    expect(await lifecycle.runs.advance(dead, page!.next, NOTHING)).toBeUndefined();
    expect(await versions()).toEqual([]);
  });

  it('end a run and begin another when they are changed meanwhile', async () => {
    await putOld('a', 5);
    await putOld('b', 5);
    await lifecycle.setRules(bucket, { filter: { prefix: 'a' }, expiration: { days: 1 } });
    const run = await leased();
    await lifecycle.setRules(bucket, { filter: { prefix: 'b' }, expiration: { days: 1 } });
    await lifecycle.runner.run(run, UNHURRIED);
    const { dueAt } = await lifecycle.service.get(bucket);
    expect(dueAt.getTime()).toBeLessThanOrEqual(Date.now());
    await lifecycle.run(bucket);
    expect(await versions()).toEqual([]);
  });

  it('fail with a reason, and are tried again', async () => {
    await putOld('a', 5);
    await lifecycle.setRules(bucket, { expiration: { days: 1 } });
    const run = await leased();
    const failing = { ...run, rules: [{ ...run.rules[0]!, filter: { prefix: '\0' } }] };
    await lifecycle.runner.run(failing, UNHURRIED);
    const failed = await lifecycle.service.get(bucket);
    expect(failed).toMatchObject({ state: 'failed' });
    expect(failed.error).toContain('invalid byte sequence');
    expect(await lifecycle.run(bucket)).toMatchObject({ state: 'completed', objectsExpired: 1 });
  });

  it('are known only of buckets that have them', async () => {
    await expect(lifecycle.service.get(bucket)).rejects.toMatchObject({ kind: 'NoSuchLifecycleConfiguration' });
    await expect(lifecycle.service.request('no-such-bucket')).rejects.toMatchObject({ kind: 'NoSuchBucket' });
    await lifecycle.setRules(bucket, { expiration: { days: 1 } });
    expect(await lifecycle.service.get(bucket)).toMatchObject({ state: 'waiting', scanned: 0 });
  });

  const NOTHING = {
    scanned: 0,
    objectsExpired: 0,
    versionsRemoved: 0,
    markersRemoved: 0,
    uploadsAborted: 0,
    bytes: 0,
    locked: 0,
    changed: 0,
  };

  /** Takes the run of this test's bucket, ending those of earlier ones. */
  async function leased(): Promise<LeasedRun> {
    await lifecycle.service.request(bucket);
    await expireLeases();
    for (;;) {
      const run = await lifecycle.runs.take();
      if (run === undefined) {
        throw new Error(`The run of ${bucket} is not to be had`);
      }
      if (run.bucket === bucket) {
        return run;
      }
      await lifecycle.runs.finish(run, 3_600);
    }
  }

  async function expireLeases(): Promise<void> {
    await storage.database.database.execute({
      name: 'test.expire-leases',
      text: `UPDATE lifecycle_run SET lease_until = clock_timestamp() - interval '1 second' WHERE lease_until IS NOT NULL`,
    });
  }
});
