import { randomBytes } from 'node:crypto';
import { Logger } from '@nestjs/common';
import { startVaultServer, type FakeVault } from '../../test/fakes/vault-server';
import { createTestDatabase, type TestDatabase } from '../../test/support/database';
import { eventually } from '../../test/support/eventually';
import { ConfigManager } from '../config/config-manager';
import type { Database } from '../database/database';
import type { ConfigOverlay, Settings } from '../settings/settings';
import { KeptKeyStateRepository } from './kept-key-state.repository';
import { KeptKeyStates } from './kept-key-states';
import { Keyring } from './keyring';
import { KeyringRepository } from './keyring.repository';
import { KmsRegistry } from './kms-registry.service';
import { KmsService } from './kms.service';
import { SERVER_KEY_ID } from './providers/builtin.provider';

Logger.overrideLogger(false);

const CONTEXT = { bucket: 'bucket/key' };
const CHANGE = { changedBy: 'test' };
// The published key of minio/minio internal/kms/secret-key_test.go.
const MINIO_KEY = 'my-key:eEm+JI9/q4JhH8QwKvf3LKo4DEBl6QbfvAl1CAbMIv8=';

/** The KMS module of one process. */
interface Process {
  readonly config: ConfigManager;
  readonly kms: KmsService;
  stop(): Promise<void>;
}

describe('KmsService', () => {
  const rootKey = randomBytes(32);
  let test: TestDatabase;
  let vault: FakeVault;
  const processes: Process[] = [];

  beforeEach(async () => {
    [test, vault] = await Promise.all([createTestDatabase(), startVaultServer()]);
    vault.createKey('main', { derived: true });
    vault.createKey('second', { derived: false });
  });

  afterEach(async () => {
    await Promise.all(processes.splice(0).map((each) => each.stop()));
    await Promise.all([test.close(), vault.close()]);
  });

  async function startProcess(
    database: Database = test.database,
    environment: ConfigOverlay = new Map(),
  ): Promise<Process> {
    const settings = { configOverlays: { environment, file: new Map() } } as unknown as Settings;
    const config = new ConfigManager(database, settings, rootKey);
    const keyring = new Keyring(database, new KeyringRepository(database), rootKey);
    const registry = new KmsRegistry(config, keyring);
    const kept = new KeptKeyStates(database, new KeptKeyStateRepository(database));
    const kms = new KmsService(registry, keyring, kept);
    await config.onModuleInit();
    await keyring.onModuleInit();
    await registry.onModuleInit();
    await kept.onModuleInit();
    const started: Process = {
      config,
      kms,
      stop: async () => {
        await registry.onApplicationShutdown();
        kms.onApplicationShutdown();
        await kept.onApplicationShutdown();
        await keyring.onApplicationShutdown();
        await config.onModuleDestroy();
      },
    };
    processes.push(started);
    return started;
  }

  const useVault = (
    config: ConfigManager,
    target = 'default',
    values: Record<string, unknown> = {},
  ): Promise<unknown> =>
    config.set(
      'kms_vault',
      target,
      { endpoint: vault.url, key_name: 'main', token: vault.rootToken, ...values },
      CHANGE,
    );

  describe('without any configuration', () => {
    it('serves SSE-S3 and SSE-KMS from the embedded keyring, whose own keys make themselves', async () => {
      const { kms } = await startProcess();
      const server = await kms.generateForServer(CONTEXT);
      expect(server.wrapped).toMatchObject({ kms: 'builtin:default', keyId: SERVER_KEY_ID, keyVersion: '1' });
      expect(await kms.unwrap(server.wrapped, CONTEXT)).toEqual(server.plaintext);
      const chosen = await kms.generate(undefined, CONTEXT);
      expect(chosen.wrapped).toMatchObject({ kms: 'builtin:default', keyId: 'strongroom-default' });
      expect(await kms.unwrap(chosen.wrapped, CONTEXT)).toEqual(chosen.plaintext);
    });

    it('makes no key that a client merely names', async () => {
      const { kms } = await startProcess();
      await expect(kms.generate('typo', CONTEXT)).rejects.toMatchObject({ kind: 'kms-key-not-found' });
      await kms.createKey('typo');
      await expect(kms.generate('arn:aws:kms:us-east-1:000000000000:key/typo', CONTEXT)).resolves.toMatchObject({
        wrapped: { keyId: 'typo' },
      });
    });

    it('several processes starting at once agree on the server key', async () => {
      const others = await Promise.all([
        startProcess(),
        startProcess(await test.another()),
        startProcess(await test.another()),
      ]);
      const made = await Promise.all(others.map(({ kms }) => kms.generateForServer(CONTEXT)));
      for (const { kms } of others) {
        expect(await Promise.all(made.map(({ wrapped }) => kms.unwrap(wrapped, CONTEXT)))).toEqual(
          made.map(({ plaintext }) => plaintext),
        );
      }
    });

    it('keeps material sealed in the database', async () => {
      const { kms } = await startProcess();
      const material = randomBytes(32);
      await kms.importKey('imported', Buffer.from(material));
      const [row] = await test.database.query<{ sealed_material: Buffer }>({
        name: 'test.material',
        text: `SELECT sealed_material FROM kms_key_version WHERE key_id = 'imported'`,
      });
      expect(row?.sealed_material).toHaveLength(61);
      expect(row?.sealed_material.includes(material)).toBe(false);
    });
  });

  describe('with Vault', () => {
    it('uses it as the default from the moment it is configured, and the keyring for SSE-S3 still', async () => {
      const { kms, config } = await startProcess();
      const before = await kms.generate(undefined, CONTEXT);
      await useVault(config);
      const after = await kms.generate(undefined, CONTEXT);
      expect(after.wrapped).toMatchObject({ kms: 'vault:default', keyId: 'main', keyVersion: '1' });
      expect(after.wrapped.ciphertext.toString('utf8')).toMatch(/^vault:v1:/);
      expect(await kms.unwrap(after.wrapped, CONTEXT)).toEqual(after.plaintext);
      expect(await kms.unwrap(before.wrapped, CONTEXT)).toEqual(before.plaintext);
      expect((await kms.generateForServer(CONTEXT)).wrapped.kms).toBe('builtin:default');
    });

    it('reads every form of a key reference', async () => {
      const { kms, config } = await startProcess();
      await useVault(config);
      await useVault(config, 'eu');
      const read = (reference: string | undefined): string => {
        const { kms: target, keyId } = kms.resolve(reference);
        return `${target} ${keyId}`;
      };
      expect(read(undefined)).toBe('vault:default main');
      expect(read('second')).toBe('vault:default second');
      expect(read('arn:aws:kms:second')).toBe('vault:default second');
      expect(read('arn:aws:kms:eu-west-1:111122223333:key/second')).toBe('vault:default second');
      expect(read('eu/second')).toBe('vault:eu second');
      expect(read('vault:eu/second')).toBe('vault:eu second');
      expect(read('vault:eu')).toBe('vault:eu main');
      expect(read('builtin:default/any')).toBe('builtin:default any');
      // Two targets are named default; the default target is meant.
      expect(read('default/second')).toBe('vault:default second');
    });

    it('refuses a reference to a target that is not there', async () => {
      const { kms } = await startProcess();
      expect(() => kms.resolve('mars/key')).toThrow(expect.objectContaining({ kind: 'kms-not-configured' }));
      expect(() => kms.resolve('vault:mars/key')).toThrow(expect.objectContaining({ kind: 'kms-not-configured' }));
    });

    it('takes the default target that is configured, and fails closed when that one is missing', async () => {
      const { kms, config } = await startProcess();
      await useVault(config);
      await config.set('kms', 'default', { default_target: 'builtin:default' }, CHANGE);
      expect(kms.resolve(undefined).kms).toBe('builtin:default');
      await config.set('kms', 'default', { default_target: 'vault:gone' }, CHANGE);
      expect(() => kms.resolve(undefined)).toThrow(expect.objectContaining({ kind: 'kms-not-configured' }));
    });

    it('swaps while calls are under way: none fails, and later ones use the new configuration', async () => {
      const { kms, config } = await startProcess();
      await useVault(config);
      await kms.generate(undefined, CONTEXT);
      vault.inject({ action: { type: 'delay', milliseconds: 60 }, path: /datakey|encrypt/, times: 8 });
      const running = Promise.all(Array.from({ length: 8 }, () => kms.generate(undefined, CONTEXT)));
      await config.set('kms_vault', 'default', { key_name: 'second' }, { ...CHANGE, force: true });
      const made = await running;
      expect(made.every(({ wrapped }) => wrapped.kms === 'vault:default')).toBe(true);
      expect((await kms.generate(undefined, CONTEXT)).wrapped.keyId).toBe('second');
      for (const { wrapped, plaintext } of made) {
        expect(await kms.unwrap(wrapped, CONTEXT)).toEqual(plaintext);
      }
    });

    it('keeps the working configuration when a candidate fails its test', async () => {
      const { kms, config } = await startProcess();
      await useVault(config);
      await expect(useVault(config, 'default', { token: 'wrong' })).rejects.toMatchObject({
        kind: 'config-test-failed',
      });
      await expect(kms.generate(undefined, CONTEXT)).resolves.toBeDefined();
    });

    it('brings a change to the other processes', async () => {
      const [one, two] = [await startProcess(), await startProcess(await test.another())];
      await useVault(one.config);
      await eventually(() => expect(two.kms.resolve(undefined).kms).toBe('vault:default'));
      const made = await one.kms.generate(undefined, CONTEXT);
      expect(await two.kms.unwrap(made.wrapped, CONTEXT)).toEqual(made.plaintext);
      await one.config.delete('kms_vault', 'default', CHANGE);
      await eventually(() => expect(two.kms.resolve(undefined).kms).toBe('builtin:default'));
      await expect(two.kms.unwrap(made.wrapped, CONTEXT)).rejects.toMatchObject({ kind: 'kms-not-configured' });
    });

    it('starts while Vault is down, serves the keyring meanwhile, and Vault when it is back', async () => {
      const { config } = await startProcess();
      await useVault(config, 'default', { max_retries: 0 });
      const { url, rootToken } = vault;
      await vault.close();
      const restarted = await startProcess(await test.another());
      await expect(restarted.kms.generate(undefined, CONTEXT)).rejects.toMatchObject({
        kind: 'kms-unavailable',
        retryable: true,
      });
      await expect(restarted.kms.generateForServer(CONTEXT)).resolves.toBeDefined();
      const down = restarted.kms.status().find(({ kms }) => kms === 'vault:default');
      expect(down).toMatchObject({ health: 'offline', isDefault: true, lastError: { kind: 'kms-unavailable' } });
      vault = await startVaultServer({ port: Number(new URL(url).port), rootToken });
      vault.createKey('main', { derived: true });
      await expect(restarted.kms.generate(undefined, CONTEXT)).resolves.toBeDefined();
      expect(restarted.kms.status().find(({ kms }) => kms === 'vault:default')).toMatchObject({ health: 'online' });
    });

    it('starts with an unusable configuration from the environment, says so, and does not fall back to another KMS', async () => {
      const fields = new Map([['endpoint', { value: 'https://vault:8200', origin: 'STRONGROOM_KMS_VAULT_ENDPOINT' }]]);
      const enabled = new Map([...fields, ['enabled', { value: 'on', origin: 'STRONGROOM_KMS_VAULT_ENABLED' }]]);
      const { kms } = await startProcess(test.database, new Map([['kms_vault:default', enabled]]));
      await expect(kms.generate(undefined, CONTEXT)).rejects.toMatchObject({
        kind: 'kms-not-configured',
        message: expect.stringContaining('key_name'),
      });
      expect(kms.status()).toContainEqual(
        expect.objectContaining({ kms: 'vault:default', health: 'offline', isDefault: true }),
      );
      await expect(kms.generateForServer(CONTEXT)).resolves.toBeDefined();
    });

    it('reads hot data keys from memory, without Vault, until the time is up or the target changes', async () => {
      const { kms, config } = await startProcess();
      await useVault(config);
      const { wrapped, plaintext } = await kms.generate(undefined, CONTEXT);
      await kms.unwrap(wrapped, CONTEXT);
      vault.seal();
      expect(await kms.unwrap(wrapped, CONTEXT)).toEqual(plaintext);
      await expect(kms.unwrap(wrapped, { other: 'context' })).rejects.toMatchObject({ kind: 'kms-sealed' });
      vault.unseal();
      vault.clearRequests();
      await useVault(config);
      vault.clearRequests();
      await kms.unwrap(wrapped, CONTEXT);
      expect(vault.requests.some(({ path }) => path === 'transit/decrypt/main')).toBe(true);
    });

    it('asks Vault every time when the cache is off', async () => {
      const { kms, config } = await startProcess();
      await useVault(config);
      await config.set('kms', 'default', { cache_size: 0 }, CHANGE);
      const { wrapped } = await kms.generate(undefined, CONTEXT);
      vault.clearRequests();
      await kms.unwrap(wrapped, CONTEXT);
      await kms.unwrap(wrapped, CONTEXT);
      expect(vault.requests.filter(({ path }) => path === 'transit/decrypt/main')).toHaveLength(2);
    });
  });

  describe('key administration', () => {
    it('creates, lists, describes, rotates and tries keys of a target', async () => {
      const { kms, config } = await startProcess();
      await useVault(config);
      expect(await kms.createKey('made')).toMatchObject({ kms: 'vault:default', keyId: 'made', state: 'enabled' });
      expect((await kms.listKeys(undefined, '*')).keys.map(({ keyId }) => keyId)).toEqual(['made', 'main', 'second']);
      const before = await kms.generate('made', CONTEXT);
      expect(await kms.rotateKey('made')).toMatchObject({ latestVersion: '2' });
      expect((await kms.generate('made', CONTEXT)).wrapped.keyVersion).toBe('2');
      expect(await kms.unwrap(before.wrapped, CONTEXT)).toEqual(before.plaintext);
      expect(await kms.tryKey('made')).toEqual({ keyVersion: '2', kms: 'vault:default', keyId: 'made' });
      expect(await kms.tryKey('missing')).toMatchObject({ encryptionError: { kind: 'kms-key-not-found' } });
    });

    it('keeps the state of a key whose KMS has none, for all processes', async () => {
      const [one, two] = [await startProcess(), await startProcess(await test.another())];
      await useVault(one.config);
      await eventually(() => expect(two.kms.resolve(undefined).kms).toBe('vault:default'));
      const { wrapped, plaintext } = await two.kms.generate('second', CONTEXT);
      await two.kms.unwrap(wrapped, CONTEXT);
      const refusals = async ({ kms }: Process, kind: string): Promise<void> => {
        await Promise.all(
          [
            kms.generate('second', CONTEXT),
            kms.unwrap(wrapped, CONTEXT),
            kms.unwrap(wrapped, CONTEXT, { fresh: true }),
            kms.rotateKey('second'),
          ].map((attempt) => expect(attempt).rejects.toMatchObject({ kind })),
        );
      };
      const missing = { kind: 'kms-key-not-found' };
      await expect(one.kms.setKeyEnabled('missing', false)).rejects.toMatchObject(missing);
      await expect(one.kms.scheduleKeyDeletion('missing', 7, false)).rejects.toMatchObject(missing);

      const disabled = { state: 'disabled', stateKeptHere: true };
      expect(await one.kms.setKeyEnabled('second', false)).toMatchObject(disabled);
      await refusals(one, 'kms-key-disabled');
      await eventually(() => refusals(two, 'kms-key-disabled'));
      expect((await two.kms.generateAll('second', [CONTEXT]))[0]).toMatchObject({ status: 'rejected' });
      expect((await two.kms.unwrapAll([{ wrapped, context: CONTEXT }]))[0]).toMatchObject({ status: 'rejected' });
      expect((await two.kms.listKeys(undefined, 'second')).keys).toMatchObject([disabled]);
      expect(await two.kms.setKeyEnabled('second', true)).not.toHaveProperty('stateKeptHere');
      expect(await two.kms.unwrap(wrapped, CONTEXT)).toEqual(plaintext);

      await expect(one.kms.scheduleKeyDeletion('second', 6, false)).rejects.toMatchObject({
        kind: 'kms-invalid-request',
      });
      await expect(one.kms.cancelKeyDeletion('second')).rejects.toMatchObject({ kind: 'kms-invalid-request' });
      expect(await one.kms.scheduleKeyDeletion('second', 7, false)).toMatchObject({
        state: 'pending-deletion',
        deletionDate: expect.any(Date),
      });
      await refusals(one, 'kms-key-pending-deletion');
      await eventually(() => refusals(two, 'kms-key-pending-deletion'));
      for (const enabled of [true, false]) {
        await expect(two.kms.setKeyEnabled('second', enabled)).rejects.toMatchObject({
          kind: 'kms-key-pending-deletion',
        });
      }
      expect(await two.kms.cancelKeyDeletion('second')).toMatchObject(disabled);
      await two.kms.setKeyEnabled('second', true);
      await eventually(async () => expect(await one.kms.unwrap(wrapped, CONTEXT)).toEqual(plaintext));
      expect((await two.kms.generate('main', CONTEXT)).wrapped.keyId).toBe('main');
    });

    it('starts with the states it has kept, and forgets that of a key which is made anew', async () => {
      const { kms, config } = await startProcess();
      await useVault(config);
      await kms.createKey('anew');
      await kms.setKeyEnabled('anew', false);
      const later = await startProcess(await test.another());
      await eventually(() => expect(later.kms.resolve(undefined).kms).toBe('vault:default'));
      await expect(later.kms.generate('anew', CONTEXT)).rejects.toMatchObject({ kind: 'kms-key-disabled' });
      await kms.destroyKey('vault:default', 'anew');
      expect(await later.kms.createKey('anew')).toMatchObject({ state: 'enabled' });
      expect((await later.kms.generate('anew', CONTEXT)).wrapped.keyId).toBe('anew');
    });

    it('says what a provider cannot do', async () => {
      const { kms, config } = await startProcess();
      await useVault(config);
      await expect(kms.importKey('new', Buffer.alloc(32))).rejects.toMatchObject({ kind: 'kms-unsupported' });
    });

    it('a key disabled in one process is refused at once in this one, and soon in the others, cached or not', async () => {
      const [one, two] = [await startProcess(), await startProcess(await test.another())];
      await one.kms.createKey('shared');
      const { wrapped } = await one.kms.generate('shared', CONTEXT);
      await Promise.all([one, two].map(({ kms }) => kms.unwrap(wrapped, CONTEXT)));
      await one.kms.setKeyEnabled('shared', false);
      await expect(one.kms.unwrap(wrapped, CONTEXT)).rejects.toMatchObject({ kind: 'kms-key-disabled' });
      await eventually(() =>
        expect(two.kms.unwrap(wrapped, CONTEXT)).rejects.toMatchObject({ kind: 'kms-key-disabled' }),
      );
      await two.kms.setKeyEnabled('shared', true);
      await eventually(() => expect(one.kms.unwrap(wrapped, CONTEXT)).resolves.toHaveLength(32));
    });

    it('keeps the key of SSE-S3 from harm', async () => {
      const { kms } = await startProcess();
      await kms.generateForServer(CONTEXT);
      await expect(kms.setKeyEnabled(SERVER_KEY_ID, false)).rejects.toMatchObject({ kind: 'kms-invalid-request' });
      await expect(kms.scheduleKeyDeletion(SERVER_KEY_ID, 7, false)).rejects.toMatchObject({
        kind: 'kms-invalid-request',
      });
    });

    it('destroys a key when its waiting time is over', async () => {
      const { kms } = await startProcess();
      await kms.createKey('doomed');
      await kms.scheduleKeyDeletion('doomed', 7, false);
      const repository = new KeyringRepository(test.database);
      expect(await repository.deleteDue()).toEqual([]);
      await test.database.execute({
        name: 'test.age',
        text: `UPDATE kms_key SET deletion_date = now() WHERE key_id = 'doomed'`,
      });
      expect(await repository.deleteDue()).toEqual(['doomed']);
      await eventually(() => expect(kms.describeKey('doomed')).rejects.toMatchObject({ kind: 'kms-key-not-found' }));
    });

    it('tests a target in use', async () => {
      const { kms, config } = await startProcess();
      expect(await kms.testTarget()).toMatchObject({ ok: true });
      await useVault(config);
      expect((await kms.testTarget()).steps.map(({ name }) => name)).toContain('permissions');
      await expect(kms.testTarget('vault:none')).rejects.toMatchObject({ kind: 'kms-not-configured' });
    });
  });

  describe('a MinIO static key', () => {
    it('becomes the default key, opens what MinIO wrapped, and stays when the setting is gone', async () => {
      const { kms, config } = await startProcess();
      await config.set('kms_builtin', 'default', { minio_secret_key: MINIO_KEY }, CHANGE);
      expect(kms.resolve(undefined)).toEqual({ kms: 'builtin:default', keyId: 'my-key' });
      const made = await kms.generate(undefined, CONTEXT);
      expect(made.wrapped.ciphertext).toHaveLength(76);
      // Second vector of decryptKeyTests, minio/minio internal/kms/secret-key_test.go.
      const legacy = {
        kms: 'builtin:default',
        keyId: 'my-key',
        ciphertext: Buffer.from(
          '{"aead":"ChaCha20Poly1305","iv":"r4+yfiVbVIYR0Z2I9Fq+6g==","nonce":"2YpwGwE59GcVraI3","bytes":"k/svMglOU7/Kgwv73heG38NWW575XLcFp3SaxQHDMjJGYyRI3Fiygu2OeutGPXNL"}',
        ),
      };
      expect((await kms.unwrap(legacy, { key: 'value' })).toString('base64')).toBe(
        'UnPWsZgVI+T4L9WGNzFlP1PsP1Z6hn2Fx8ISeZfDGnA=',
      );
      await expect(kms.rotateKey('my-key')).rejects.toMatchObject({ kind: 'kms-unsupported' });
      await config.delete('kms_builtin', 'default', CHANGE);
      expect(await kms.unwrap(made.wrapped, CONTEXT)).toEqual(made.plaintext);
    });

    it('is refused when the keyring holds another key of that name', async () => {
      const { kms, config } = await startProcess();
      await kms.createKey('my-key');
      const change = config.set('kms_builtin', 'default', { minio_secret_key: MINIO_KEY }, CHANGE);
      await expect(change).rejects.toMatchObject({ kind: 'config-test-failed' });
    });
  });

  it('leaves SSE-KMS without a KMS when the keyring is switched off for it, but reads and SSE-S3 go on', async () => {
    const { kms, config } = await startProcess();
    const made = await kms.generate(undefined, CONTEXT);
    await config.set('kms_builtin', 'default', { enabled: false }, CHANGE);
    await expect(kms.generate(undefined, CONTEXT)).rejects.toMatchObject({ kind: 'kms-not-configured' });
    expect(await kms.unwrap(made.wrapped, CONTEXT)).toEqual(made.plaintext);
    await expect(kms.generateForServer(CONTEXT)).resolves.toBeDefined();
  });
});
