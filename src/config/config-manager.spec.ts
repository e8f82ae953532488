import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Logger } from '@nestjs/common';
import { createTestDatabase, type TestDatabase } from '../../test/support/database';
import type { Database } from '../database/database';
import { loadSettings } from '../settings/load-settings';
import { ConfigError } from './config-error';
import { ConfigManager } from './config-manager';
import type { AppliedConfig, FieldValues, SubsystemDefinition, TestReport } from './subsystem';

const ROOT_KEY = Buffer.alloc(32, 9);
const BY = { changedBy: 'alice' };
const VAULT = { endpoint: 'https://vault:8200', key_name: 'k1', token: 's.first-secret' };
const PASSED: TestReport = { ok: true, milliseconds: 1, steps: [] };
const FAILED: TestReport = {
  ok: false,
  milliseconds: 1,
  steps: [{ name: 'connect', outcome: 'failed', milliseconds: 1, detail: 'refused', remedy: 'start it' }],
};

describe('ConfigManager', () => {
  let testDatabase: TestDatabase;
  let cwd: string;
  let managers: ConfigManager[];
  let report: TestReport;
  let tested: FieldValues[];

  const definition = (): SubsystemDefinition => ({
    name: 'kms_vault',
    description: 'Vault',
    multipleTargets: true,
    fields: [
      { name: 'endpoint', type: 'url', description: '' },
      { name: 'key_name', type: 'string', description: '' },
      { name: 'token', type: 'string', secret: true, description: '' },
      { name: 'ca_file', type: 'path', description: '', aliases: ['capath'] },
      { name: 'timeout', type: 'duration', description: '', default: '10s' },
      { name: 'create_key', type: 'boolean', description: '', default: false },
    ],
    validate: (values) =>
      Promise.resolve(values['endpoint'] === undefined ? [{ field: 'endpoint', message: 'is missing' }] : []),
    test: (_target, values) => {
      tested.push(values);
      return Promise.resolve(report);
    },
  });
  const single: SubsystemDefinition = {
    name: 'scanner',
    description: '',
    multipleTargets: false,
    fields: [{ name: 'speed', type: 'enum', values: ['slow', 'fast'], description: '', default: 'slow' }],
    validate: () => Promise.resolve([]),
  };

  const manage = async (
    env: NodeJS.ProcessEnv = {},
    options: { database?: Database; rootKey?: Buffer } = {},
  ): Promise<ConfigManager> => {
    const manager = new ConfigManager(
      options.database ?? testDatabase.database,
      loadSettings(env, cwd),
      options.rootKey ?? ROOT_KEY,
    );
    manager.register(definition());
    manager.register(single);
    await manager.onModuleInit();
    managers.push(manager);
    return manager;
  };

  const failure = async (work: Promise<unknown>): Promise<ConfigError> => {
    const error = await work.then(
      () => undefined,
      (reason: unknown) => reason,
    );
    expect(error).toBeInstanceOf(ConfigError);
    return error as ConfigError;
  };

  /** Resolves with what the listener is told once a change satisfies the condition. */
  const told = (
    manager: ConfigManager,
    accepts: (applied: AppliedConfig | undefined) => boolean,
  ): Promise<AppliedConfig | undefined> =>
    new Promise((resolve, reject) => {
      manager
        .subscribe('kms_vault', (_subsystem, _target, applied) => {
          if (accepts(applied)) {
            resolve(applied);
          }
        })
        .catch(reject);
    });

  beforeAll(() => Logger.overrideLogger(false));

  beforeEach(async () => {
    testDatabase = await createTestDatabase();
    cwd = mkdtempSync(join(tmpdir(), 'config-'));
    managers = [];
    report = PASSED;
    tested = [];
  });

  afterEach(async () => {
    await Promise.all(managers.map((manager) => manager.onModuleDestroy()));
    await testDatabase.close();
    rmSync(cwd, { recursive: true });
  });

  describe('set and get', () => {
    it('stores a tested document and reads it masked with the source of each field', async () => {
      const config = await manage();
      const { readout, test } = await config.set('kms_vault', 'default', { ...VAULT, create_key: 'on' }, BY);
      expect(test).toBe(PASSED);
      expect(tested).toEqual([{ ...VAULT, create_key: true, timeout: '10s', ca_file: undefined }]);
      expect(readout).toMatchObject({ subsystem: 'kms_vault', target: 'default', version: 1, enabled: true });
      expect(readout.fields).toMatchObject({
        endpoint: { value: 'https://vault:8200', source: 'database', secret: false },
        token: { value: '*redacted*', source: 'database', secret: true },
        create_key: { value: true, source: 'database' },
        timeout: { value: '10s', source: 'default' },
        ca_file: { value: undefined, source: 'default' },
      });
      expect(await config.get('kms_vault', '_')).toEqual(readout);
      expect(config.appliedVersion).toBe(1);
      expect(await config.getKmsConfig()).toEqual([
        expect.objectContaining({ version: 1, values: expect.objectContaining({ token: 's.first-secret' }) }),
      ]);
    });

    it('keeps no secret in clear in the database', async () => {
      const config = await manage();
      await config.set('kms_vault', 'default', VAULT, BY);
      await config.set('kms_vault', 'default', { token: 's.second-secret' }, BY);
      await config.delete('kms_vault', 'default', BY);
      const rows = await testDatabase.database.dataSource.query<object[]>(
        'SELECT to_jsonb(d) AS row FROM config_document d UNION ALL SELECT to_jsonb(h) FROM config_history h',
      );
      expect(rows).toHaveLength(3);
      const text = JSON.stringify(rows);
      expect(text).toContain('https://vault:8200');
      for (const secret of ['s.first-secret', 's.second-secret']) {
        expect(text).not.toContain(secret);
        expect(text).not.toContain(Buffer.from(secret).toString('base64').slice(0, 12));
      }
    });

    it('keeps a secret that comes blank or masked, removes with null and blank, merges the rest', async () => {
      const config = await manage();
      await config.set('kms_vault', 'default', { ...VAULT, ca_file: '/ca', create_key: true }, BY);
      await config.set('kms_vault', 'default', { token: '', key_name: null, capath: '', timeout: undefined }, BY);
      await config.set('kms_vault', 'default', { token: '*redacted*' }, BY);
      const [applied] = await config.getKmsConfig();
      expect(applied).toMatchObject({ version: 3 });
      expect(applied?.values).toEqual({
        endpoint: 'https://vault:8200',
        key_name: undefined,
        token: 's.first-secret',
        ca_file: undefined,
        timeout: '10s',
        create_key: true,
      });
      await config.set('kms_vault', 'default', { token: null }, BY);
      expect((await config.get('kms_vault', 'default')).fields['token']?.value).toBeUndefined();
    });

    it('replaces a whole document but keeps the blank secret', async () => {
      const config = await manage();
      await config.set('kms_vault', 'default', { ...VAULT, create_key: true }, BY);
      await config.set('kms_vault', 'default', { endpoint: 'https://new', token: '' }, { ...BY, replace: true });
      expect((await config.getKmsConfig())[0]?.values).toMatchObject({
        endpoint: 'https://new',
        token: 's.first-secret',
        key_name: undefined,
        create_key: false,
      });
    });

    it('names an unknown field and the nearest known one', async () => {
      const config = await manage();
      const error = await failure(config.set('kms_vault', 'default', { endpiont: 'https://x' }, BY));
      expect(error).toMatchObject({
        kind: 'config-unknown-field',
        details: { field: 'endpiont', nearest: 'endpoint' },
        message: 'kms_vault has no field "endpiont"; did you mean "endpoint"?',
      });
      expect(await config.list()).toEqual([]);
    });

    it('tells every wrong field at once', async () => {
      const config = await manage();
      const error = await failure(
        config.set('kms_vault', 'default', { endpoint: 'vault', timeout: 'soon', create_key: 'maybe' }, BY),
      );
      expect(error.kind).toBe('config-invalid');
      expect(error.problems?.map((problem) => problem.field)).toEqual(['endpoint', 'timeout', 'create_key']);
      const missing = await failure(config.set('kms_vault', 'default', { key_name: 'k' }, BY));
      expect(missing.problems).toEqual([{ field: 'endpoint', message: 'is missing' }]);
    });

    it('refuses unknown subsystems, bad targets and targets where there is one only', async () => {
      const config = await manage();
      expect(await failure(config.get('kms_valt', 'default'))).toMatchObject({
        kind: 'config-unknown-subsystem',
        details: { nearest: 'kms_vault' },
      });
      expect(await failure(config.set('kms_vault', '../x', VAULT, BY))).toMatchObject({ kind: 'config-invalid' });
      expect(await failure(config.set('scanner', 'two', {}, BY))).toMatchObject({ kind: 'config-invalid' });
      expect(await failure(config.get('scanner', 'default'))).toMatchObject({ kind: 'config-not-found' });
      expect(await failure(config.setKmsConfig('scanner', 'default', {}, BY))).toMatchObject({
        kind: 'config-unknown-subsystem',
      });
    });

    it('does not test or check the completeness of a disabled document', async () => {
      const config = await manage();
      report = FAILED;
      const { readout, test } = await config.set('kms_vault', 'default', { enabled: 'off', key_name: 'k' }, BY);
      expect(test).toBeUndefined();
      expect(readout.enabled).toBe(false);
      expect(tested).toEqual([]);
      expect(await config.getKmsConfig()).toEqual([]);
      expect(await failure(config.set('kms_vault', 'default', { enable: 'on' }, BY))).toMatchObject({
        kind: 'config-invalid',
      });
    });
  });

  describe('a failing test', () => {
    it('does not replace a working document', async () => {
      const config = await manage();
      await config.set('kms_vault', 'default', VAULT, BY);
      report = FAILED;
      const error = await failure(config.set('kms_vault', 'default', { endpoint: 'https://broken' }, BY));
      expect(error).toMatchObject({ kind: 'config-test-failed', report: FAILED, remedy: 'start it' });
      expect((await config.get('kms_vault', 'default')).fields['endpoint']?.value).toBe('https://vault:8200');
      expect(config.appliedVersion).toBe(1);
      expect(await config.history('kms_vault', 'default')).toHaveLength(1);
    });

    it('is overridden by force, but wrong fields are not', async () => {
      const config = await manage();
      report = FAILED;
      const { test } = await config.set('kms_vault', 'default', VAULT, { ...BY, force: true });
      expect(test).toBe(FAILED);
      expect((await config.get('kms_vault', 'default')).version).toBe(1);
      expect(
        await failure(config.set('kms_vault', 'default', { endpoint: null }, { ...BY, force: true })),
      ).toMatchObject({ kind: 'config-invalid' });
    });

    it('can be had without a change, on what is stored and on unsaved values', async () => {
      const config = await manage();
      expect(await failure(config.test('kms_vault', 'default'))).toMatchObject({ kind: 'config-not-found' });
      expect(await config.test('kms_vault', 'default', VAULT)).toBe(PASSED);
      await config.set('kms_vault', 'default', { ...VAULT, enabled: false }, BY);
      await config.test('kms_vault', 'default', { key_name: 'k2', token: '' });
      expect(tested[1]).toMatchObject({ key_name: 'k2', token: 's.first-secret' });
      expect((await config.get('kms_vault', 'default')).version).toBe(1);
      await config.set('scanner', 'default', {}, BY);
      expect(await config.test('scanner', 'default')).toMatchObject({ ok: true, steps: [{ outcome: 'skipped' }] });
    });
  });

  describe('history and rollback', () => {
    it('numbers changes over all documents and keeps who, what and why, secrets masked', async () => {
      const config = await manage();
      await config.set('kms_vault', 'default', VAULT, { changedBy: 'alice', comment: 'first' });
      await config.set('scanner', 'default', { speed: 'FAST' }, BY);
      await config.set('kms_vault', 'default', { token: 's.second-secret', key_name: null }, { changedBy: 'bob' });
      await config.delete('kms_vault', 'default', BY);
      const history = await config.history('kms_vault', 'default');
      expect(history.map(({ version, action, changedBy, comment }) => [version, action, changedBy, comment])).toEqual([
        [4, 'delete', 'alice', undefined],
        [3, 'set', 'bob', undefined],
        [1, 'set', 'alice', 'first'],
      ]);
      expect(history[1]?.diff).toEqual([
        { field: 'key_name', before: 'k1' },
        { field: 'token', before: '*redacted*', after: '*redacted*' },
      ]);
      expect(await config.history('kms_vault', 'default', 1)).toHaveLength(1);
      expect(config.appliedVersion).toBe(4);
    });

    it('rolls back to an earlier version, secrets included, as a new change', async () => {
      const config = await manage();
      await config.set('kms_vault', 'default', VAULT, BY);
      await config.set('kms_vault', 'default', { token: 's.second-secret', create_key: true }, BY);
      const { readout } = await config.rollback('kms_vault', 'default', 1, BY);
      expect(readout).toMatchObject({ version: 3, fields: { create_key: { source: 'default' } } });
      expect((await config.getKmsConfig())[0]?.values).toMatchObject({ token: 's.first-secret', create_key: false });
      expect((await config.history('kms_vault', 'default'))[0]).toMatchObject({ version: 3, action: 'rollback' });
    });

    it('brings a deleted document back, tests it, and refuses versions that set nothing', async () => {
      const config = await manage();
      await config.set('kms_vault', 'default', VAULT, BY);
      await config.delete('kms_vault', 'default', BY);
      expect(await failure(config.get('kms_vault', 'default'))).toMatchObject({ kind: 'config-not-found' });
      expect(await failure(config.delete('kms_vault', 'default', BY))).toMatchObject({ kind: 'config-not-found' });
      for (const version of [2, 99, 1.5]) {
        expect(await failure(config.rollback('kms_vault', 'default', version, BY))).toMatchObject({
          kind: 'config-not-found',
        });
      }
      report = FAILED;
      expect(await failure(config.rollback('kms_vault', 'default', 1, BY))).toMatchObject({
        kind: 'config-test-failed',
      });
      report = PASSED;
      expect((await config.rollback('kms_vault', 'default', 1, BY)).readout.version).toBe(3);
    });

    it('cannot be rewritten', async () => {
      const config = await manage();
      await config.set('kms_vault', 'default', VAULT, BY);
      const { dataSource } = testDatabase.database;
      for (const sql of [
        "UPDATE config_history SET changed_by = 'eve'",
        'DELETE FROM config_history',
        'TRUNCATE config_history',
      ]) {
        await expect(dataSource.query(sql)).rejects.toThrow('append-only');
      }
    });
  });

  describe('versions', () => {
    it('refuses a change made from another version', async () => {
      const config = await manage();
      await config.set('kms_vault', 'default', VAULT, { ...BY, expectedVersion: 0 });
      for (const expectedVersion of [0, 7]) {
        expect(await failure(config.set('kms_vault', 'default', {}, { ...BY, expectedVersion }))).toMatchObject({
          kind: 'config-version-conflict',
          details: { version: '1' },
        });
      }
      await config.set('kms_vault', 'default', {}, { ...BY, expectedVersion: 1 });
      expect(await failure(config.delete('kms_vault', 'default', { ...BY, expectedVersion: 1 }))).toMatchObject({
        kind: 'config-version-conflict',
      });
    });

    it('lets one of several simultaneous changes win when all expect the same version', async () => {
      const config = await manage();
      const other = await manage({}, { database: await testDatabase.another() });
      await config.set('kms_vault', 'default', VAULT, BY);
      const results = await Promise.allSettled(
        [config, other, config, other].map((manager, index) =>
          manager.set('kms_vault', 'default', { key_name: `k${index}` }, { ...BY, expectedVersion: 1 }),
        ),
      );
      expect(results.filter((result) => result.status === 'fulfilled')).toHaveLength(1);
      for (const result of results) {
        if (result.status === 'rejected') {
          expect(result.reason).toMatchObject({ kind: 'config-version-conflict' });
        }
      }
      expect((await config.get('kms_vault', 'default')).version).toBe(2);
    });

    it('loses no field of simultaneous changes without an expected version', async () => {
      const config = await manage();
      const other = await manage({}, { database: await testDatabase.another() });
      await config.set('kms_vault', 'default', VAULT, BY);
      await Promise.all([
        config.set('kms_vault', 'default', { key_name: 'changed' }, BY),
        other.set('kms_vault', 'default', { create_key: true }, BY),
        other.set('kms_vault', 'default', { timeout: 3 }, BY),
      ]);
      expect(await other.get('kms_vault', 'default')).toMatchObject({
        version: 4,
        fields: { key_name: { value: 'changed' }, create_key: { value: true }, timeout: { value: '3s' } },
      });
    });
  });

  describe('environment and file', () => {
    it('shows documents of environment and file with version 0 and their origins', async () => {
      writeFileSync(join(cwd, 'store.yaml'), 'config:\n  kms_vault:\n    key_name: file-key\n    timeout: 3s\n');
      const config = await manage({
        RUSTFS_KMS_VAULT_ENDPOINT: 'https://env:8200',
        STRONGROOM_KMS_VAULT_TOKEN: 's.env-secret',
        STRONGROOM_CONFIG_FILE: 'store.yaml',
      });
      const [readout] = await config.list('kms_vault');
      expect(readout).toMatchObject({
        version: 0,
        enabled: true,
        fields: {
          endpoint: { value: 'https://env:8200', source: 'environment', origin: 'RUSTFS_KMS_VAULT_ENDPOINT' },
          token: { value: '*redacted*', source: 'environment', origin: 'STRONGROOM_KMS_VAULT_TOKEN' },
          key_name: { value: 'file-key', source: 'file', origin: expect.stringContaining('store.yaml') },
          timeout: { value: '3s', source: 'file' },
        },
      });
      expect((await config.getKmsConfig())[0]).toMatchObject({ version: 0, values: { token: 's.env-secret' } });
      const after = await config.set('kms_vault', 'default', { key_name: 'stored-key' }, BY);
      expect(after.readout).toMatchObject({
        version: 1,
        fields: { key_name: { value: 'stored-key', source: 'database' }, endpoint: { source: 'environment' } },
      });
    });

    it('refuses to change what the environment pins, naming the variable, and stores nothing equal to it', async () => {
      const config = await manage({
        RUSTFS_KMS_VAULT_ENDPOINT: 'https://env:8200',
        RUSTFS_KMS_VAULT_TOKEN: 's.env-secret',
      });
      expect(await failure(config.set('kms_vault', 'default', { endpoint: 'https://other' }, BY))).toMatchObject({
        kind: 'config-environment-override',
        details: { field: 'endpoint', variable: 'RUSTFS_KMS_VAULT_ENDPOINT' },
      });
      await config.set(
        'kms_vault',
        'default',
        { endpoint: 'https://env:8200', token: 's.env-secret', key_name: 'k' },
        BY,
      );
      const rows = await testDatabase.database.dataSource.query<object[]>('SELECT fields FROM config_document');
      expect(rows).toEqual([{ fields: { key_name: 'k' } }]);
    });

    it('can be switched off by a stored document, and a lone key name is not switched on', async () => {
      const config = await manage({
        RUSTFS_KMS_VAULT_ENDPOINT: 'https://env:8200',
        STRONGROOM_KMS_VAULT_KEY_NAME_EU: 'k',
      });
      expect((await config.getKmsConfig()).map(({ target }) => target)).toEqual(['default']);
      await config.set('kms_vault', 'default', { enabled: false }, BY);
      expect(await config.getKmsConfig()).toEqual([]);
    });

    it('cannot be deleted here', async () => {
      const config = await manage({ RUSTFS_KMS_VAULT_ENDPOINT: 'https://env:8200' });
      expect(await failure(config.delete('kms_vault', 'default', BY))).toMatchObject({
        kind: 'config-environment-override',
        details: { variable: 'RUSTFS_KMS_VAULT_ENDPOINT' },
      });
    });

    it('are checked with everything stored by validateAllConfigs', async () => {
      writeFileSync(
        join(cwd, 'store.yaml'),
        'config:\n  kms_vault:eu:\n    endpont: https://x\n  kms_moon: { a: 1 }\n',
      );
      const config = await manage({ STRONGROOM_KMS_VAULT_TIMEOUT: 'soon', STRONGROOM_CONFIG_FILE: 'store.yaml' });
      await config.set('scanner', 'default', {}, BY);
      expect(await config.validateAllConfigs()).toEqual([
        { subsystem: 'kms_moon', target: 'default', problems: [{ field: 'subsystem', message: expect.any(String) }] },
        {
          subsystem: 'kms_vault',
          target: 'default',
          problems: [
            {
              field: 'timeout',
              message: 'must be a duration such as 10s, 250ms or 5m (set by STRONGROOM_KMS_VAULT_TIMEOUT)',
            },
          ],
        },
        {
          subsystem: 'kms_vault',
          target: 'eu',
          problems: [{ field: 'endpont', message: expect.stringMatching(/not a field.*did you mean endpoint\?$/) }],
        },
      ]);
    });
  });

  describe('another root key', () => {
    it('names the secrets it cannot open and carries none of them on', async () => {
      await (await manage()).set('kms_vault', 'default', VAULT, BY);
      const config = await manage({}, { rootKey: Buffer.alloc(32, 8) });
      expect(await config.validateAllConfigs()).toEqual([
        {
          subsystem: 'kms_vault',
          target: 'default',
          problems: [{ field: 'token', message: 'cannot be opened with this root key; set it again' }],
        },
      ]);
      for (const work of [
        config.set('kms_vault', 'default', { key_name: 'k2' }, BY),
        config.rollback('kms_vault', 'default', 1, BY),
        config.test('kms_vault', 'default'),
      ]) {
        expect(await failure(work)).toMatchObject({ kind: 'config-invalid', problems: [{ field: 'token' }] });
      }
      await config.set('kms_vault', 'default', { token: 's.again' }, BY);
      expect(await config.validateAllConfigs()).toEqual([]);
    });
  });

  describe('several processes', () => {
    it('tells present documents first, then every change made anywhere', async () => {
      const config = await manage();
      await config.set('kms_vault', 'default', VAULT, BY);
      const other = await manage({}, { database: await testDatabase.another() });
      const seen: (number | undefined)[] = [];
      const gone = new Promise<void>((resolve, reject) => {
        other
          .subscribe('kms_vault', (_subsystem, _target, applied) => {
            seen.push(applied?.version);
            if (applied === undefined) {
              resolve();
            }
          })
          .catch(reject);
      });
      const changed = told(other, (applied) => applied?.values['key_name'] === 'k2');
      await config.set('kms_vault', 'default', { key_name: 'k2' }, BY);
      expect(await changed).toMatchObject({ version: 2, values: { token: 's.first-secret' } });
      await config.delete('kms_vault', 'default', BY);
      await gone;
      expect(seen).toEqual([1, 2, undefined]);
    });

    it('resolves a change only after the listeners here have run, one at a time', async () => {
      const config = await manage();
      let running = 0;
      let together = 0;
      let ended = 0;
      const listener = async (): Promise<void> => {
        together = Math.max(together, ++running);
        await testDatabase.database.dataSource.query('SELECT 1');
        running--;
        ended++;
      };
      await config.subscribe('kms_vault', listener);
      await config.subscribe('kms_vault', listener);
      await Promise.all([config.set('kms_vault', 'default', VAULT, BY), config.set('kms_vault', 'eu', VAULT, BY)]);
      expect({ ended, together }).toEqual({ ended: 4, together: 1 });
      expect(config.appliedVersion).toBe(2);
    });

    it('goes on when a listener fails, and stops telling after an unsubscribe', async () => {
      const config = await manage();
      const seen: string[] = [];
      const unsubscribe = await config.subscribe('kms_vault', () => {
        throw new Error('broken listener');
      });
      await config.subscribe('kms_vault', (_subsystem, target) => void seen.push(target));
      await config.set('kms_vault', 'default', VAULT, BY);
      unsubscribe();
      await config.set('kms_vault', 'eu', VAULT, BY);
      expect(seen).toEqual(['default', 'eu']);
    });

    it('heals a lost notification when the connection comes back', async () => {
      // Intervals stand still, so that the poll cannot be what heals.
      jest.useFakeTimers({ now: Date.now(), doNotFake: ALL_BUT_INTERVALS });
      try {
        const config = await manage({}, { database: await testDatabase.another() });
        const changed = told(config, (applied) => applied?.version === 1);
        // The listener is cut off in the same transaction that makes a change without announcing it.
        await testDatabase.database.dataSource.transaction(async (manager) => {
          await manager.query(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND query LIKE 'LISTEN%'",
          );
          await manager.query('UPDATE config_state SET version = 1');
          await manager.query(
            `INSERT INTO config_document VALUES ('kms_vault', 'default', 1, '{"endpoint":"https://quiet"}', now(), 'eve')`,
          );
        });
        expect(await changed).toMatchObject({ values: { endpoint: 'https://quiet' } });
      } finally {
        jest.useRealTimers();
      }
    });

    it('heals a change that was never announced by its poll', async () => {
      jest.useFakeTimers({ now: Date.now(), doNotFake: ALL_BUT_INTERVALS });
      try {
        const config = await manage();
        const changed = told(config, (applied) => applied?.version === 1);
        await testDatabase.database.dataSource.query(
          `WITH counted AS (UPDATE config_state SET version = 1)
           INSERT INTO config_document VALUES ('kms_vault', 'default', 1, '{"endpoint":"https://quiet"}', now(), 'eve')`,
        );
        jest.advanceTimersByTime(10_000);
        expect(await changed).toMatchObject({ values: { endpoint: 'https://quiet' } });
        expect(config.appliedVersion).toBeLessThanOrEqual(1);
      } finally {
        jest.useRealTimers();
      }
    });
  });
});

const ALL_BUT_INTERVALS: Parameters<typeof jest.useFakeTimers>[0] extends infer Options
  ? NonNullable<Extract<Options, { doNotFake?: unknown }>['doNotFake']>
  : never = [
  'Date',
  'hrtime',
  'nextTick',
  'performance',
  'queueMicrotask',
  'setImmediate',
  'clearImmediate',
  'setTimeout',
  'clearTimeout',
];
