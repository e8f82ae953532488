import { register } from 'prom-client';
import type { EncryptionRequest } from '../crypto/encryption.types';
import { BucketKeys } from '../crypto/bucket-keys';
import { startVaultServer, type FakeVault } from '../../test/fakes/vault-server';
import { type RewrapApp, startRewrapApp } from '../../test/support/rewrap-app';
import { bodyOf } from '../../test/support/storage';

const FIRST = 'vault:first/objects';
const SECOND = 'vault:second/objects';

describe('escrow', () => {
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
    // Reads have to ask the KMS, not the memory.
    await app.config.set('kms', 'default', { cache_size: 0, escrow_target: SECOND }, { changedBy: 'test' });
    await app.buckets.create('bucket', 'owner');
  });

  afterEach(async () => {
    await app.close();
    await Promise.all([first.close(), second.close()]);
  });

  const kms = (more: object = {}): { encryption: EncryptionRequest } => ({
    encryption: { mode: 'sse-kms', keyId: FIRST, ...more },
  });
  const escrowed = async () => {
    const { escrowObjects, escrowUploads } = await app.usage.usageOf('vault:second', 'objects');
    return { escrowObjects, escrowUploads };
  };
  const fallbacks = async () => {
    const metric = await register.getSingleMetric('strongroom_escrow_reads_total')?.get();
    return metric?.values.find(({ labels }) => labels['outcome'] === 'opened' && labels['reason'] === 'unavailable')
      ?.value;
  };
  const alter = (change: string) => app.database.database.dataSource.query(`UPDATE object_version SET ${change}`);

  it.each([
    ['SSE-KMS', {}],
    ['SSE-KMS with a context', { context: { tenant: 'a' } }],
    ['SSE-KMS with a bucket key', { bucketKey: true }],
    ['DSSE-KMS', { mode: 'dsse-kms' }],
  ])('goes on reading %s when the first KMS is dead', async (_name, more) => {
    await app.put('bucket', 'small', 'content', kms(more));
    await app.put('bucket', 'large', 'b'.repeat(100_000), kms(more));
    expect(await escrowed()).toEqual({ escrowObjects: 2, escrowUploads: 0 });
    const before = (await fallbacks()) ?? 0;

    await first.close();
    app.module.get(BucketKeys, { strict: false }).onModuleDestroy();

    expect(await app.read('bucket', 'small')).toBe('content');
    expect(await app.read('bucket', 'large')).toBe('b'.repeat(100_000));
    expect(await fallbacks()).toBe(before + 2);
  });

  it('goes on reading when the key in the first KMS is gone, or the KMS is no longer configured', async () => {
    await app.put('bucket', 'key', 'content', kms());
    first.configureKey('objects', { deletion_allowed: true });
    first.deleteKey('objects');
    expect(await app.read('bucket', 'key')).toBe('content');
    await app.config.set('kms_vault', 'first', { enabled: false }, { changedBy: 'test' });
    expect(await app.read('bucket', 'key')).toBe('content');
  });

  it('lets a refusal of the first KMS stand', async () => {
    await app.put('bucket', 'key', 'content', kms());
    first.inject({
      action: { type: 'status', status: 403, errors: ['permission denied'] },
      path: /transit\/decrypt/,
      times: 9,
    });
    await expect(app.read('bucket', 'key')).rejects.toMatchObject({ kind: 'kms-access-denied' });
  });

  it('stores nothing when either KMS does not answer', async () => {
    await second.close();
    await expect(app.put('bucket', 'key', 'content', kms())).rejects.toMatchObject({ kind: 'kms-unavailable' });
    await expect(app.read('bucket', 'key')).rejects.toMatchObject({ kind: 'NoSuchKey' });
    await app.buckets.setEscrow('bucket', null);
    await app.put('bucket', 'key', 'content', kms());
    expect(await app.read('bucket', 'key')).toBe('content');
  });

  it.each([
    ['sealed key', `escrow_sealed_key = set_byte(escrow_sealed_key, 40, get_byte(escrow_sealed_key, 40) # 1)`],
    ['nonce', `escrow_iv = set_byte(escrow_iv, 0, get_byte(escrow_iv, 0) # 1)`],
    ['wrapped key', `escrow_wrapped_key = set_byte(escrow_wrapped_key, 20, get_byte(escrow_wrapped_key, 20) # 1)`],
  ])('never opens an object by a second seal whose %s was altered', async (_name, change) => {
    await app.put('bucket', 'key', 'content', kms());
    await alter(change);
    expect(await app.read('bucket', 'key')).toBe('content');
    await app.config.set('kms_vault', 'first', { enabled: false }, { changedBy: 'test' });
    await expect(app.read('bucket', 'key')).rejects.toThrow();
    await expect(app.read('bucket', 'key')).rejects.not.toMatchObject({ kind: 'kms-not-configured' });
  });

  it("never opens an object by another object's second seal", async () => {
    await app.put('bucket', 'one', 'content', kms());
    await app.put('bucket', 'two', 'other', kms());
    await app.database.database.dataSource.query(`UPDATE object_version v SET escrow_iv = o.escrow_iv,
      escrow_sealed_key = o.escrow_sealed_key, escrow_wrapped_key = o.escrow_wrapped_key
      FROM object_version o WHERE v.key = 'one' AND o.key = 'two'`);
    await app.config.set('kms_vault', 'first', { enabled: false }, { changedBy: 'test' });
    await expect(app.read('bucket', 'one')).rejects.toThrow();
    expect(await app.read('bucket', 'two')).toBe('other');
  });

  it('has the bucket decide before the deployment, and never seals twice under one key or under SSE-S3', async () => {
    await app.buckets.setEscrow('bucket', null);
    await app.put('bucket', 'none', 'x', kms());
    expect(await escrowed()).toMatchObject({ escrowObjects: 0 });
    await app.buckets.setEscrow('bucket', undefined);
    await app.put('bucket', 'server key', 'x', { encryption: { mode: 'sse-s3' } });
    await app.put('bucket', 'same', 'x', kms({ keyId: SECOND }));
    expect(await escrowed()).toMatchObject({ escrowObjects: 0 });
    await app.config.set('kms', 'default', { cache_size: 0, escrow_target: '' }, { changedBy: 'test' });
    await app.put('bucket', 'not any more', 'x', kms());
    expect(await escrowed()).toMatchObject({ escrowObjects: 0 });
    await app.buckets.setEscrow('bucket', SECOND);
    await app.put('bucket', 'by the bucket', 'x', kms());
    expect(await escrowed()).toMatchObject({ escrowObjects: 1 });
  });

  it('covers uploads in parts, from their beginning to the object', async () => {
    const upload = await app.multipart.create({
      bucket: 'bucket',
      key: 'key',
      metadata: { user: {} },
      owner: 'owner',
      ...kms(),
    });
    expect(await escrowed()).toEqual({ escrowObjects: 0, escrowUploads: 1 });
    await first.close();
    const { uploadId } = upload;
    const part = await app.multipart.uploadPart({
      bucket: 'bucket',
      key: 'key',
      uploadId,
      partNumber: 1,
      body: bodyOf('content'),
    });
    await app.multipart.complete({
      bucket: 'bucket',
      key: 'key',
      uploadId,
      parts: [{ partNumber: 1, etag: part.etag }],
    });
    expect(await escrowed()).toEqual({ escrowObjects: 1, escrowUploads: 0 });
    expect(await app.read('bucket', 'key')).toBe('content');
  });

  describe('changed by rewrap jobs', () => {
    it('is added to what has none, without a new first seal, and taken away again', async () => {
      await app.buckets.setEscrow('bucket', null);
      await app.put('bucket', 'key', 'content', kms());
      await app.put('bucket', 'through a bucket key', 'content', kms({ bucketKey: true }));
      await app.put('bucket', 'server key', 'x', { encryption: { mode: 'sse-s3' } });
      const sealOf = () => app.database.database.dataSource.query(`SELECT sealed_key FROM object_version ORDER BY key`);
      const before = await sealOf();

      const added = await app.run({ escrow: 'add' });
      expect(added).toMatchObject({
        state: 'completed',
        escrow: 'add',
        escrowTarget: { kms: 'vault:second', keyId: 'objects' },
        progress: { objects: { done: 2 }, failed: 0 },
      });
      expect(await escrowed()).toMatchObject({ escrowObjects: 2 });
      expect(await sealOf()).toEqual(before);
      expect((await app.run({ escrow: 'add' })).progress.objects).toEqual({ total: 0, done: 0 });

      const dropped = await app.run({ escrow: 'drop' });
      expect(dropped.progress).toMatchObject({ objects: { done: 2 }, failed: 0 });
      expect(await escrowed()).toMatchObject({ escrowObjects: 0 });
      expect(await app.read('bucket', 'key')).toBe('content');
    });

    it('lets a job leave a first KMS that is lost', async () => {
      const third = await startVaultServer();
      try {
        third.createKey('objects');
        await app.useVault('third', third);
        await app.put('bucket', 'key', 'content', kms());
        await first.close();
        await app.config.set('kms_vault', 'first', { enabled: false }, { changedBy: 'test' });
        const job = await app.run({ target: 'vault:third/objects' });
        expect(job).toMatchObject({ state: 'completed', progress: { objects: { done: 1 }, failed: 0 } });
        expect(await escrowed()).toMatchObject({ escrowObjects: 1 });
        await second.close();
        expect(await app.read('bucket', 'key')).toBe('content');
      } finally {
        await third.close();
      }
    });

    it('does not outlive a move to its own key', async () => {
      await app.put('bucket', 'key', 'content', kms());
      await app.run({ target: SECOND });
      expect(await app.usage.usageOf('vault:second', 'objects')).toMatchObject({ objects: 1, escrowObjects: 0 });
      await expect(app.run({ target: SECOND, escrow: 'add' })).rejects.toMatchObject({ kind: 'rewrap-invalid' });
      await expect(app.run({ escrowTarget: SECOND })).rejects.toMatchObject({ kind: 'rewrap-invalid' });
    });
  });
});
