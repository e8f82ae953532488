import { randomBytes } from 'node:crypto';
import { register } from 'prom-client';
import { startKesServer } from '../../test/fakes/kes-server';
import { startVaultServer, type FakeVault } from '../../test/fakes/vault-server';
import { eventually } from '../../test/support/eventually';
import { type RewrapApp, startRewrapApp } from '../../test/support/rewrap-app';
import { testCertificate } from '../../test/support/test-certificate';
import { KeyWrapsRepository } from '../kms/key-wraps.repository';
import { KmsService } from '../kms/kms.service';
import { kesIdentity } from '../kms/providers/kes-api-key';
import { Clock } from './clock';
import { KeyRotator } from './key-rotator.service';
import { RotationLease } from './rotation-lease.repository';
import { RotationModule } from './rotation.module';
import { MOST_WRAPS, type RotationRule } from './rotation-policy';
import { RotationPolicies } from './rotation-policy.repository';
import { RotationScheduler } from './rotation-scheduler.service';
import { RotationService, type RotationReadout } from './rotation.service';
import { RotationStates } from './rotation-state.repository';

const DAY = 86_400_000;
const API_KEY = `kes:v1:${Buffer.concat([Buffer.of(0), randomBytes(32)]).toString('base64')}`;

describe('rotation by policy', () => {
  let app: RewrapApp;
  let vault: FakeVault;
  let kms: KmsService;
  let policies: RotationPolicies;
  let states: RotationStates;
  let scheduler: RotationScheduler;
  let clock: Clock;
  /** Days that have passed since the test began. */
  let passed = 0;

  const get = <T>(type: abstract new (...given: never[]) => T): T => app.module.get<T>(type, { strict: false });
  const rule = (more: Partial<RotationRule>): RotationRule => ({ automatic: true, rewrap: false, ...more });
  const versionOf = async (reference: string): Promise<string | undefined> =>
    (await kms.describeKey(reference)).latestVersion;
  const sql = (text: string): Promise<unknown> => app.database.database.dataSource.query(text);
  /** Has the scheduler do its next round, whatever the time of the database is. */
  const round = async (by = scheduler): Promise<void> => {
    await sql('UPDATE kms_rotation_lease SET next_round_at = clock_timestamp()');
    await by.tick();
  };
  const readout = async (reference: string): Promise<RotationReadout | undefined> => {
    const key = await kms.describeKey(reference);
    return (await get(RotationService).readouts(key.kms, [key])).get(key.keyId);
  };
  const dueMetric = async (): Promise<unknown> =>
    ((await register.getSingleMetric('strongroom_kms_key_rotation_due')?.get())?.values ?? []).map(
      ({ labels, value }) => ({ ...labels, value }),
    );

  beforeAll(async () => {
    vault = await startVaultServer();
    vault.createKey('objects');
    app = await startRewrapApp([RotationModule]);
    await app.useVault('main', vault, { max_retries: 0 });
    await app.buckets.create('bucket', 'owner');
    kms = get(KmsService);
    policies = get(RotationPolicies);
    states = get(RotationStates);
    scheduler = get(RotationScheduler);
    clock = get(Clock);
    const real = (): Date => new Date(Date.now() + passed * DAY);
    jest.spyOn(clock, 'now').mockImplementation(real);
  });
  afterAll(async () => {
    await app.close();
    await vault.close();
  });
  beforeEach(() => (passed = 0));
  afterEach(async () => {
    await sql('TRUNCATE kms_rotation_policy, kms_key_rotation, kms_key_wraps');
    await sql('UPDATE kms_rotation_lease SET holder = NULL, lease_until = NULL');
  });

  it('rotates a key when it is old enough, not before, and has its objects rewrapped', async () => {
    vault.createKey('aging');
    await policies.put('vault:main', 'aging', rule({ maxAgeDays: 30, rewrap: true }), 'test');
    await app.put('bucket', 'old', 'content', { encryption: { mode: 'sse-kms', keyId: 'vault:main/aging' } });
    passed = 29;
    await round();
    expect(await versionOf('vault:main/aging')).toBe('1');
    expect(await readout('vault:main/aging')).toMatchObject({ due: false, reason: 'never-rotated', wraps: 1_001 });
    passed = 31;
    await round();
    expect(await versionOf('vault:main/aging')).toBe('2');
    const state = (await states.find('vault:main', ['aging'])).get('aging');
    expect(state).toMatchObject({ stage: 'idle', version: '2', dueReason: undefined, lastError: undefined });
    await eventually(async () => expect((await app.rewrap.get(String(state?.rewrapJob))).state).toBe('completed'));
    const usage = await app.usage.usageOf('vault:main', 'aging');
    expect(usage.versions.map(({ keyVersion, objects }) => [keyVersion, objects])).toEqual([['2', 1]]);
    expect(await app.read('bucket', 'old')).toBe('content');
    await round();
    expect(await versionOf('vault:main/aging')).toBe('2');
  });

  it('rotates a key when it has wrapped enough, and counts anew for its next version', async () => {
    await kms.createKey('builtin:default/busy');
    await policies.put('builtin:default', 'busy', rule({ maxWraps: 10_000 }), 'test');
    const wraps = get(KeyWrapsRepository);
    await wraps.add('builtin:default', 'busy', '1', 9_999);
    await round();
    expect(await versionOf('builtin:default/busy')).toBe('1');
    await wraps.add('builtin:default', 'busy', '1', 1);
    await round();
    expect(await versionOf('builtin:default/busy')).toBe('2');
    expect(await readout('builtin:default/busy')).toMatchObject({ due: false, wraps: 0 });
  });

  it('takes the policy of the KMS for keys without one, and only reports where that is wanted', async () => {
    for (const name of ['many-1', 'many-2', 'many-3', 'many-4']) {
      await kms.createKey(`builtin:default/${name}`);
    }
    await kms.setKeyEnabled('builtin:default/many-4', false);
    await policies.put('builtin:default', undefined, rule({ maxAgeDays: 10 }), 'test');
    await policies.put('builtin:default', 'many-2', rule({ maxAgeDays: 90 }), 'test');
    await policies.put('builtin:default', 'many-3', rule({ maxAgeDays: 10, automatic: false }), 'test');
    passed = 11;
    await round();
    const versions = ['many-1', 'many-2', 'many-3', 'many-4'].map((name) => versionOf(`builtin:default/${name}`));
    expect(await Promise.all(versions)).toEqual(['2', '1', '1', '1']);
    expect(await dueMetric()).toEqual([{ provider: 'builtin', target: 'default', reason: 'never-rotated', value: 1 }]);
    await policies.remove('builtin:default', 'many-3');
    await policies.remove('builtin:default');
    passed = 12;
    await round();
    expect(await dueMetric()).toEqual([]);
  });

  it('reports keys of a KMS that cannot rotate, and every key at the bound of AES-GCM', async () => {
    const kes = await startKesServer({ ...(await testCertificate()), admin: kesIdentity(API_KEY).identity });
    kes.createKey('still');
    await app.config.set(
      'kms_kes',
      'away',
      { endpoint: kes.url, key_name: 'still', api_key: API_KEY, tls_skip_verify: true, enabled: true },
      { changedBy: 'test' },
    );
    await kms.createKey('builtin:default/worn');
    await get(KeyWrapsRepository).add('builtin:default', 'worn', '1', MOST_WRAPS);
    await policies.put('kes:away', 'still', rule({ maxAgeDays: 30 }), 'test');
    passed = 31;
    await round();
    expect(await dueMetric()).toEqual(
      expect.arrayContaining([
        { provider: 'kes', target: 'away', reason: 'never-rotated', value: 1 },
        { provider: 'builtin', target: 'default', reason: 'wraps', value: 1 },
      ]),
    );
    expect(await versionOf('builtin:default/worn')).toBe('1');
    expect(await readout('builtin:default/worn')).toMatchObject({ due: true, reason: 'wraps', policy: undefined });
    await app.config.delete('kms_kes', 'away', { changedBy: 'test' });
    await kes.close();
  });

  it('goes on where a process died, and never rotates twice for one reason', async () => {
    vault.createKey('crashed');
    const begun = { kms: 'vault:main', keyId: 'crashed', reason: 'age' as const, fromVersion: '1', rewrap: true };
    await states.look('vault:main', 'crashed', 'age', clock.now());
    await states.begin(begun);
    await round();
    expect(await versionOf('vault:main/crashed')).toBe('2');
    await states.begin(begun);
    await round();
    expect(await versionOf('vault:main/crashed')).toBe('2');
    const { stage, rewrapJob } = (await states.find('vault:main', ['crashed'])).get('crashed') ?? {};
    expect(stage).toBe('idle');
    await states.rotated('vault:main', 'crashed', '2', clock.now(), true);
    await round();
    const after = (await states.find('vault:main', ['crashed'])).get('crashed');
    expect(after?.stage).toBe('idle');
    expect(after?.rewrapJob).not.toBe(rewrapJob);
  });

  it('makes no version that the configuration would not let be used, and says so', async () => {
    vault.createKey('pinned');
    await app.useVault('pinned', vault, { key_name: 'pinned', key_version: 1 });
    vault.rotateKey('pinned');
    await get(KeyWrapsRepository).add('vault:pinned', 'pinned', '1', 10_000);
    await policies.put('vault:pinned', 'pinned', rule({ maxWraps: 10_000, rewrap: true }), 'test');
    expect(await readout('vault:pinned/pinned')).toMatchObject({ due: true, reason: 'wraps', wraps: 10_000 });
    await round();
    expect(await kms.describeKey('vault:pinned/pinned')).toMatchObject({ latestVersion: '2', wrappingVersion: '1' });
    const state = (await states.find('vault:pinned', ['pinned'])).get('pinned');
    expect(state).toMatchObject({
      stage: 'idle',
      dueReason: 'wraps',
      lastError: expect.stringContaining('one version'),
    });
    expect(state?.rewrapJob).toBeUndefined();
  });

  it('tries again later when the KMS is away or refuses, ever less often', async () => {
    vault.createKey('unlucky');
    await policies.put('vault:main', 'unlucky', rule({ maxAgeDays: 30 }), 'test');
    passed = 31;
    const rotate = jest.spyOn(kms, 'rotateKey');
    rotate.mockRejectedValueOnce(Object.assign(new Error('gone'), { retryable: true }));
    await round();
    const failed = (await states.find('vault:main', ['unlucky'])).get('unlucky');
    expect(failed).toMatchObject({ stage: 'rotating', attempts: 1, lastError: 'gone', dueReason: 'never-rotated' });
    await round();
    expect(rotate).toHaveBeenCalledTimes(1);
    passed += 0.01;
    await round();
    expect(rotate).toHaveBeenCalledTimes(2);
    expect(await versionOf('vault:main/unlucky')).toBe('2');
    expect((await states.find('vault:main', ['unlucky'])).get('unlucky')).toMatchObject({ stage: 'idle', attempts: 0 });
    rotate.mockRestore();
    vault.seal();
    await expect(round()).resolves.toBeUndefined();
    vault.unseal();
  });

  it('has one process at a time look, and another take over from one that died', async () => {
    const lease = get(RotationLease);
    const others = [0, 1].map(
      () =>
        new RotationScheduler(
          lease,
          kms,
          policies,
          states,
          get(KeyWrapsRepository),
          get(RotationService),
          get(KeyRotator),
          clock,
        ),
    );
    const looks = jest.spyOn(states, 'unfinished');
    await sql('UPDATE kms_rotation_lease SET next_round_at = clock_timestamp()');
    await Promise.all([scheduler, ...others].map((each) => each.tick()));
    expect(looks).toHaveBeenCalledTimes(1);
    await scheduler.tick();
    expect(looks).toHaveBeenCalledTimes(1);
    await sql('UPDATE kms_rotation_lease SET next_round_at = clock_timestamp()');
    expect(await lease.take('dead', 600)).toBe(true);
    await scheduler.tick();
    expect(looks).toHaveBeenCalledTimes(1);
    await sql(`UPDATE kms_rotation_lease SET lease_until = clock_timestamp() - interval '1 second'`);
    await scheduler.tick();
    expect(looks).toHaveBeenCalledTimes(2);
    expect(await lease.renew('dead', 600)).toBe(false);
    looks.mockRestore();
  });
});
