import { randomBytes } from 'node:crypto';
import type { EncryptionRequest } from '../crypto/encryption.types';
import { ObjectRewrapper } from '../crypto/object-rewrapper.service';
import { KmsService } from '../kms/kms.service';
import { SERVER_KEY_ID } from '../kms/providers/builtin.provider';
import { startVaultServer, type FakeVault } from '../../test/fakes/vault-server';
import { eventually } from '../../test/support/eventually';
import { type RewrapApp, startRewrapApp } from '../../test/support/rewrap-app';
import { bodyOf, customerKey } from '../../test/support/storage';

describe('rewrap jobs', () => {
  let app: RewrapApp;
  let first: FakeVault;
  let second: FakeVault;

  beforeEach(async () => {
    [first, second] = await Promise.all([startVaultServer(), startVaultServer()]);
    first.createKey('objects');
    second.createKey('objects');
    app = await startRewrapApp();
    await app.useVault('first', first);
    await app.useVault('second', second);
    await app.buckets.create('bucket', 'owner');
  });

  afterEach(async () => {
    jest.restoreAllMocks();
    await app.close();
    await Promise.all([first.close(), second.close()]);
  });

  const kms = (keyId: string, more: object = {}): { encryption: EncryptionRequest } => ({
    encryption: { mode: 'sse-kms', keyId, ...more },
  });
  const FIRST = kms('vault:first/objects');
  const countOf = async (target: string) => (await app.usage.usageOf(`vault:${target}`, 'objects')).objects;

  it('moves objects of every kind from one KMS to another, which can then be switched off', async () => {
    await app.buckets.setVersioning('bucket', 'enabled');
    const old = await app.put('bucket', 'versioned', 'old', FIRST);
    await app.put('bucket', 'versioned', 'new', FIRST);
    await app.put('bucket', 'with context', 'x', kms('vault:first/objects', { context: { tenant: 'a' } }));
    await app.put('bucket', 'bucket key', 'y', kms('vault:first/objects', { bucketKey: true }));
    await app.put('bucket', 'double', 'z', { encryption: { mode: 'dsse-kms', keyId: 'vault:first/objects' } });
    await app.put('bucket', 'as a file', 'b'.repeat(100_000), FIRST);
    await app.put('bucket', 'server key', 's', { encryption: { mode: 'sse-s3' } });
    await app.put('bucket', 'plain', 'p', { encryption: { mode: 'none' } });
    await app.put('bucket', 'customer', 'c', { encryption: { mode: 'sse-c', customerKey: customerKey() } });

    const job = await app.run({ target: 'vault:second/objects' });

    expect(job).toMatchObject({
      state: 'completed',
      progress: { objects: { total: 6, done: 6 }, uploads: { total: 0, done: 0 }, failed: 0, changed: 0 },
      sources: [{ kms: 'vault:first', keyId: 'objects', keyVersion: '1', objects: 6, uploads: 0 }],
      excluded: { customerKeys: 1, unencrypted: 1, serverKeys: 1 },
    });
    expect(await countOf('first')).toBe(0);
    expect(await countOf('second')).toBe(6);
    await first.close();
    await app.config.delete('kms_vault', 'first', { changedBy: 'test' });
    expect(await app.read('bucket', 'versioned')).toBe('new');
    expect(await app.read('bucket', 'versioned', old)).toBe('old');
    expect(await app.read('bucket', 'with context')).toBe('x');
    expect(await app.read('bucket', 'bucket key')).toBe('y');
    expect(await app.read('bucket', 'double')).toBe('z');
    expect(await app.read('bucket', 'as a file')).toBe('b'.repeat(100_000));
    expect(await app.read('bucket', 'server key')).toBe('s');
  });

  it('changes neither ETag nor modification time nor a byte of the data', async () => {
    await app.put('bucket', 'key', 'content', FIRST);
    const snapshot = async () =>
      (
        await app.database.database.query({
          name: 'test.snapshot',
          text: `SELECT v.etag, v.last_modified, v.version_id, v.seq, i.data FROM object_version v JOIN object_inline i USING (seq)`,
        })
      )[0];
    const before = await snapshot();
    await app.run({ target: 'vault:second/objects' });
    expect(await snapshot()).toEqual(before);
  });

  it('takes uploads in progress along, and their parts stay readable', async () => {
    const command = { bucket: 'bucket', key: 'big', metadata: { user: {} }, owner: 'owner', ...FIRST };
    const { uploadId } = await app.multipart.create(command);
    const part = { bucket: 'bucket', key: 'big', uploadId };
    const content = randomBytes(5 * 1024 * 1024)
      .toString('latin1')
      .slice(0, 5 * 1024 * 1024);
    const bytes = Buffer.from(content, 'latin1');
    const one = await app.multipart.uploadPart({ ...part, partNumber: 1, body: bodyOf(bytes) });
    const job = await app.run({ target: 'vault:second/objects' });
    expect(job.progress.uploads).toEqual({ total: 1, done: 1 });
    await first.close();
    const two = await app.multipart.uploadPart({ ...part, partNumber: 2, body: bodyOf('end') });
    const parts = [one, two].map(({ etag }, index) => ({ partNumber: index + 1, etag }));
    await app.multipart.complete({ ...part, parts, owner: 'owner' } as never);
    const whole = await app.read('bucket', 'big');
    expect(whole.endsWith('end')).toBe(true);
    expect(await countOf('second')).toBe(1);
  });

  it('renews key versions after a rotation, those of bucket keys too', async () => {
    await app.put('bucket', 'a', 'a', FIRST);
    await app.put('bucket', 'b', 'b', kms('vault:first/objects', { bucketKey: true }));
    first.rotateKey('objects');
    await app.put('bucket', 'c', 'c', FIRST);
    const job = await app.run({ selection: { kms: 'vault:first' } });
    expect(job.progress.objects).toEqual({ total: 2, done: 2 });
    const { versions } = await app.usage.usageOf('vault:first', 'objects');
    expect(versions).toEqual([expect.objectContaining({ keyVersion: '2', objects: 3, bucketKeyObjects: 1 })]);
    first.configureKey('objects', { min_decryption_version: 2 });
    expect(await app.read('bucket', 'a')).toBe('a');
    expect(await app.read('bucket', 'b')).toBe('b');
  });

  it('renews the seals of SSE-S3 under the embedded keyring', async () => {
    await app.put('bucket', 'a', 'a', { encryption: { mode: 'sse-s3' } });
    const kmsService = app.module.get(KmsService, { strict: false });
    await kmsService.rotateKey(`builtin:default/${SERVER_KEY_ID}`);
    const job = await app.run({ selection: { kms: 'builtin:default' } });
    expect(job).toMatchObject({ excluded: { serverKeys: 0 }, progress: { objects: { done: 1 }, failed: 0 } });
    const { versions } = await app.usage.usageOf('builtin:default', SERVER_KEY_ID);
    expect(versions).toEqual([expect.objectContaining({ keyVersion: '2', objects: 1 })]);
    expect(await app.read('bucket', 'a')).toBe('a');
  });

  it('keeps to bucket, prefix, key and age', async () => {
    await app.buckets.create('other', 'owner');
    first.createKey('second-key');
    await app.put('bucket', 'logs/1', '', FIRST);
    await app.put('bucket', 'logs/2', '', kms('vault:first/second-key'));
    await app.put('bucket', 'data/1', '', FIRST);
    await app.put('other', 'logs/1', '', FIRST);
    const total = async (selection: object) =>
      (await app.run({ target: 'vault:second/objects', dryRun: true, selection })).progress.objects.total;
    expect(await total({})).toBe(4);
    expect(await total({ bucket: 'bucket' })).toBe(3);
    expect(await total({ bucket: 'bucket', prefix: 'logs/' })).toBe(2);
    expect(await total({ kms: 'vault:first', keyId: 'objects' })).toBe(3);
    expect(await total({ kms: 'vault:first', keyId: 'objects', keyVersion: '2' })).toBe(0);
    expect(await total({ kms: 'vault:second' })).toBe(0);
    expect(await total({ before: new Date(0) })).toBe(0);
    expect(await total({ before: new Date(Date.now() + 60_000) })).toBe(4);
    await app.run({ target: 'vault:second/objects', selection: { bucket: 'bucket', prefix: 'logs/' } });
    expect(await countOf('second')).toBe(2);
  });

  it('only counts in a dry run', async () => {
    await app.put('bucket', 'a', 'abc', FIRST);
    const job = await app.run({ target: 'vault:second/objects', dryRun: true });
    expect(job).toMatchObject({
      state: 'completed',
      progress: { objects: { total: 1, done: 0 }, bytes: { total: 3 } },
    });
    expect(await countOf('first')).toBe(1);
  });

  it('leaves alone what was overwritten or deleted while its key was being sealed', async () => {
    await app.put('bucket', 'overwritten', 'old', FIRST);
    await app.put('bucket', 'deleted', 'old', FIRST);
    await app.put('bucket', 'untouched', 'same', FIRST);
    const rewrapper = app.module.get(ObjectRewrapper, { strict: false });
    const rewrapAll = rewrapper.rewrapAll.bind(rewrapper);
    jest.spyOn(rewrapper, 'rewrapAll').mockImplementationOnce(async (items) => {
      const outcomes = await rewrapAll(items);
      await app.put('bucket', 'overwritten', 'new', FIRST);
      await app.objects.delete('bucket', { key: 'deleted' });
      return outcomes;
    });
    const job = await app.run({ target: 'vault:second/objects' });
    expect(job).toMatchObject({ state: 'completed', progress: { changed: 2, failed: 0, objects: { done: 2 } } });
    expect(await app.read('bucket', 'overwritten')).toBe('new');
    expect(await app.read('bucket', 'untouched')).toBe('same');
    await expect(app.read('bucket', 'deleted')).rejects.toMatchObject({ kind: 'NoSuchKey' });
    expect(await countOf('first')).toBe(0);
  });

  it('lists rows that were tampered with and leaves them as they are', async () => {
    for (const key of ['sound', 'sealed key', 'wrapped key', 'moved']) {
      await app.put('bucket', key, key, FIRST);
    }
    const { database } = app.database;
    const tamper = (column: string, key: string) =>
      database.execute({
        name: `test.tamper-${column}`,
        text: `UPDATE object_version SET ${column} = set_byte(${column}, 40, get_byte(${column}, 40) # 1) WHERE key = '${key}'`,
      });
    await tamper('sealed_key', 'sealed key');
    await tamper('wrapped_key', 'wrapped key');
    await database.execute({
      name: 'test.move',
      text: `UPDATE object_version v SET (iv, sealed_key, wrapped_key) = (SELECT iv, sealed_key, wrapped_key FROM object_version
        WHERE key = 'sound') WHERE key = 'moved'`,
    });
    const job = await app.run({ target: 'vault:second/objects' });
    expect(job).toMatchObject({ state: 'completed', progress: { failed: 3, objects: { total: 4, done: 1 } } });
    const failures = await app.rewrap.failures(job.id, {}, 10);
    expect(failures.map(({ key }) => key)).toEqual(['moved', 'sealed key', 'wrapped key']);
    expect(failures.every(({ reason }) => /ObjectTampered|kms-invalid/.test(reason))).toBe(true);
    expect(await countOf('first')).toBe(3);
    const [after] = failures;
    expect((await app.rewrap.failures(job.id, after!, 1)).map(({ key }) => key)).toEqual(['sealed key']);
  });

  it('stores no seal that the target cannot open again', async () => {
    await app.put('bucket', 'key', 'content', FIRST);
    const dataKeys = app.module.get(KmsService, { strict: false });
    const unwrapAll = dataKeys.unwrapAll.bind(dataKeys);
    const opened = jest.spyOn(dataKeys, 'unwrapAll').mockImplementation(async (keys) => {
      const outcomes = await unwrapAll(keys);
      return keys[0]?.wrapped.kms === 'vault:second'
        ? keys.map(() => ({ status: 'fulfilled', value: randomBytes(32) }))
        : outcomes;
    });
    const job = await app.run({ target: 'vault:second/objects' });
    expect(job.progress.failed).toBe(1);
    expect((await app.rewrap.failures(job.id, {}, 1))[0]).toMatchObject({ reason: 'ObjectTampered', key: 'key' });
    opened.mockRestore();
    expect(await app.read('bucket', 'key')).toBe('content');
    expect(await countOf('first')).toBe(1);
  });

  it('waits for a KMS that is away and fails no object for it', async () => {
    await app.put('bucket', 'key', 'content', FIRST);
    first.seal();
    const { id } = await app.rewrap.create({
      target: 'vault:second/objects',
      selection: {},
      dryRun: false,
      createdBy: 'test',
    });
    await eventually(async () => expect((await app.rewrap.get(id)).waitingFor).toMatch(/vault:first/));
    first.unseal();
    await eventually(async () => expect((await app.rewrap.get(id)).state).toBe('completed'));
    expect((await app.rewrap.get(id)).progress).toMatchObject({ failed: 0, objects: { done: 1 } });
  });

  it('fails a job whose target cannot be used, before anything is changed', async () => {
    await app.put('bucket', 'key', 'content', FIRST);
    const job = await app.run({ target: 'vault:second/no-such-key' });
    expect(job.state).toBe('failed');
    expect(job.error).toMatch(/no-such-key/);
    await expect(
      app.rewrap.create({ target: 'vault:third/key', selection: {}, dryRun: false, createdBy: 'test' }),
    ).rejects.toMatchObject({ kind: 'kms-not-configured' });
  });

  it('pauses, resumes, keeps a pace and can be cancelled', async () => {
    for (let index = 0; index < 12; index++) {
      await app.put('bucket', `key-${index}`, 'x', FIRST);
    }
    const { id } = await app.rewrap.create({
      target: 'vault:second/objects',
      selection: {},
      dryRun: false,
      rateLimit: 2,
      createdBy: 'test',
    });
    await eventually(async () => expect((await app.rewrap.get(id)).progress.objects.done).toBeGreaterThan(0));
    const paused = await app.rewrap.change(id, { state: 'paused' });
    expect(paused.state).toBe('paused');
    expect(paused.progress.objects.done).toBeLessThan(12);
    await expect(app.rewrap.delete(id)).rejects.toMatchObject({ kind: 'rewrap-job-active' });
    await app.rewrap.change(id, { state: 'running', rateLimit: null });
    await eventually(async () => expect((await app.rewrap.get(id)).state).toBe('completed'));
    expect(await countOf('second')).toBe(12);
    await expect(app.rewrap.change(id, { state: 'cancelled' })).rejects.toMatchObject({ kind: 'rewrap-job-ended' });

    const back = await app.rewrap.create({
      target: 'vault:first/objects',
      selection: {},
      dryRun: false,
      rateLimit: 1,
      createdBy: 'test',
    });
    expect((await app.rewrap.change(back.id, { state: 'cancelled' })).state).toBe('cancelled');
    await eventually(() => app.rewrap.delete(back.id));
    await expect(app.rewrap.get(back.id)).rejects.toMatchObject({ kind: 'rewrap-job-not-found' });
  });

  it('refuses selections that make no sense', async () => {
    const create = (selection: object) =>
      app.rewrap.create({ target: 'vault:second/objects', selection, dryRun: true, createdBy: 'test' });
    for (const selection of [
      { prefix: 'x' },
      { keyId: 'x' },
      { kms: 'vault:first', keyVersion: '1' },
      { bucket: 'none' },
    ]) {
      await expect(create(selection)).rejects.toMatchObject({ kind: 'rewrap-invalid' });
    }
  });
});
