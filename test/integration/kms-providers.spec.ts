import { createHash, randomBytes } from 'node:crypto';
import {
  CompleteMultipartUploadCommand,
  CopyObjectCommand,
  CreateBucketCommand,
  CreateMultipartUploadCommand,
  GetObjectCommand,
  HeadObjectCommand,
  PutBucketEncryptionCommand,
  PutObjectCommand,
  type S3Client,
  UploadPartCommand,
} from '@aws-sdk/client-s3';
import { startVaultServer } from '../fakes/vault-server';
import { eventually } from '../support/eventually';
import { faultyAws, faultyAzure, faultyGcp, faultyKes, faultyVault, type FaultyKms } from '../support/faulty-kms';
import { Gateway } from '../support/gateway';
import { TestServer } from '../support/server';
import { softHsmLibrary, startSoftHsm, type SoftHsm } from '../support/soft-hsm';

const PART = 5 * 1024 * 1024;
/** For what starts the store or goes through all kinds, on a machine that is busy with much else. */
const LONG_MS = 300_000;
const PIN = 'pin-of-the-token';
const library = softHsmLibrary();
const KINDS = ['vault', 'vault_kv', 'kes', 'aws', 'azure', 'gcp', ...(library === undefined ? [] : ['pkcs11'])];
const ROTATING = KINDS.filter((kind) => kind !== 'kes');
const NETWORKED = ['vault', 'kes', 'aws', 'azure', 'gcp'];
const ENV = { STRONGROOM_KMS_CACHE_SIZE: '0', STRONGROOM_KMS_PROBE_INTERVAL: '0' };

/** A KMS as this spec configures it. */
interface Kms {
  readonly document: Readonly<Record<string, unknown>>;
  readonly secrets: readonly string[];
  readonly faulty?: FaultyKms;
}

describe('every kind of KMS, from its document to its objects', () => {
  const kinds = new Map<string, Kms>();
  const closing: (() => Promise<void>)[] = [];
  let hsm: SoftHsm | undefined;
  let first: TestServer;
  let server: TestServer;
  let s3: S3Client;

  beforeAll(async () => {
    const networked = await Promise.all([faultyVault(), faultyKes(), faultyAws(), faultyAzure(), faultyGcp()]);
    for (const faulty of networked) {
      const document = { ...faulty.document(), key_name: 'objects' };
      kinds.set(faulty.type, { document, secrets: faulty.secrets, faulty });
      closing.push(() => faulty.close());
    }
    const kv = await startVaultServer({ kv: { secret: '2' } });
    const access = { endpoint: kv.url, token: kv.rootToken };
    kinds.set('vault_kv', {
      document: { ...access, key_name: 'objects', create_key: true },
      secrets: [kv.rootToken],
    });
    closing.push(() => kv.close());
    if (library !== undefined) {
      hsm = await startSoftHsm({ objects: PIN });
      const token = { library, token_label: 'objects', pin: PIN };
      kinds.set('pkcs11', { document: { ...token, key_name: 'objects', create_key: true }, secrets: [PIN] });
      closing.push(async () => hsm?.close());
    }
    server = first = await start();
    s3 = server.s3();
    for (const kind of KINDS) {
      const { document } = kinds.get(kind)!;
      expect(await server.admin('POST', pathOf(kind), { ...document, enabled: true })).toMatchObject({ status: 200 });
      await s3.send(new CreateBucketCommand({ Bucket: bucketOf(kind) }));
    }
  }, LONG_MS);

  afterAll(async () => {
    await server.terminate();
    // Database and files are those of the first start.
    await first.stop();
    await Promise.all(closing.map((close) => close()));
  });

  const pathOf = (kind: string): string => `/minio/admin/v3/config/kms_${kind}/default`;
  const bucketOf = (kind: string): string => `of-${kind.replace('_', '-')}`;
  const keyOf = (kind: string, name = 'objects'): string => `${kind}:default/${name}`;
  const start = (more: object = {}): Promise<TestServer> =>
    TestServer.start({ env: { ...ENV, ...(hsm && { SOFTHSM2_CONF: `${hsm.directory}/softhsm2.conf` }) }, ...more });
  /** Starts the store again on what it left behind. */
  const restart = async (): Promise<void> => {
    const { dataDir, databaseUrl } = server;
    await server.terminate();
    server = await start({ dataDir, databaseUrl });
    s3 = server.s3();
  };
  const manage = async (method: string, path: string, body?: object): Promise<Record<string, unknown>> => {
    const answer = await server.admin<Record<string, unknown>>(method, `/api/v1/kms/keys${path}`, body);
    expect(answer.status).toBeLessThan(300);
    return answer.body;
  };
  const sealedUnder = (kind: string, name?: string) =>
    ({ ServerSideEncryption: 'aws:kms', SSEKMSKeyId: keyOf(kind, name) }) as const;
  const put = (kind: string, key: string, body: Buffer, more: object = sealedUnder(kind)): Promise<object> =>
    s3.send(new PutObjectCommand({ Bucket: bucketOf(kind), Key: key, Body: body, ...more }));
  const get = async (kind: string, key: string): Promise<Buffer> => {
    const { Body } = await s3.send(new GetObjectCommand({ Bucket: bucketOf(kind), Key: key }));
    return Buffer.from(await Body!.transformToByteArray());
  };
  const head = (kind: string, key: string) => s3.send(new HeadObjectCommand({ Bucket: bucketOf(kind), Key: key }));
  const versionsInUse = async (kind: string): Promise<number> => {
    const { body } = await server.admin<{ keys: { keyId: string; versions: unknown[] }[] }>(
      'GET',
      `/api/v1/kms/usage?kms=${kind}:default`,
    );
    return body.keys.find(({ keyId }) => keyId === 'rotated')?.versions.length ?? 0;
  };

  describe.each(KINDS)('%s', (kind) => {
    it('passes its connection test and shows its secrets to nobody', async () => {
      const test = await server.admin<{ ok: boolean }>('POST', `${pathOf(kind)}/test`);
      expect(test).toMatchObject({ status: 200, body: { ok: true } });
      for (const path of [pathOf(kind), `${pathOf(kind)}/history`, '/minio/admin/v3/config']) {
        const { status, body } = await server.admin('GET', path);
        expect(status).toBe(200);
        for (const secret of kinds.get(kind)!.secrets) {
          expect(JSON.stringify(body)).not.toContain(secret);
          expect(server.output).not.toContain(secret);
        }
      }
    });

    it('seals objects, uploads in parts and copies', async () => {
      const body = randomBytes(100_000);
      await put(kind, 'object', body);
      expect((await get(kind, 'object')).equals(body)).toBe(true);
      expect(await head(kind, 'object')).toMatchObject({
        ServerSideEncryption: 'aws:kms',
        SSEKMSKeyId: expect.stringContaining('objects'),
      });

      const place = { Bucket: bucketOf(kind), Key: 'in parts' };
      const { UploadId } = await s3.send(new CreateMultipartUploadCommand({ ...place, ...sealedUnder(kind) }));
      const parts = [randomBytes(PART), randomBytes(1_000)];
      const Parts = await Promise.all(
        parts.map(async (Body, index) => {
          const part = { ...place, UploadId, PartNumber: index + 1 };
          return { PartNumber: part.PartNumber, ETag: (await s3.send(new UploadPartCommand({ ...part, Body }))).ETag };
        }),
      );
      await s3.send(new CompleteMultipartUploadCommand({ ...place, UploadId, MultipartUpload: { Parts } }));
      expect((await get(kind, 'in parts')).equals(Buffer.concat(parts))).toBe(true);

      const CopySource = `${bucketOf(kind)}/object`;
      await s3.send(new CopyObjectCommand({ ...place, Key: 'copy', CopySource, ...sealedUnder(kind) }));
      expect((await get(kind, 'copy')).equals(body)).toBe(true);
    });

    it('seals with the key of a bucket rule, also by a bucket key', async () => {
      await manage('POST', '', { key_id: keyOf(kind, 'tenant') });
      const rule = { SSEAlgorithm: 'aws:kms', KMSMasterKeyID: keyOf(kind, 'tenant') } as const;
      const Bucket = `rule-${bucketOf(kind)}`;
      await s3.send(new CreateBucketCommand({ Bucket }));
      for (const BucketKeyEnabled of [false, true]) {
        const Rules = [{ ApplyServerSideEncryptionByDefault: rule, BucketKeyEnabled }];
        await s3.send(new PutBucketEncryptionCommand({ Bucket, ServerSideEncryptionConfiguration: { Rules } }));
        const Key = `bucket key ${BucketKeyEnabled}`;
        await s3.send(new PutObjectCommand({ Bucket, Key, Body: 'by rule' }));
        const { Body, ...answer } = await s3.send(new GetObjectCommand({ Bucket, Key }));
        expect(await Body!.transformToString()).toBe('by rule');
        expect(answer.BucketKeyEnabled ?? false).toBe(BucketKeyEnabled);
        expect(answer.SSEKMSKeyId).toContain('tenant');
      }
    });

    it('takes over an object from a KMS of another kind, both being in use at the same time', async () => {
      const other = KINDS[(KINDS.indexOf(kind) + 1) % KINDS.length]!;
      const body = randomBytes(10_000);
      await put(other, `for ${kind}`, body);
      const place = { Bucket: bucketOf(kind), Key: `from ${other}`, ...sealedUnder(kind) };
      await s3.send(new CopyObjectCommand({ ...place, CopySource: `${bucketOf(other)}/for%20${kind}` }));
      expect((await get(kind, `from ${other}`)).equals(body)).toBe(true);
      expect((await get(other, `for ${kind}`)).equals(body)).toBe(true);
    });
  });

  it.each(ROTATING)('%s reads on after its key was rotated, and seals with the new version', async (kind) => {
    const body = randomBytes(1_000);
    await manage('POST', '', { key_id: keyOf(kind, 'rotated') });
    await put(kind, 'before', body, sealedUnder(kind, 'rotated'));
    await manage('POST', `/${encodeURIComponent(keyOf(kind, 'rotated'))}/rotate`);
    await put(kind, 'after', body, sealedUnder(kind, 'rotated'));
    expect((await get(kind, 'before')).equals(body)).toBe(true);
    expect((await get(kind, 'after')).equals(body)).toBe(true);
    expect(await versionsInUse(kind)).toBe(2);
  });

  it(
    'knows every configuration and reads every object after a restart',
    async () => {
      const body = randomBytes(10_000);
      for (const kind of KINDS) {
        await put(kind, 'kept', body);
      }
      await restart();
      for (const kind of KINDS) {
        expect((await get(kind, 'kept')).equals(body)).toBe(true);
        await put(kind, 'after the restart', body);
        const { body: document } = await server.admin('GET', pathOf(kind));
        expect(JSON.stringify(document)).toContain('objects');
      }
    },
    LONG_MS,
  );

  it(
    'starts while every KMS is dead, serves what needs none, and takes repaired configurations',
    async () => {
      const body = randomBytes(10_000);
      const dead = NETWORKED.map((kind) => kinds.get(kind)!.faulty!);
      for (const { type } of dead) {
        await put(type, 'kept', body);
      }
      await Promise.all(dead.map(({ gateway }) => gateway.takeDown()));
      const repaired: Gateway[] = [];
      try {
        await restart();
        const customer = randomBytes(32);
        const sseC = {
          SSECustomerAlgorithm: 'AES256',
          SSECustomerKey: customer.toString('base64'),
          SSECustomerKeyMD5: createHash('md5').update(customer).digest('base64'),
        };
        const place = { Bucket: bucketOf('vault'), Key: 'by the client' };
        await s3.send(new PutObjectCommand({ ...place, ...sseC, Body: body }));
        const { Body } = await s3.send(new GetObjectCommand({ ...place, ...sseC }));
        expect(Buffer.from(await Body!.transformToByteArray()).equals(body)).toBe(true);
        await put('vault', 'plain', body, {});
        expect((await get('vault', 'plain')).equals(body)).toBe(true);
        await put('vault', 'by the server', body, { ServerSideEncryption: 'AES256' });
        expect((await get('vault', 'by the server')).equals(body)).toBe(true);
        for (const { type, service, document } of dead) {
          await expect(get(type, 'kept')).rejects.toMatchObject({ $metadata: { httpStatusCode: 503 } });
          await expect(put(type, 'refused', body)).rejects.toMatchObject({ $metadata: { httpStatusCode: 503 } });
          const gateway = await Gateway.open(service);
          repaired.push(gateway);
          const answer = await server.admin('POST', pathOf(type), document(gateway.url));
          expect(answer).toMatchObject({ status: 200 });
          expect((await get(type, 'kept')).equals(body)).toBe(true);
        }
      } finally {
        await Promise.all(dead.map(({ gateway }) => gateway.bringUp()));
        for (const { type, document } of dead) {
          await eventually(async () => {
            expect(await server.admin('POST', pathOf(type), document())).toMatchObject({ status: 200 });
          });
        }
        await Promise.all(repaired.map((gateway) => gateway.takeDown()));
      }
    },
    LONG_MS,
  );
});
