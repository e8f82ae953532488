import { randomBytes } from 'node:crypto';
import {
  CreateBucketCommand,
  GetObjectCommand,
  HeadObjectCommand,
  PutBucketEncryptionCommand,
  PutObjectCommand,
  type S3Client,
} from '@aws-sdk/client-s3';
import { type FakeVault, startVaultServer } from '../fakes/vault-server';
import { eventually } from '../support/eventually';
import { TestServer } from '../support/server';

const BUCKET = 'sealed';
const OPTIONS = { workers: 2, env: { STRONGROOM_DATA_KEY_CACHE_SIZE: '0' } };
const CONFIG = '/minio/admin/v3/config/kms_vault/default';

interface Problem {
  readonly detail: string;
  readonly remedy?: string;
  readonly report?: {
    readonly steps: readonly { readonly name: string; readonly outcome: string; readonly remedy?: string }[];
  };
}

describe('a Vault configured while the store runs', () => {
  let vault: FakeVault;
  /** Owns database and files, which a server started again shares. */
  let first: TestServer;
  let server: TestServer;
  let s3: S3Client;

  beforeAll(async () => {
    first = await TestServer.start(OPTIONS);
    server = first;
    s3 = server.s3();
    await s3.send(new CreateBucketCommand({ Bucket: BUCKET }));
  });
  afterAll(async () => {
    await server.terminate();
    await first.stop();
  });
  beforeEach(async () => {
    vault = await startVaultServer();
    vault.createKey('objects');
  });
  afterEach(async () => {
    // Back to the embedded keyring, with which every test begins.
    const { status } = await server.admin('DELETE', `${CONFIG}?force`);
    expect([204, 404]).toContain(status);
    await vault.close();
  });

  const settings = (): Record<string, unknown> => ({
    endpoint: vault.url,
    key_name: 'objects',
    token: vault.rootToken,
    enabled: true,
  });
  const put = (key: string, body: Buffer | string, more: object = {}): Promise<object> =>
    s3.send(new PutObjectCommand({ Bucket: BUCKET, Key: key, Body: body, ServerSideEncryption: 'aws:kms', ...more }));
  const get = async (key: string): Promise<Buffer> => {
    const { Body } = await s3.send(new GetObjectCommand({ Bucket: BUCKET, Key: key }));
    return Buffer.from(await Body!.transformToByteArray());
  };
  const configure = async (more: Record<string, unknown> = {}): Promise<void> => {
    const answer = await server.admin('POST', CONFIG, { ...settings(), ...more });
    expect(answer).toMatchObject({ status: 200, body: { propagation: { processes: 2, lagging: 0 } } });
  };

  it('seals with it from then on in every worker, and reads on after the key was rotated', async () => {
    await put('before', 'under the embedded keyring');
    await configure();
    const bodies = new Map<string, Buffer>();
    for (let index = 0; index < 20; index++) {
      bodies.set(`object-${index}`, randomBytes(50_000));
    }
    await Promise.all([...bodies].map(([key, body]) => put(key, body)));
    expect(
      vault.requests.filter(({ path }) => path.startsWith('transit/encrypt/objects')).length,
    ).toBeGreaterThanOrEqual(20);
    vault.rotateKey('objects');
    await put('after rotation', 'x');
    for (const [key, body] of bodies) {
      expect((await get(key)).equals(body)).toBe(true);
    }
    expect((await get('after rotation')).toString()).toBe('x');
    expect((await get('before')).toString()).toBe('under the embedded keyring');
    const head = await s3.send(new HeadObjectCommand({ Bucket: BUCKET, Key: 'after rotation' }));
    expect(head.SSEKMSKeyId).toContain('objects');
  });

  it('refuses a candidate that fails its test, says why and how to mend it, and keeps the working one', async () => {
    await configure();
    const { status, body } = await server.admin<Problem>('POST', CONFIG, { token: 'hvs.wrong' });
    expect(status).toBe(400);
    const failed = body.report?.steps.find((step) => step.outcome === 'failed');
    expect(failed?.remedy).toEqual(expect.any(String));
    expect(JSON.stringify(body)).not.toContain('hvs.wrong');
    await put('still', 'works');
    expect((await get('still')).toString()).toBe('works');
  });

  it('tests unsaved settings without keeping them', async () => {
    const { status, body } = await server.admin<{ ok: boolean; steps: { name: string }[] }>(
      'POST',
      `${CONFIG}/test?dry-run`,
      settings(),
    );
    expect(status).toBe(200);
    expect(body.ok).toBe(true);
    expect(body.steps.length).toBeGreaterThan(5);
    expect((await server.admin('GET', CONFIG)).status).toBe(404);
  });

  it('names an unknown field and the nearest known one', async () => {
    const { status, body } = await server.admin<Problem>('POST', CONFIG, { ...settings(), key_nam: 'x' });
    expect(status).toBe(400);
    expect(JSON.stringify(body)).toMatch(/key_nam\b.*key_name/);
  });

  it('answers 503 while the Vault is away, serves everything else, and recovers by itself', async () => {
    await configure();
    await put('kept', 'kept');
    const { port } = new URL(vault.url);
    await vault.close();
    await expect(put('refused', 'x')).rejects.toMatchObject({ $metadata: { httpStatusCode: 503 } });
    await expect(get('kept')).rejects.toMatchObject({ $metadata: { httpStatusCode: 503 } });
    await put('server key', 'x', { ServerSideEncryption: 'AES256' });
    expect((await get('server key')).toString()).toBe('x');
    expect((await fetch(`${server.endpoint}/health/live`)).status).toBe(200);
    const away = await (await fetch(`${server.endpoint}/health/ready`)).text();
    expect(away).toContain('vault:default');

    const restarted = await startVaultServer({ port: Number(port), rootToken: vault.rootToken });
    restarted.createKey('objects');
    vault = restarted;
    await eventually(async () => {
      await put('again', 'x');
    });
  });

  it('answers 503 for a sealed Vault and for a revoked token, and accepts a repaired configuration', async () => {
    await configure();
    vault.seal();
    await expect(put('sealed', 'x')).rejects.toMatchObject({ $metadata: { httpStatusCode: 503 } });
    vault.unseal();
    await eventually(async () => {
      await put('unsealed', 'x');
    });
    const token = vault.createToken({ policies: ['root'] });
    vault.revokeToken(vault.rootToken);
    await expect(put('revoked', 'x')).rejects.toMatchObject({ $metadata: { httpStatusCode: 503 } });
    await configure({ token });
    await put('repaired', 'x');
    expect((await get('repaired')).toString()).toBe('x');
  });

  it('answers KMS.NotFoundException for a key that does not exist', async () => {
    await configure({ create_key: false });
    await expect(put('missing', 'x', { SSEKMSKeyId: 'no-such-key' })).rejects.toMatchObject({
      name: 'KMS.NotFoundException',
      $metadata: { httpStatusCode: 400 },
    });
  });

  it('keeps history, masks secrets everywhere and rolls back', async () => {
    await configure();
    await configure({ key_name: 'objects', comment: 'second' });
    const { body } = await server.admin<{ entries: { version: number; action: string }[] }>('GET', `${CONFIG}/history`);
    const [second, first] = body.entries;
    expect(second).toMatchObject({ version: first!.version + 1 });
    const rolledBack = await server.admin('POST', `${CONFIG}/rollback`, { version: first!.version });
    expect(rolledBack.status).toBe(200);
    await put('rolled back', 'x');
    for (const path of [
      CONFIG,
      '/minio/admin/v3/config',
      `${CONFIG}/history`,
      '/rustfs/admin/v3/config/kms_vault/default',
    ]) {
      const { status, body } = await server.admin('GET', path);
      expect(status).toBe(200);
      expect(JSON.stringify(body)).not.toContain(vault.rootToken);
    }
  });

  it('uses the key of a bucket rule, and few KMS calls with a bucket key', async () => {
    vault.createKey('tenant');
    await configure();
    await s3.send(new CreateBucketCommand({ Bucket: 'tenant' }));
    await s3.send(
      new PutBucketEncryptionCommand({
        Bucket: 'tenant',
        ServerSideEncryptionConfiguration: {
          Rules: [
            {
              ApplyServerSideEncryptionByDefault: { SSEAlgorithm: 'aws:kms', KMSMasterKeyID: 'tenant' },
              BucketKeyEnabled: true,
            },
          ],
        },
      }),
    );
    vault.clearRequests();
    for (let index = 0; index < 50; index++) {
      await s3.send(new PutObjectCommand({ Bucket: 'tenant', Key: `${index}`, Body: 'x' }));
    }
    const calls = vault.requests.filter(({ path }) => path.includes('/tenant'));
    expect(calls.length).toBeLessThan(10);
    const { Body } = await s3.send(new GetObjectCommand({ Bucket: 'tenant', Key: '7' }));
    expect(await Body?.transformToString()).toBe('x');
  });

  it('starts, serves and takes a new configuration while the configured Vault is dead', async () => {
    await configure();
    await put('kept', 'kept');
    await server.kill();
    await vault.close();
    const { dataDir, databaseUrl } = first;
    server = await TestServer.start({ ...OPTIONS, dataDir, databaseUrl: databaseUrl! });
    s3 = server.s3();
    await put('plain', 'x', { ServerSideEncryption: 'AES256' });
    await expect(get('kept')).rejects.toMatchObject({ $metadata: { httpStatusCode: 503 } });
    expect((await server.admin('POST', CONFIG, { enabled: false })).status).toBe(200);
    await put('keyring', 'x');
  });
});
