import {
  CreateBucketCommand,
  GetObjectCommand,
  PutBucketEncryptionCommand,
  PutObjectCommand,
  type S3Client,
} from '@aws-sdk/client-s3';
import { type FakeVault, startVaultServer } from '../fakes/vault-server';
import { TestServer } from '../support/server';

const OBJECTS = 1_000;
/** So many show what an object costs that has a data key of its own. */
const OBJECTS_WITHOUT = 100;
/** More than two thousand requests, on whatever machine this is. */
const LIMIT_MS = 240_000;
const LANES = 16;
/** Not the default one, which probes use as well. */
const KEY = 'of-buckets';

describe('bucket keys', () => {
  let vault: FakeVault;
  let server: TestServer;
  let s3: S3Client;

  beforeAll(async () => {
    vault = await startVaultServer();
    vault.createKey('objects');
    vault.createKey(KEY);
    server = await TestServer.start({ workers: 1, env: { STRONGROOM_DATA_KEY_CACHE_SIZE: '0' } });
    s3 = server.s3();
    const settings = { endpoint: vault.url, key_name: 'objects', token: vault.rootToken, enabled: true };
    const configured = await server.admin('POST', '/minio/admin/v3/config/kms_vault/default', settings);
    expect(configured).toMatchObject({ status: 200 });
  });
  afterAll(async () => {
    s3.destroy();
    await server.stop();
    await vault.close();
  });

  /** Calls that made or opened a data key, of all the Vault has had. */
  const calls = (): number =>
    vault.requests.filter(({ path }) => /^transit\/(encrypt|decrypt|datakey\/[a-z]+)\/of-buckets/.test(path)).length;

  async function all(objects: number, work: (index: number) => Promise<unknown>): Promise<void> {
    let next = 0;
    const lane = async (): Promise<void> => {
      while (next < objects) {
        await work(next++);
      }
    };
    await Promise.all(Array.from({ length: LANES }, lane));
  }

  async function callsOf(objects: number, work: (index: number) => Promise<unknown>): Promise<number> {
    const before = calls();
    await all(objects, work);
    return calls() - before;
  }

  it(
    `make ${OBJECTS} writes and reads cost a call or two instead of one each, and a metric shows it`,
    async () => {
      const cost: Record<string, { puts: number; gets: number }> = {};
      for (const [Bucket, BucketKeyEnabled, objects] of [
        ['each-its-own', false, OBJECTS_WITHOUT],
        ['bucket-key', true, OBJECTS],
      ] as const) {
        await s3.send(new CreateBucketCommand({ Bucket }));
        const byDefault = { SSEAlgorithm: 'aws:kms', KMSMasterKeyID: KEY } as const;
        const rule = { ApplyServerSideEncryptionByDefault: byDefault, BucketKeyEnabled };
        await s3.send(new PutBucketEncryptionCommand({ Bucket, ServerSideEncryptionConfiguration: { Rules: [rule] } }));
        cost[Bucket] = {
          puts: await callsOf(objects, (index) =>
            s3.send(new PutObjectCommand({ Bucket, Key: `k${index}`, Body: `${index}` })),
          ),
          gets: await callsOf(objects, async (index) => {
            const { Body } = await s3.send(new GetObjectCommand({ Bucket, Key: `k${index}` }));
            expect(await Body?.transformToString()).toBe(String(index));
          }),
        };
      }
      expect(cost['each-its-own']?.puts).toBeGreaterThanOrEqual(OBJECTS_WITHOUT);
      expect(cost['each-its-own']?.gets).toBeGreaterThanOrEqual(OBJECTS_WITHOUT);
      expect(cost['bucket-key']?.puts).toBeLessThan(10);
      expect(cost['bucket-key']?.gets).toBeLessThan(10);
      const metrics = await (await fetch(`${server.endpoint}/metrics`)).text();
      const saved = (operation: string): number =>
        Number(
          new RegExp(
            `^strongroom_bucket_key_uses_total\\{operation="${operation}",kms_call="saved"\\} (\\d+)$`,
            'm',
          ).exec(metrics)?.[1],
        );
      expect(saved('generate')).toBeGreaterThan(OBJECTS - 10);
      expect(saved('decrypt')).toBeGreaterThan(OBJECTS - 10);
    },
    LIMIT_MS,
  );
});
