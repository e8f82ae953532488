import { CreateBucketCommand, GetObjectCommand, PutObjectCommand, type S3Client } from '@aws-sdk/client-s3';
import { startVaultServer, type FakeVault } from '../fakes/vault-server';
import { eventually } from '../support/eventually';
import { TestServer } from '../support/server';

interface Usage {
  readonly keys: readonly { readonly kms: string; readonly objects: number; readonly escrowObjects: number }[];
}

const ESCROW = '/api/v1/buckets/bucket/escrow';

describe('escrow on a running server', () => {
  let first: FakeVault;
  let second: FakeVault;
  let server: TestServer;
  let s3: S3Client;

  beforeEach(async () => {
    [first, second] = await Promise.all([startVaultServer(), startVaultServer()]);
    first.createKey('objects');
    second.createKey('objects');
    server = await TestServer.start();
    s3 = server.s3();
    await configure('kms_vault/first', {
      endpoint: first.url,
      token: first.rootToken,
      key_name: 'objects',
      enabled: true,
    });
    await configure('kms_vault/second', {
      endpoint: second.url,
      token: second.rootToken,
      key_name: 'objects',
      enabled: true,
    });
    await s3.send(new CreateBucketCommand({ Bucket: 'bucket' }));
  });

  afterEach(async () => {
    await server.stop();
    await Promise.all([first.close(), second.close()]);
  });

  async function configure(path: string, values: object): Promise<void> {
    expect((await server.admin('POST', `/minio/admin/v3/config/${path}`, values)).status).toBe(200);
  }
  const put = (Key: string) =>
    s3.send(
      new PutObjectCommand({
        Bucket: 'bucket',
        Key,
        Body: `content of ${Key}`,
        ServerSideEncryption: 'aws:kms',
        SSEKMSKeyId: 'vault:first/objects',
      }),
    );
  const get = async (Key: string) =>
    (await s3.send(new GetObjectCommand({ Bucket: 'bucket', Key }))).Body!.transformToString();
  const usage = async () => (await server.admin<Usage>('GET', '/api/v1/kms/usage')).body.keys;

  it('is switched on while running, added to what is there, and answers when the first Vault is dead', async () => {
    await put('before');
    await configure('kms/default', { escrow_target: 'vault:second/objects', cache_size: 0 });
    expect((await server.admin('GET', ESCROW)).body).toEqual({ target: 'vault:second/objects', source: 'deployment' });
    await put('after');
    const job = await server.admin<{ id: string }>('POST', '/api/v1/rewrap-jobs', { escrow: 'add' });
    expect(job.status).toBe(201);
    await eventually(async () =>
      expect((await server.admin('GET', `/api/v1/rewrap-jobs/${job.body.id}`)).body).toMatchObject({
        state: 'completed',
      }),
    );
    expect(await usage()).toMatchObject([
      { kms: 'vault:first', objects: 2, escrowObjects: 0 },
      { kms: 'vault:second', objects: 0, escrowObjects: 2 },
    ]);

    await first.close();

    expect(await get('before')).toBe('content of before');
    expect(await get('after')).toBe('content of after');
    const metrics = await (await fetch(`${server.endpoint}/metrics`)).text();
    expect(metrics).toMatch(/strongroom_escrow_reads_total\{[^}]*outcome="opened"[^}]*\} 2/);
  });

  it('belongs to a bucket where the bucket says so, and fails writes that cannot be sealed twice', async () => {
    expect((await server.admin('PUT', ESCROW, { target: 'vault:none/key' })).status).toBe(501);
    expect((await server.admin('PUT', ESCROW, { target: 'key' })).status).toBe(400);
    expect((await server.admin('PUT', ESCROW, {})).status).toBe(400);
    expect((await server.admin('PUT', '/api/v1/buckets/missing/escrow', { target: null })).status).toBe(404);
    expect((await server.admin('PUT', ESCROW, { target: 'vault:second/objects' })).status).toBe(200);
    await put('sealed twice');
    await second.close();
    await expect(put('not sealed twice')).rejects.toMatchObject({ $metadata: { httpStatusCode: 503 } });
    expect((await server.admin('PUT', ESCROW, { target: null })).body).toEqual({ target: null, source: 'bucket' });
    await put('sealed once');
    expect((await server.admin('DELETE', ESCROW)).body).toEqual({ target: null, source: 'deployment' });
    expect(await get('sealed twice')).toBe('content of sealed twice');
  });
});
