import { randomBytes } from 'node:crypto';
import { rename } from 'node:fs/promises';
import {
  CreateBucketCommand,
  GetObjectCommand,
  HeadObjectCommand,
  PutObjectCommand,
  type S3Client,
} from '@aws-sdk/client-s3';
import { Client } from 'pg';
import { startVaultServer, type FakeVault } from '../fakes/vault-server';
import { eventually } from '../support/eventually';
import { Gateway } from '../support/gateway';
import { TestServer } from '../support/server';
import { softHsmLibrary, startSoftHsm, type SoftHsm } from '../support/soft-hsm';

const BUCKET = 'faults';
const PIN = 'pin-of-the-token';
/** Attempts are counted in `kms-faults.spec.ts`; here one is enough, and no breaker opens. */
const RETRIES = 0;
const UNAVAILABLE = {
  name: 'ServiceUnavailable',
  $metadata: { httpStatusCode: 503 },
  $response: { headers: { 'retry-after': '5' } },
};
const DISABLED = { name: 'KMS.DisabledException', $metadata: { httpStatusCode: 400 } };
const TAMPERED = { name: 'KMS.InvalidCiphertextException', $metadata: { httpStatusCode: 400 } };
const library = softHsmLibrary();

type Kind = 'vault_kv' | 'pkcs11';
type Document = Readonly<Record<string, unknown>>;

/** The two kinds that hold keys rather than ask a service for each data key; the others are in `kms-faults.spec.ts`. */
describe('faults of a KV engine and of an HSM, as clients of the store see them', () => {
  let server: TestServer;
  let s3: S3Client;
  let database: Client;
  let vault: FakeVault;
  let gateway: Gateway;
  let hsm: SoftHsm | undefined;
  let changes = 0;

  beforeAll(async () => {
    vault = await startVaultServer({ kv: { secret: '2' } });
    gateway = await Gateway.open(vault.url);
    hsm = library === undefined ? undefined : await startSoftHsm({ objects: PIN });
    server = await TestServer.start({
      env: {
        STRONGROOM_KMS_CACHE_SIZE: '0',
        STRONGROOM_KMS_PROBE_INTERVAL: '0',
        ...(hsm && { SOFTHSM2_CONF: `${hsm.directory}/softhsm2.conf` }),
      },
    });
    s3 = server.s3();
    database = new Client({ connectionString: server.databaseUrl });
    await database.connect();
    await s3.send(new CreateBucketCommand({ Bucket: BUCKET }));
  }, 120_000);
  afterEach(() => vault.clearFaults());
  afterAll(async () => {
    await database.end();
    await server.stop();
    await gateway.takeDown();
    await vault.close();
    hsm?.close();
  });

  const documentOf = (kind: Kind): Document =>
    kind === 'vault_kv'
      ? { endpoint: gateway.url, token: vault.rootToken, timeout: '600ms', max_retries: RETRIES }
      : { library, token_label: 'objects', pin: PIN, timeout: '2s', max_retries: RETRIES };
  /** A change of configuration also makes a provider that has read no key yet. */
  const configure = async (kind: Kind, more: Document = {}, query = ''): Promise<void> => {
    const document = { ...documentOf(kind), key_name: 'objects', create_key: true, enabled: true, ...more };
    const comment = `change ${++changes}`;
    const path = `/minio/admin/v3/config/kms_${kind}/default${query}`;
    expect(await server.admin('POST', path, { ...document, comment })).toMatchObject({ status: 200 });
  };
  const put = (kind: Kind, Key: string, Body: Buffer, keyId = 'objects'): Promise<object> =>
    s3.send(
      new PutObjectCommand({
        Bucket: BUCKET,
        Key,
        Body,
        ServerSideEncryption: 'aws:kms',
        SSEKMSKeyId: `${kind}:default/${keyId}`,
      }),
    );
  const get = async (Key: string): Promise<Buffer> => {
    const { Body } = await s3.send(new GetObjectCommand({ Bucket: BUCKET, Key }));
    return Buffer.from(await Body!.transformToByteArray());
  };
  const manage = async (kind: Kind, action: string): Promise<void> => {
    const key = encodeURIComponent(`${kind}:default/objects`);
    expect(await server.admin('POST', `/api/v1/kms/keys/${key}/${action}`)).toMatchObject({ status: 200 });
  };
  /** While something is broken neither writes nor reads succeed, and nothing is left of them; afterwards both do. */
  const expectOutage = async (
    kind: Kind,
    label: string,
    failure: object,
    mend: () => unknown,
    broken: () => unknown,
  ) => {
    const [key, refused, body] = [`${kind} ${label}`, `refused ${kind} ${label}`, randomBytes(50_000)];
    await configure(kind);
    await put(kind, key, body);
    await configure(kind);
    await broken();
    await expect(put(kind, refused, body)).rejects.toMatchObject(failure);
    await expect(get(key)).rejects.toMatchObject(failure);
    await expect(s3.send(new HeadObjectCommand({ Bucket: BUCKET, Key: refused }))).rejects.toMatchObject({
      name: 'NotFound',
    });
    expect((await database.query('SELECT FROM object_version WHERE key = $1', [refused])).rowCount).toBe(0);
    await mend();
    await eventually(async () => {
      await put(kind, refused, body);
      expect((await get(key)).equals(body)).toBe(true);
      expect((await get(refused)).equals(body)).toBe(true);
    });
  };
  const expectTamperingFound = async (kind: Kind): Promise<void> => {
    const [key, body] = [`${kind} tampered`, randomBytes(50_000)];
    await configure(kind);
    await put(kind, key, body);
    await database.query(
      `UPDATE object_version SET wrapped_key = set_byte(wrapped_key, length(wrapped_key) - 4,
         255 - get_byte(wrapped_key, length(wrapped_key) - 4)) WHERE key = $1`,
      [key],
    );
    await expect(get(key)).rejects.toMatchObject(TAMPERED);
    await put(kind, `beside ${key}`, body);
    expect((await get(`beside ${key}`)).equals(body)).toBe(true);
  };

  describe('vault_kv', () => {
    it.each(['hang', 'drip', 429, 500, 503] as const)('fault %s: 503, nothing stored, well again', async (fault) => {
      const action = typeof fault === 'number' ? ({ type: 'status', status: fault } as const) : { type: fault };
      await expectOutage(
        'vault_kv',
        String(fault),
        UNAVAILABLE,
        () => vault.clearFaults(),
        () => vault.inject({ action, path: /^secret\// }),
      );
    });

    it('refuses connections: 503, nothing stored, well again', () =>
      expectOutage(
        'vault_kv',
        'connection refused',
        UNAVAILABLE,
        () => gateway.bringUp(),
        () => gateway.takeDown(),
      ));

    it('is sealed: 503 that says so, nothing stored, well again', () =>
      expectOutage(
        'vault_kv',
        'sealed',
        { ...UNAVAILABLE, message: expect.stringContaining('sealed') },
        () => vault.unseal(),
        () => vault.seal(),
      ));

    it('has the key disabled: refused by name until it is enabled', () =>
      expectOutage(
        'vault_kv',
        'disabled',
        DISABLED,
        () => manage('vault_kv', 'enable'),
        () => manage('vault_kv', 'disable'),
      ));

    it('is not asked again while its keys are in memory, so that it may be away', async () => {
      const body = randomBytes(50_000);
      await configure('vault_kv');
      await put('vault_kv', 'in memory', body);
      await gateway.takeDown();
      await put('vault_kv', 'in memory too', body);
      expect((await get('in memory')).equals(body)).toBe(true);
      await gateway.bringUp();
    });

    it('AppRole token revoked while a request is under way: a new login, and it succeeds', async () => {
      const { roleId, secretId } = vault.createRole({ policies: ['root'] });
      const login = { auth_type: 'approle', auth_approle_id: roleId, auth_approle_secret: secretId, token: '' };
      await configure('vault_kv', login);
      await configure('vault_kv', login);
      const seen = vault.requests.length;
      vault.inject({ action: { type: 'delay', milliseconds: 200 }, path: /^secret\//, times: 1 });
      const body = randomBytes(50_000);
      const underWay = put('vault_kv', 'revoked', body);
      await eventually(() =>
        expect(vault.requests.slice(seen).some(({ path }) => path.startsWith('secret/'))).toBe(true),
      );
      vault.revokeAllTokens();
      await underWay;
      expect((await get('revoked')).equals(body)).toBe(true);
    });

    it('loses one of two nodes: no request fails', async () => {
      const second = await Gateway.open(vault.url);
      try {
        const body = randomBytes(50_000);
        for (const gone of [gateway, second]) {
          await configure('vault_kv', { endpoint: `${gateway.url},${second.url}`, timeout: '10s' });
          await gone.takeDown();
          await put('vault_kv', 'failover', body);
          expect((await get('failover')).equals(body)).toBe(true);
          await gone.bringUp();
        }
      } finally {
        await second.takeDown();
      }
    });

    it('finds out that a wrapped key was tampered with', () => expectTamperingFound('vault_kv'));
  });

  (library === undefined ? describe.skip : describe)('pkcs11', () => {
    it('finds out that a wrapped key was tampered with', () => expectTamperingFound('pkcs11'));

    it('has the key disabled here, as an HSM cannot: refused by name until it is enabled', () =>
      expectOutage(
        'pkcs11',
        'disabled',
        DISABLED,
        () => manage('pkcs11', 'enable'),
        () => manage('pkcs11', 'disable'),
      ));

    it('loses the token: 503, nothing stored, well again when it is back', async () => {
      const tokens = `${hsm!.directory}/tokens`;
      await expectOutage(
        'pkcs11',
        'token away',
        UNAVAILABLE,
        () => rename(`${tokens}-away`, tokens),
        () => rename(tokens, `${tokens}-away`),
      );
    });

    it('has a token that cannot be read: 503, nothing stored, well again with a new start of the library', async () => {
      let restore = (): void => undefined;
      await expectOutage(
        'pkcs11',
        'unreadable',
        UNAVAILABLE,
        () => restore(),
        () => (restore = hsm!.spoil('objects')),
      );
    });

    it('hangs: 503 after the time of an attempt, nothing stored, others served, well again', async () => {
      let release = (): void => undefined;
      const plain = async (): Promise<void> => {
        await s3.send(new PutObjectCommand({ Bucket: BUCKET, Key: 'plain', Body: 'plain' }));
        expect((await get('plain')).toString()).toBe('plain');
      };
      await expectOutage(
        'pkcs11',
        'hangs',
        UNAVAILABLE,
        async () => {
          await plain();
          release();
        },
        () => (release = hsm!.hang('objects')),
      );
      await plain();
    });

    it('loses a key: refused by name, and what is under other keys is served', async () => {
      const body = randomBytes(50_000);
      await configure('pkcs11');
      await put('pkcs11', 'hsm kept', body);
      expect(await server.admin('POST', '/api/v1/kms/keys', { key_id: 'pkcs11:default/short-lived' })).toMatchObject({
        status: 201,
      });
      await put('pkcs11', 'hsm lost', body, 'short-lived');
      await hsm!.meddle(
        'objects',
        `library.C_Login(session, js.CKU_USER, '${PIN}');
         library.C_FindObjectsInit(session, [{ type: js.CKA_LABEL, value: 'short-lived' }]);
         const key = library.C_FindObjects(session, 1)[0];
         library.C_FindObjectsFinal(session);
         library.C_DestroyObject(session, key);`,
      );
      const lost = { name: 'KMS.NotFoundException', $metadata: { httpStatusCode: 400 } };
      await expect(get('hsm lost')).rejects.toMatchObject(lost);
      await expect(put('pkcs11', 'hsm refused', body, 'short-lived')).rejects.toMatchObject(lost);
      expect((await get('hsm kept')).equals(body)).toBe(true);
    });

    it('refuses the PIN: 503 without trying it again, and a repaired configuration is taken', async () => {
      const body = randomBytes(50_000);
      await configure('pkcs11');
      await put('pkcs11', 'pin', body);
      await configure('pkcs11', { pin: 'another-pin' }, '?force=true');
      await expect(put('pkcs11', 'refused pin', body)).rejects.toMatchObject(UNAVAILABLE);
      await expect(get('pin')).rejects.toMatchObject(UNAVAILABLE);
      expect((await database.query(`SELECT FROM object_version WHERE key = 'refused pin'`)).rowCount).toBe(0);
      await configure('pkcs11');
      expect((await get('pin')).equals(body)).toBe(true);
    });
  });
});
