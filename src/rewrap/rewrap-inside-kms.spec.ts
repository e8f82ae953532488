import { randomBytes } from 'node:crypto';
import { register } from 'prom-client';
import { startAwsKmsServer, type FakeAwsKms } from '../../test/fakes/aws-kms-server';
import { startVaultServer, type FakeVault } from '../../test/fakes/vault-server';
import { type RewrapApp, startRewrapApp } from '../../test/support/rewrap-app';
import { KmsService } from '../kms/kms.service';

const OBJECTS = 120;

describe('rewrapping inside the KMS', () => {
  let app: RewrapApp;
  let vault: FakeVault;
  let aws: FakeAwsKms;

  beforeAll(async () => {
    [vault, aws] = await Promise.all([startVaultServer(), startAwsKmsServer()]);
    app = await startRewrapApp();
    vault.createKey('objects', { derived: true });
    await app.useVault('main', vault);
    const { accessKey: access_key, secretKey: secret_key, region } = aws;
    for (const alias of ['objects', 'other']) {
      aws.createKey(alias);
    }
    const values = { endpoint: aws.url, access_key, secret_key, region, key_name: 'objects', enabled: true };
    await app.config.set('kms_aws', 'main', values, { changedBy: 'test' });
  });

  afterEach(() => jest.restoreAllMocks());

  afterAll(async () => {
    await app.close();
    await Promise.all([vault.close(), aws.close()]);
  });

  /** A bucket of its own with objects under a key. */
  async function objectsUnder(bucket: string, keyId: string, count: number, more: object = {}): Promise<void> {
    await app.buckets.create(bucket, 'owner');
    for (let index = 0; index < count; index++) {
      await app.put(bucket, `key-${index}`, `content ${index}`, { encryption: { mode: 'sse-kms', keyId, ...more } });
    }
  }

  const sealsOf = async (bucket: string) =>
    app.database.database.query<{ sealed_key: Buffer; wrapped_key: Buffer; kms_key_version: string }>(
      {
        name: 'test.seals',
        text: `SELECT v.sealed_key, v.wrapped_key, v.kms_key_version FROM object_version v JOIN bucket b ON b.id = v.bucket_id
        WHERE b.name = $1 ORDER BY v.key`,
      },
      [bucket],
    );

  /** Runs a job and tells the calls to Vault that it took for the key. */
  async function vaultCalls(key: string, run: () => Promise<unknown>): Promise<Record<string, number>> {
    const before = vault.requests.length;
    await run();
    const verbs = vault.requests
      .slice(before)
      .map(({ path }) => new RegExp(`^transit/([a-z]+)(?:/plaintext)?/${key}$`).exec(path)?.[1])
      .filter((verb) => verb !== undefined && verb !== 'keys');
    return Object.fromEntries(verbs.map((verb) => [verb, verbs.filter((other) => other === verb).length]));
  }

  const counted = async (way: string): Promise<number> => {
    const { values } = (await register.getSingleMetric('strongroom_rewrap_ways_total')?.get()) ?? { values: [] };
    return values.find(({ labels }) => labels['way'] === way)?.value ?? 0;
  };

  it('has Vault rewrap the data keys of a derived key by the batch, and proves each of them', async () => {
    await objectsUnder('derived', 'vault:main/objects', OBJECTS, { context: { tenant: 'a' } });
    const before = await sealsOf('derived');
    const inside = await counted('kms');
    vault.rotateKey('objects');

    const calls = await vaultCalls('objects', async () => {
      const job = await app.run({ selection: { bucket: 'derived' } });
      expect(job).toMatchObject({
        state: 'completed',
        progress: { objects: { total: OBJECTS, done: OBJECTS }, insideKms: OBJECTS, failed: 0 },
      });
    });

    // Two batches, of 100 and of 20: no data key is asked for before it has been rewrapped.
    expect(calls).toEqual({ rewrap: 2, decrypt: 2 });
    expect((await counted('kms')) - inside).toBe(OBJECTS);
    const after = await sealsOf('derived');
    expect(after.map(({ sealed_key }) => sealed_key)).toEqual(before.map(({ sealed_key }) => sealed_key));
    expect(after.every(({ kms_key_version }) => kms_key_version === '2')).toBe(true);
    expect(after.every(({ wrapped_key }, index) => !wrapped_key.equals(before[index]!.wrapped_key))).toBe(true);
    vault.configureKey('objects', { min_decryption_version: 2 });
    expect(await app.read('derived', `key-${OBJECTS - 1}`)).toBe(`content ${OBJECTS - 1}`);
  });

  it('unwraps and wraps by the batch where associated data binds the context', async () => {
    vault.createKey('plain', { derived: false });
    await objectsUnder('plain', 'vault:main/plain', 8);
    vault.rotateKey('plain');
    const calls = await vaultCalls('plain', async () => {
      const job = await app.run({ selection: { bucket: 'plain' } });
      expect(job.progress).toMatchObject({ objects: { done: 8 }, insideKms: 0, failed: 0 });
    });
    expect(calls).toEqual({ decrypt: 2, encrypt: 1 });
    expect(await app.read('plain', 'key-7')).toBe('content 7');
  });

  it('does without the permission to rewrap', async () => {
    vault.createKey('unpermitted', { derived: true });
    vault.putPolicy('objects', {
      'transit/keys/*': ['read'],
      'transit/datakey/*': ['update'],
      'transit/decrypt/*': ['update'],
    });
    await app.useVault('narrow', vault, { token: vault.createToken({ policies: ['default', 'objects'] }) });
    await objectsUnder('unpermitted', 'vault:narrow/unpermitted', 3);
    vault.rotateKey('unpermitted');
    const job = await app.run({ selection: { bucket: 'unpermitted' } });
    expect(job.progress).toMatchObject({ objects: { done: 3 }, insideKms: 0, failed: 0 });
    expect((await sealsOf('unpermitted')).map(({ kms_key_version }) => kms_key_version)).toEqual(['2', '2', '2']);
    expect(await app.read('unpermitted', 'key-2')).toBe('content 2');
  });

  it('fails the one key that is wrong and none of those beside it', async () => {
    vault.createKey('mixed', { derived: true });
    await objectsUnder('mixed', 'vault:main/mixed', 5);
    await app.database.database.execute({
      name: 'test.swap',
      text: `UPDATE object_version v SET wrapped_key = o.wrapped_key FROM object_version o
        WHERE v.bucket_id = o.bucket_id AND v.key = 'key-3' AND o.key = 'key-1'
          AND v.bucket_id = (SELECT id FROM bucket WHERE name = 'mixed')`,
    });
    vault.rotateKey('mixed');
    const job = await app.run({ selection: { bucket: 'mixed' } });
    expect(job.progress).toMatchObject({ objects: { done: 4 }, insideKms: 4, failed: 1 });
    expect(await app.rewrap.failures(job.id, {}, 10)).toEqual([
      expect.objectContaining({ key: 'key-3', reason: 'kms-invalid-ciphertext' }),
    ]);
    expect(await app.read('mixed', 'key-4')).toBe('content 4');
  });

  it('keeps the old wrapping where the new one does not open the object key', async () => {
    vault.createKey('unproved', { derived: true });
    await objectsUnder('unproved', 'vault:main/unproved', 2);
    const before = await sealsOf('unproved');
    vault.rotateKey('unproved');
    const kms = app.module.get(KmsService, { strict: false });
    jest
      .spyOn(kms, 'unwrapAll')
      .mockImplementation((keys) => Promise.resolve(keys.map(() => ({ status: 'fulfilled', value: randomBytes(32) }))));
    const job = await app.run({ selection: { bucket: 'unproved' } });
    expect(job.progress).toMatchObject({ objects: { done: 0 }, insideKms: 0, failed: 2 });
    expect((await app.rewrap.failures(job.id, {}, 10)).map(({ reason }) => reason)).toEqual([
      'ObjectTampered',
      'ObjectTampered',
    ]);
    expect(await sealsOf('unproved')).toEqual(before);
    expect(await app.read('unproved', 'key-0')).toBe('content 0');
  });

  it('holds out while Vault is sealed in the middle, and loses nothing', async () => {
    vault.createKey('sealed', { derived: true });
    await objectsUnder('sealed', 'vault:main/sealed', 3);
    vault.rotateKey('sealed');
    vault.inject({ action: { type: 'status', status: 503 }, path: /^transit\/rewrap\//, times: 1 });
    const job = await app.run({ selection: { bucket: 'sealed' } });
    expect(job.progress).toMatchObject({ objects: { done: 3 }, insideKms: 3, failed: 0 });
  });

  it('takes the version that the configuration pins for the newest one', async () => {
    vault.createKey('pinned', { derived: true });
    await app.useVault('pinned', vault, { key_name: 'pinned' });
    await objectsUnder('pinned', 'vault:pinned/pinned', 2);
    vault.rotateKey('pinned');
    await app.put('pinned', 'later', 'content', { encryption: { mode: 'sse-kms', keyId: 'vault:pinned/pinned' } });
    await app.useVault('pinned', vault, { key_name: 'pinned', key_version: 1 });
    await vaultCalls('pinned', async () => {
      const job = await app.run({ selection: { bucket: 'pinned' } });
      expect(job).toMatchObject({
        state: 'completed',
        pass: 2,
        progress: { objects: { total: 1, done: 1 }, failed: 0 },
      });
    });
    expect((await sealsOf('pinned')).map(({ kms_key_version }) => kms_key_version)).toEqual(['1', '1', '1']);
    expect(await app.read('pinned', 'later')).toBe('content');
  });

  it('looks once more at a key that is wrapped by an old version still, and then tells', async () => {
    vault.createKey('behind', { derived: true });
    await objectsUnder('behind', 'vault:main/behind', 3);
    const before = await sealsOf('behind');
    const kms = app.module.get(KmsService, { strict: false });
    const describe = kms.describeKey.bind(kms);
    const described = jest
      .spyOn(kms, 'describeKey')
      .mockImplementation(async (reference) => ({ ...(await describe(reference)), latestVersion: '9' }));
    const job = await app.run({ selection: { bucket: 'behind' } });
    expect(job).toMatchObject({ state: 'completed', pass: 1, progress: { objects: { done: 0 }, failed: 3 } });
    expect(described).toHaveBeenCalledTimes(2);
    const [failure] = await app.rewrap.failures(job.id, {}, 10);
    expect(failure).toMatchObject({
      reason: 'rewrap-version-unchanged',
      message: expect.stringMatching(/version 1.*9/),
    });
    expect(await sealsOf('behind')).toEqual(before);
    described.mockImplementation(async (reference) => {
      vault.rotateKey('behind');
      described.mockRestore();
      return { ...(await describe(reference)), latestVersion: '2' };
    });
    const again = await app.run({ selection: { bucket: 'behind' } });
    expect(again.progress).toMatchObject({ objects: { done: 3 }, failed: 0 });
  });

  it('has AWS re-encrypt under another key and under the newest material of the same one', async () => {
    await objectsUnder('aws', 'aws:main/objects', 3, { context: { tenant: 'a' } });
    const calls = (): unknown[] => aws.server.requests.map(({ headers }) => headers['x-amz-target']);
    const before = calls().length;
    const moved = await app.run({ target: 'aws:main/other', selection: { bucket: 'aws' } });
    expect(moved.progress).toMatchObject({ objects: { done: 3 }, insideKms: 3, failed: 0 });
    const made = calls()
      .slice(before)
      .filter((target) => target === 'TrentService.ReEncrypt');
    expect(made).toHaveLength(3);
    const kms = app.module.get(KmsService, { strict: false });
    await kms.rotateKey('aws:main/other');
    const renewed = await app.run({ selection: { bucket: 'aws' } });
    expect(renewed.progress).toMatchObject({ objects: { done: 3 }, insideKms: 3, failed: 0 });
    await kms.setKeyEnabled('aws:main/objects', false);
    expect(await app.read('aws', 'key-2')).toBe('content 2');
    aws.deny('kms:ReEncryptTo');
    await kms.rotateKey('aws:main/other');
    const denied = await app.run({ selection: { bucket: 'aws' } });
    expect(denied.progress).toMatchObject({ objects: { done: 3 }, insideKms: 0, failed: 0 });
  });

  it('moves objects between KMSs of different kinds by unwrapping and wrapping', async () => {
    await objectsUnder('between', 'aws:main/other', 4);
    const job = await app.run({ target: 'vault:main/objects', selection: { bucket: 'between' } });
    expect(job.progress).toMatchObject({ objects: { done: 4 }, insideKms: 0, failed: 0 });
    expect(await app.read('between', 'key-3')).toBe('content 3');
  });
});
