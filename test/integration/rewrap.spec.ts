import {
  CreateBucketCommand,
  DeleteObjectsCommand,
  GetObjectCommand,
  ListObjectsV2Command,
  PutObjectCommand,
  type S3Client,
} from '@aws-sdk/client-s3';
import { startVaultServer, type FakeVault } from '../fakes/vault-server';
import { eventually } from '../support/eventually';
import { TestServer } from '../support/server';

interface Job {
  readonly id: string;
  readonly state: string;
  readonly progress: {
    readonly objects: { readonly total?: number; readonly done: number };
    readonly failed: number;
    readonly changed: number;
  };
}

const OBJECTS = 300;
const JOBS = '/api/v1/rewrap-jobs';

describe('moving between KMSs on a running server', () => {
  let first: FakeVault;
  let second: FakeVault;
  /** Owns database and files, which a server started again shares. */
  let owner: TestServer;
  let server: TestServer;
  let s3: S3Client;
  let bucket: string;
  let buckets = 0;

  beforeAll(async () => {
    owner = await TestServer.start({ workers: 2 });
    server = owner;
    s3 = server.s3();
  });
  afterAll(async () => {
    await server.terminate();
    await owner.stop();
  });

  beforeEach(async () => {
    [first, second] = await Promise.all([startVaultServer(), startVaultServer()]);
    first.createKey('objects');
    second.createKey('objects');
    for (const [target, vault] of [
      ['first', first],
      ['second', second],
    ] as const) {
      const { status } = await server.admin('POST', `/minio/admin/v3/config/kms_vault/${target}`, {
        endpoint: vault.url,
        token: vault.rootToken,
        key_name: 'objects',
        enabled: true,
      });
      expect(status).toBe(200);
    }
    bucket = `bucket-${++buckets}`;
    await s3.send(new CreateBucketCommand({ Bucket: bucket }));
  });
  afterEach(async () => {
    // Keys of these Vaults are gone with them, and so nothing is left for the next job.
    const { Contents = [] } = await s3.send(new ListObjectsV2Command({ Bucket: bucket }));
    const Objects = Contents.map(({ Key }) => ({ Key }));
    await s3.send(new DeleteObjectsCommand({ Bucket: bucket, Delete: { Objects } }));
    const { body } = await server.admin<{ jobs: Job[] }>('GET', JOBS);
    await Promise.all(body.jobs.map(({ id }) => server.admin('DELETE', `${JOBS}/${id}`)));
    await Promise.all([first.close(), second.close()]);
  });

  const put = (Key: string, Body: string, SSEKMSKeyId = 'vault:first/objects') =>
    s3.send(new PutObjectCommand({ Bucket: bucket, Key, Body, ServerSideEncryption: 'aws:kms', SSEKMSKeyId }));
  const get = async (Key: string) =>
    (await s3.send(new GetObjectCommand({ Bucket: bucket, Key }))).Body!.transformToString();
  const usage = async (kms: string) => {
    const { body } = await server.admin<{ keys: { objects: number }[] }>('GET', `/api/v1/kms/usage?kms=${kms}`);
    return body.keys.reduce((sum, { objects }) => sum + objects, 0);
  };
  const fill = async () => {
    for (let from = 0; from < OBJECTS; from += 20) {
      await Promise.all(
        Array.from({ length: 20 }, (_, index) => put(`key-${from + index}`, `content ${from + index}`)),
      );
    }
  };

  it('goes on after kill -9 where it was, counts every object once, and bears overwriting meanwhile', async () => {
    await fill();
    const { status, body } = await server.admin<Job>('POST', JOBS, { target: 'vault:second/objects', rateLimit: 60 });
    expect(status).toBe(201);
    const job = async () => (await server.admin<Job>('GET', `${JOBS}/${body.id}`)).body;
    await eventually(async () => expect((await job()).progress.objects.done).toBeGreaterThan(20));
    await server.kill();

    const { dataDir, databaseUrl } = owner;
    server = await TestServer.start({ workers: 2, dataDir, databaseUrl: databaseUrl! });
    s3 = server.s3();
    const interrupted = await job();
    expect(interrupted.state).toBe('running');
    expect(interrupted.progress.objects.done).toBeLessThan(OBJECTS);
    await server.admin('PATCH', `${JOBS}/${body.id}`, { rateLimit: null });
    for (let index = 0; index < 20; index++) {
      await put(`key-${index * 7}`, `overwritten ${index * 7}`, 'vault:second/objects');
    }
    await eventually(async () => expect((await job()).state).toBe('completed'), 60_000);
    const { progress } = await job();
    expect(progress.failed).toBe(0);
    expect(progress.objects.done).toBeLessThanOrEqual(OBJECTS);
    expect(progress.objects.done).toBeGreaterThanOrEqual(OBJECTS - 20);
    expect(await usage('vault:first')).toBe(0);
    expect(await usage('vault:second')).toBe(OBJECTS);
    await first.close();
    for (let index = 0; index < OBJECTS; index++) {
      const overwritten = index % 7 === 0 && index < 140;
      expect(await get(`key-${index}`)).toBe(`${overwritten ? 'overwritten' : 'content'} ${index}`);
    }
  }, 120_000);

  it('shows and controls jobs over the admin API, to those who may', async () => {
    await put('key', 'content');
    const created = await server.admin<Job>('POST', JOBS, { target: 'vault:second/objects', dryRun: true });
    expect(created.status).toBe(201);
    const path = `${JOBS}/${created.body.id}`;
    await eventually(async () => expect((await server.admin<Job>('GET', path)).body.state).toBe('completed'));
    expect((await server.admin<{ jobs: Job[] }>('GET', JOBS)).body.jobs).toHaveLength(1);
    expect((await server.admin<{ failures: [] }>('GET', `${path}/failures`)).body.failures).toEqual([]);
    expect((await server.admin('PATCH', path, { state: 'paused' })).status).toBe(409);
    expect((await server.admin('POST', JOBS, { selection: { prefix: 'x' } })).status).toBe(400);
    expect((await server.admin('POST', JOBS, { selection: { age: 'x' } })).status).toBe(400);
    expect((await server.admin('POST', JOBS, { target: 'vault:none/key' })).status).toBe(501);
    expect((await server.admin('DELETE', path)).status).toBe(204);
    expect((await server.admin('GET', path)).status).toBe(404);
    expect((await fetch(`${server.endpoint}${JOBS}`)).status).toBe(401);
    const metrics = await (await fetch(`${server.endpoint}/metrics`)).text();
    expect(metrics).toContain('strongroom_rewrap_keys_total');
  });
});
