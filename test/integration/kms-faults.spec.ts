import { createHash, randomBytes } from 'node:crypto';
import {
  CreateBucketCommand,
  GetObjectCommand,
  HeadObjectCommand,
  ListObjectsV2Command,
  PutObjectCommand,
  type S3Client,
} from '@aws-sdk/client-s3';
import { Client } from 'pg';
import { eventually } from '../support/eventually';
import {
  faultyAws,
  faultyAzure,
  faultyGcp,
  faultyKes,
  faultyVault,
  type FaultyKms,
  type KeyUseFault,
} from '../support/faulty-kms';
import { Gateway } from '../support/gateway';
import { TestServer } from '../support/server';
import { expiredCertificate, testCertificate } from '../support/test-certificate';

const BUCKET = 'faults';
const WORKERS = 2;
const RETRIES = 1;
const ATTEMPTS = RETRIES + 1;
const BREAKER_THRESHOLD = 5;
/** Clients are told when to come back. */
const UNAVAILABLE = {
  name: 'ServiceUnavailable',
  $metadata: { httpStatusCode: 503 },
  $response: { headers: { 'retry-after': '5' } },
};
const SIZE = 50_000;
/** A worker that has yet to load an SDK may take longer than the answer waits for it, on a busy machine. */
const PROPAGATION_LIMIT_MS = 60_000;

interface Step {
  readonly name: string;
  readonly outcome: string;
  readonly detail: string;
  readonly remedy?: string;
}

describe('KMS faults, as clients of the store see them', () => {
  let server: TestServer;
  let s3: S3Client;
  let database: Client;
  let vault: Awaited<ReturnType<typeof faultyVault>>;
  let aws: Awaited<ReturnType<typeof faultyAws>>;
  let kes: Awaited<ReturnType<typeof faultyKes>>;
  let others: readonly FaultyKms[];
  let changes = 0;

  beforeAll(async () => {
    [vault, aws, kes] = await Promise.all([faultyVault(), faultyAws(), faultyKes()]);
    others = await Promise.all([faultyAzure(), faultyGcp()]);
    server = await TestServer.start({
      workers: WORKERS,
      env: { STRONGROOM_KMS_CACHE_SIZE: '0', STRONGROOM_KMS_PROBE_INTERVAL: '0' },
    });
    s3 = server.s3();
    database = new Client({ connectionString: server.databaseUrl });
    await database.connect();
    await s3.send(new CreateBucketCommand({ Bucket: BUCKET }));
    // The first use of an SDK takes longer than an attempt may take afterwards.
    for (const kms of Object.values(all())) {
      await configure(kms, { timeout: '60s' });
    }
  }, 240_000);
  afterEach(() => Object.values(all()).forEach((kms) => kms.clearFaults()));
  afterAll(async () => {
    await database.end();
    await server.stop();
    await Promise.all(Object.values(all()).map((kms) => kms.close()));
  });

  const all = (): Readonly<Record<string, FaultyKms>> =>
    Object.fromEntries([vault, aws, kes, ...others].map((kms) => [kms.type, kms]));
  const pathOf = (kms: FaultyKms): string => `/minio/admin/v3/config/kms_${kms.type}/default`;
  /** A change of configuration also makes every worker begin with a closed circuit breaker. */
  const configure = async (kms: FaultyKms, more: object = {}): Promise<void> => {
    // Signing in to Azure and Google is more than one request, and part of an attempt.
    const timeout = others.includes(kms) ? '1500ms' : '600ms';
    const limits = { timeout, max_retries: RETRIES, enabled: true, comment: `change ${++changes}` };
    const document = { ...kms.document(), key_name: 'objects', ...limits, ...more };
    await eventually(async () => {
      const answer = await server.admin('POST', pathOf(kms), document);
      expect(answer).toMatchObject({ status: 200, body: { propagation: { processes: WORKERS, lagging: 0 } } });
    }, PROPAGATION_LIMIT_MS);
  };
  const put = (kms: FaultyKms, key: string, body: Buffer, keyId = 'objects'): Promise<object> =>
    s3.send(
      new PutObjectCommand({
        Bucket: BUCKET,
        Key: key,
        Body: body,
        ServerSideEncryption: 'aws:kms',
        SSEKMSKeyId: `${kms.type}:default/${keyId}`,
      }),
    );
  const get = async (key: string): Promise<Buffer> => {
    const { Body } = await s3.send(new GetObjectCommand({ Bucket: BUCKET, Key: key }));
    return Buffer.from(await Body!.transformToByteArray());
  };
  const testSteps = async (kms: FaultyKms): Promise<readonly Step[]> => {
    const { status, body } = await server.admin<{ steps: Step[] }>('POST', `${pathOf(kms)}/test`);
    expect(status).toBe(200);
    return body.steps;
  };
  /** The sum of a metric over its label values, of one kind of KMS. */
  const metric = async (name: string, kms: FaultyKms, label = ''): Promise<number> => {
    const lines = (await (await fetch(`${server.endpoint}/metrics`)).text()).split('\n');
    return lines
      .filter((line) => line.startsWith(`${name}{`) && line.includes(`provider="${kms.type}"`) && line.includes(label))
      .reduce((sum, line) => sum + Number(line.slice(line.lastIndexOf(' '))), 0);
  };
  const failedWraps = (kms: FaultyKms): Promise<number> =>
    metric('strongroom_kms_attempt_failures_total', kms, 'operation="generate"');
  const circuitOpen = (kms: FaultyKms): Promise<number> => metric('strongroom_kms_circuit_open', kms);
  const rowsOf = async (key: string): Promise<number> =>
    (await database.query('SELECT FROM object_version WHERE key = $1', [key])).rowCount ?? 0;

  /** Nothing of a failed write can be seen, and what it would have replaced is as it was. */
  const expectNothingStored = async (key: string): Promise<void> => {
    await expect(s3.send(new HeadObjectCommand({ Bucket: BUCKET, Key: key }))).rejects.toMatchObject({
      name: 'NotFound',
    });
    const { Contents = [] } = await s3.send(new ListObjectsV2Command({ Bucket: BUCKET, Prefix: key }));
    expect(Contents).toEqual([]);
    expect(await rowsOf(key)).toBe(0);
  };

  /** An object from before the fault, and what a client sees while it lasts and when it is over. */
  const prepare = async (kms: FaultyKms, label: string): Promise<{ key: string; body: Buffer; refused: string }> => {
    await configure(kms);
    const [key, body] = [`${kms.type} ${label}`, randomBytes(SIZE)];
    await put(kms, key, body);
    return { key, body, refused: `refused ${key}` };
  };
  const expectRecovery = async (kms: FaultyKms, { key, body, refused }: Awaited<ReturnType<typeof prepare>>) => {
    await expectNothingStored(refused);
    const next = randomBytes(SIZE);
    await eventually(async () => {
      await put(kms, refused, next);
      expect((await get(key)).equals(body)).toBe(true);
      expect((await get(refused)).equals(next)).toBe(true);
    });
  };

  describe.each(['vault', 'aws', 'kes', 'azure', 'gcp'])('%s', (type) => {
    const kms = (): FaultyKms => all()[type]!;

    it.each<KeyUseFault>(['hang', 'drip', 429, 500, 503])(
      'fault %s: 503 after the configured attempts, nothing stored, well again without a restart',
      async (fault) => {
        const before = await prepare(kms(), String(fault));
        const [uses, { connections }] = [kms().uses(), kms().gateway];
        kms().inject(fault);
        await Promise.all([
          expect(put(kms(), before.refused, randomBytes(SIZE))).rejects.toMatchObject(UNAVAILABLE),
          expect(get(before.key)).rejects.toMatchObject(UNAVAILABLE),
        ]);
        expect(kms().uses()).toEqual({ wraps: uses.wraps + ATTEMPTS, unwraps: uses.unwraps + ATTEMPTS });
        // No attempt that was given up goes on holding a connection; one more may be kept since there were two requests.
        await eventually(() => expect(kms().gateway.connections).toBeLessThanOrEqual(connections + 1));
        kms().clearFaults();
        await expectRecovery(kms(), before);
      },
    );

    it('refuses connections: 503 after the configured attempts, and well again when it is back', async () => {
      const before = await prepare(kms(), 'connection refused');
      const failures = await failedWraps(kms());
      await kms().gateway.takeDown();
      await expect(put(kms(), before.refused, randomBytes(SIZE))).rejects.toMatchObject(UNAVAILABLE);
      expect((await failedWraps(kms())) - failures).toBe(ATTEMPTS);
      await expect(get(before.key)).rejects.toMatchObject(UNAVAILABLE);
      await kms().gateway.bringUp();
      await expectRecovery(kms(), before);
    });

    it('fails while an object is overwritten: the object stays as it was', async () => {
      const { key, body } = await prepare(kms(), 'overwritten');
      kms().inject(500);
      await expect(put(kms(), key, randomBytes(SIZE))).rejects.toMatchObject(UNAVAILABLE);
      kms().clearFaults();
      expect((await get(key)).equals(body)).toBe(true);
      expect(await rowsOf(key)).toBe(1);
    });

    it('is given a wrapped key that was tampered with: one clear refusal, no byte of plaintext', async () => {
      const { key, body } = await prepare(kms(), 'tampered');
      await database.query(
        `UPDATE object_version SET wrapped_key = set_byte(wrapped_key, length(wrapped_key) - 4,
           CASE get_byte(wrapped_key, length(wrapped_key) - 4) WHEN 65 THEN 66 ELSE 65 END) WHERE key = $1`,
        [key],
      );
      const { unwraps } = kms().uses();
      await expect(get(key)).rejects.toMatchObject({
        name: 'KMS.InvalidCiphertextException',
        $metadata: { httpStatusCode: 400 },
      });
      expect(kms().uses().unwraps - unwraps).toBe(1);
      const other = `beside ${key}`;
      await put(kms(), other, body);
      expect((await get(other)).equals(body)).toBe(true);
    });
  });

  describe('TLS', () => {
    it.each(['vault', 'aws', 'gcp'])('%s shows a certificate that has run out: 503, said by the test', async (type) => {
      const kms = all()[type]!;
      const [good, expired] = await Promise.all([testCertificate(), expiredCertificate()]);
      const plain = new URL(kms.document()['endpoint'] as string).href;
      const tls = await Gateway.open(plain, good);
      try {
        await configure(kms, { endpoint: tls.url, ca_pem: `${good.cert}\n${expired.cert}` });
        const [key, body, refused] = [`${type} expired`, randomBytes(SIZE), `refused ${type} expired`];
        await put(kms, key, body);
        const { wraps } = kms.uses();
        await tls.present(expired);
        await expect(put(kms, refused, randomBytes(SIZE))).rejects.toMatchObject(UNAVAILABLE);
        await expect(get(key)).rejects.toMatchObject(UNAVAILABLE);
        // Nothing was told to a server that could not prove who it is.
        expect(kms.uses().wraps).toBe(wraps);
        expect(await testSteps(kms)).toContainEqual(
          expect.objectContaining({
            name: 'tls',
            outcome: 'failed',
            detail: expect.stringContaining('the certificate has expired'),
          }),
        );
        await tls.present(good);
        await expectRecovery(kms, { key, body, refused });
      } finally {
        await tls.takeDown();
        await configure(kms);
      }
    });
  });

  describe('credentials', () => {
    it('AppRole token revoked while requests are under way: a new login, and they succeed', async () => {
      const { roleId, secretId } = vault.fake.createRole({ policies: ['root'] });
      await configure(vault, {
        auth_type: 'approle',
        auth_approle_id: roleId,
        auth_approle_secret: secretId,
        token: '',
      });
      const body = randomBytes(SIZE);
      await put(vault, 'approle', body);
      const { wraps } = vault.uses();
      vault.fake.inject({
        action: { type: 'delay', milliseconds: 200 },
        path: /^transit\/(datakey|encrypt)/,
        times: 1,
      });
      const underWay = put(vault, 'revoked', body);
      await eventually(() => expect(vault.uses().wraps).toBe(wraps + 1));
      vault.fake.revokeAllTokens();
      await underWay;
      expect((await get('revoked')).equals(body)).toBe(true);
      expect((await get('approle')).equals(body)).toBe(true);
    });

    it.each(['aws', 'azure', 'gcp'])('%s credentials revoked: 503, well again when they are back', async (type) => {
      const kms = all()[type]!;
      const before = await prepare(kms, 'revoked');
      const failures = await failedWraps(kms);
      kms.revokeCredentials?.(true);
      await expect(put(kms, before.refused, randomBytes(SIZE))).rejects.toMatchObject(UNAVAILABLE);
      // Refused credentials are not tried again.
      expect((await failedWraps(kms)) - failures).toBe(1);
      await expect(get(before.key)).rejects.toMatchObject(UNAVAILABLE);
      kms.revokeCredentials?.(false);
      await expectRecovery(kms, before);
    });
  });

  describe('keys', () => {
    it.each(['aws', 'azure', 'gcp'])(
      '%s: a disabled key is refused once and by name, until it is enabled',
      async (type) => {
        const kms = all()[type]!;
        const { key, body, refused } = await prepare(kms, 'disabled');
        const manage = async (action: string): Promise<void> => {
          const path = `/api/v1/kms/keys/${encodeURIComponent(`${type}:default/objects`)}/${action}`;
          expect(await server.admin('POST', path)).toMatchObject({ status: 200 });
        };
        await manage('disable');
        const failures = await failedWraps(kms);
        const disabled = { name: 'KMS.DisabledException', $metadata: { httpStatusCode: 400 } };
        await expect(put(kms, refused, body)).rejects.toMatchObject(disabled);
        expect((await failedWraps(kms)) - failures).toBe(1);
        await expect(get(key)).rejects.toMatchObject(disabled);
        await manage('enable');
        await expectRecovery(kms, { key, body, refused });
      },
    );

    it.each(['vault', 'kes'])('%s has lost the key: refused once and by name', async (type) => {
      const kms = all()[type]!;
      const lost = { name: 'KMS.NotFoundException', $metadata: { httpStatusCode: 400 } };
      await configure(kms, { create_key: false });
      (type === 'vault' ? vault : kes).fake.createKey('short-lived');
      await put(kms, `${type} short-lived`, randomBytes(SIZE), 'short-lived');
      if (type === 'vault') {
        vault.fake.configureKey('short-lived', { deletion_allowed: true });
      }
      (type === 'vault' ? vault : kes).fake.deleteKey('short-lived');
      await expect(get(`${type} short-lived`)).rejects.toMatchObject(lost);
      await expect(put(kms, `${type} lost`, randomBytes(SIZE), 'short-lived')).rejects.toMatchObject(lost);
      await expectNothingStored(`${type} lost`);
    });

    it('Vault unwraps to another key: the object is refused, not decrypted to noise', async () => {
      const { key, body } = await prepare(vault, 'another key');
      const data = { plaintext: randomBytes(32).toString('base64') };
      vault.fake.inject({
        action: { type: 'answer', status: 200, text: JSON.stringify({ data }) },
        path: /^transit\/decrypt\//,
      });
      await expect(get(key)).rejects.toMatchObject({
        name: 'InternalError',
        $metadata: { httpStatusCode: 500 },
      });
      vault.fake.clearFaults();
      expect((await get(key)).equals(body)).toBe(true);
    });
  });

  describe('Vault', () => {
    it('is sealed: 503 after the configured attempts, and well again when it is unsealed', async () => {
      const before = await prepare(vault, 'sealed');
      const { wraps } = vault.uses();
      vault.fake.seal();
      await expect(put(vault, before.refused, randomBytes(SIZE))).rejects.toMatchObject({
        ...UNAVAILABLE,
        message: expect.stringContaining('sealed'),
      });
      expect(vault.uses().wraps - wraps).toBe(ATTEMPTS);
      await expect(get(before.key)).rejects.toMatchObject(UNAVAILABLE);
      vault.fake.unseal();
      await expectRecovery(vault, before);
    });

    it('has another idea of the time: the connection test warns, and objects are served', async () => {
      await configure(vault);
      vault.fake.setClockError(600_000);
      const clock = (await testSteps(vault)).find(({ name }) => name === 'clock');
      expect(clock).toMatchObject({ outcome: 'warning', remedy: expect.stringContaining('Synchronise the clocks') });
      expect(clock?.detail).toMatch(/differ by (599|600) s/);
      await put(vault, 'skewed', randomBytes(SIZE));
      vault.fake.setClockError(0);
    });

    it('loses one of two nodes, then the other: no request fails', async () => {
      const second = await Gateway.open(vault.fake.url);
      try {
        await configure(vault, { endpoint: `${vault.gateway.url},${second.url}`, timeout: '10s' });
        const body = randomBytes(SIZE);
        await put(vault, 'failover', body);
        for (const [gone, back] of [
          [vault.gateway, second],
          [second, vault.gateway],
        ] as const) {
          await gone.takeDown();
          await Promise.all(Array.from({ length: 8 }, (_, index) => put(vault, `failover ${index}`, body)));
          expect((await get('failover')).equals(body)).toBe(true);
          expect((await get('failover 7')).equals(body)).toBe(true);
          await gone.bringUp();
          expect(back.connections).toBeGreaterThan(0);
        }
      } finally {
        await second.takeDown();
        await configure(vault);
      }
    });

    it('has a node that accepts and never answers: the next attempt goes to the other', async () => {
      const silent = await Gateway.open(vault.fake.url);
      try {
        await configure(vault, { endpoint: `${silent.url},${vault.gateway.url}`, timeout: '2s' });
        const body = randomBytes(SIZE);
        await put(vault, 'not silent yet', body);
        const timeouts = await metric('strongroom_kms_attempt_failures_total', vault, 'error="kms-timeout"');
        await silent.silence();
        for (let count = 0; count < 8; count++) {
          await put(vault, `silent ${count}`, body);
        }
        expect((await get('not silent yet')).equals(body)).toBe(true);
        const more = await metric('strongroom_kms_attempt_failures_total', vault, 'error="kms-timeout"');
        expect(more - timeouts).toBeGreaterThanOrEqual(1);
        expect(more - timeouts).toBeLessThanOrEqual(WORKERS);
      } finally {
        await silent.takeDown();
        await configure(vault);
      }
    });

    it('fails for long: the breakers spare it, and close by themselves', async () => {
      const before = await prepare(vault, 'breaker');
      const { wraps } = vault.uses();
      vault.inject(500);
      for (let count = 0; count < 20; count++) {
        await expect(put(vault, before.refused, randomBytes(SIZE))).rejects.toMatchObject(UNAVAILABLE);
      }
      const asked = vault.uses().wraps - wraps;
      expect(asked).toBeGreaterThanOrEqual(BREAKER_THRESHOLD);
      expect(asked).toBeLessThanOrEqual(WORKERS * BREAKER_THRESHOLD);
      expect(await circuitOpen(vault)).toBe(1);
      vault.clearFaults();
      await eventually(async () => {
        const body = randomBytes(SIZE);
        await Promise.all(Array.from({ length: 8 }, (_, index) => put(vault, `after the break ${index}`, body)));
      });
      await expectRecovery(vault, before);
    });

    it('takes a new configuration while breakers are open, and begins with closed ones', async () => {
      const before = await prepare(vault, 'reconfigured');
      vault.inject(500);
      for (let count = 0; count < 10; count++) {
        await expect(put(vault, before.refused, randomBytes(SIZE))).rejects.toMatchObject(UNAVAILABLE);
      }
      expect(await circuitOpen(vault)).toBe(1);
      vault.clearFaults();
      await configure(vault);
      expect(await circuitOpen(vault)).toBe(0);
      await put(vault, before.refused, before.body);
      expect((await get(before.key)).equals(before.body)).toBe(true);
    });

    it('hangs with everything: the rest is served, and a forced change is applied by all workers', async () => {
      const { key, body } = await prepare(vault, 'hangs with everything');
      const { wraps } = vault.uses();
      vault.fake.inject({ action: { type: 'hang' } });
      for (const more of [{ Key: 'plain' }, { Key: 'sse-s3', ServerSideEncryption: 'AES256' as const }]) {
        await s3.send(new PutObjectCommand({ Bucket: BUCKET, Body: body, ...more }));
        expect((await get(more.Key)).equals(body)).toBe(true);
      }
      const customer = randomBytes(32);
      const SSECustomerKey = customer.toString('base64');
      const SSECustomerKeyMD5 = createHash('md5').update(customer).digest('base64');
      const sseC = { Bucket: BUCKET, Key: 'sse-c', SSECustomerAlgorithm: 'AES256', SSECustomerKey, SSECustomerKeyMD5 };
      await s3.send(new PutObjectCommand({ ...sseC, Body: body }));
      const { Body } = await s3.send(new GetObjectCommand(sseC));
      expect(Buffer.from(await Body!.transformToByteArray()).equals(body)).toBe(true);
      await put(aws, 'under another KMS', body);
      expect((await get('under another KMS')).equals(body)).toBe(true);
      expect(vault.uses().wraps).toBe(wraps);

      const forced = await server.admin('POST', `${pathOf(vault)}?force`, { comment: 'while it hangs' });
      expect(forced).toMatchObject({ status: 200, body: { propagation: { processes: WORKERS, lagging: 0 } } });
      vault.clearFaults();
      await eventually(async () => expect((await get(key)).equals(body)).toBe(true));
    });
  });
});
