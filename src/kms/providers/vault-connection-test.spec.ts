import { Logger } from '@nestjs/common';
import { startVaultServer, type FakeVault, type FakeVaultOptions } from '../../../test/fakes/vault-server';
import type { FieldValues } from '../../config/subsystem';
import type { ConnectionTestReport, ConnectionTestStep } from '../kms-provider';
import { vaultPolicy } from './vault-policy';
import { vaultSettings } from './vault-settings';
import { VaultProvider } from './vault.provider';

Logger.overrideLogger(false);

const STEPS = ['dns', 'tcp', 'tls', 'health', 'authentication', 'mount', 'key', 'permissions', 'round trip', 'clock'];

describe('Vault connection test', () => {
  let fake: FakeVault;

  afterEach(() => fake.close());

  async function start(options: FakeVaultOptions = {}): Promise<void> {
    fake = await startVaultServer(options);
    fake.createKey('key', { derived: true });
    fake.putPolicy('exact', {
      'transit/keys/key': ['read'],
      'transit/datakey/plaintext/key': ['update'],
      'transit/decrypt/key': ['update'],
      'transit/rewrap/key': ['update'],
      'transit/keys/key/rotate': ['update'],
      'transit/keys': ['list'],
      'transit/keys/+': ['read', 'update'],
    });
  }

  async function run(values: FieldValues = {}): Promise<ConnectionTestReport> {
    const token = fake.createToken({ policies: ['default', 'exact'] });
    const provider = new VaultProvider(
      'vault:test',
      vaultSettings({ endpoint: fake.url, key_name: 'key', token, ...values }),
    );
    try {
      return await provider.testConnection({ signal: AbortSignal.timeout(10_000) });
    } finally {
      await provider.destroy();
    }
  }

  /** The failed step, after making sure that those before it did not fail and those after it were skipped. */
  function failedStep(report: ConnectionTestReport, name: string): ConnectionTestStep {
    expect(report.ok).toBe(false);
    expect(report.steps.map((step) => step.name)).toEqual(STEPS);
    const at = STEPS.indexOf(name);
    expect(report.steps.slice(0, at).filter(({ outcome }) => outcome === 'failed')).toEqual([]);
    expect(report.steps.slice(at + 1).every(({ outcome }) => outcome === 'skipped')).toBe(true);
    const step = report.steps[at] as ConnectionTestStep;
    expect(step).toMatchObject({ outcome: 'failed', remedy: expect.any(String) });
    return step;
  }

  it('goes all the way with exactly the permissions of its own policy', async () => {
    await start();
    const report = await run();
    expect(report.ok).toBe(true);
    expect(report.steps.map(({ name, outcome }) => `${name} ${outcome}`)).toEqual([
      'dns passed',
      'tcp passed',
      'tls skipped',
      'health passed',
      'authentication passed',
      'mount passed',
      'key passed',
      'permissions passed',
      'round trip passed',
      'clock passed',
    ]);
    expect(report.milliseconds).toBeGreaterThanOrEqual(
      Math.max(...report.steps.map(({ milliseconds }) => milliseconds)),
    );
  });

  it('stops at a host that does not exist', async () => {
    await start();
    failedStep(await run({ endpoint: 'http://no-such-host.invalid:8200' }), 'dns');
  });

  it('stops at a port nobody listens on', async () => {
    await start();
    const gone = await startVaultServer();
    await gone.close();
    expect(failedStep(await run({ endpoint: gone.url }), 'tcp').detail).toContain('ECONNREFUSED');
  });

  it('stops at a server that does not speak TLS', async () => {
    await start();
    failedStep(await run({ endpoint: fake.url.replace('http:', 'https:') }), 'tls');
  });

  it('stops at a sealed Vault', async () => {
    await start();
    fake.seal();
    expect(failedStep(await run(), 'health').remedy).toContain('unseal');
  });

  it('stops at something that is no Vault', async () => {
    await start();
    fake.inject({ action: { type: 'answer', status: 200, text: '<html></html>' } });
    expect(failedStep(await run(), 'health').remedy).toContain('endpoint');
  });

  it('ends a step that hangs at the time limit', async () => {
    await start();
    fake.inject({ action: { type: 'hang' }, path: /sys\/health/ });
    expect(failedStep(await run({ timeout: '100ms' }), 'health').detail).toContain('in time');
  });

  it('stops at a token that is not accepted', async () => {
    await start();
    expect(failedStep(await run({ token: 'hvs.unknown' }), 'authentication').detail).not.toContain('hvs.unknown');
  });

  it('stops at AppRole credentials that are not accepted', async () => {
    await start();
    const { roleId } = fake.createRole();
    const step = failedStep(
      await run({ token: '', auth_approle_id: roleId, auth_approle_secret: 'wrong' }),
      'authentication',
    );
    expect(step).toMatchObject({
      detail: expect.stringContaining('invalid role or secret ID'),
      remedy: expect.stringContaining('secret id'),
    });
  });

  it('stops at a mount of another kind', async () => {
    await start();
    expect(failedStep(await run({ mount_path: 'secret', token: fake.rootToken }), 'mount').detail).toContain('type kv');
  });

  it('stops at a mount that is not there', async () => {
    await start();
    const step = failedStep(await run({ mount_path: 'elsewhere', token: fake.rootToken }), 'key');
    expect(step.remedy).toContain('vault secrets enable');
  });

  it('stops at a key that is not there, and says how to make it', async () => {
    await start();
    const step = failedStep(await run({ key_name: 'missing', token: fake.rootToken }), 'key');
    expect(step.remedy).toContain('vault write transit/keys/missing');
  });

  it('makes the key where that is allowed', async () => {
    await start();
    const report = await run({ key_name: 'made', token: fake.rootToken, create_key: true });
    expect(report.ok).toBe(true);
    expect(fake.keyNames()).toContain('made');
  });

  it('stops at a key that cannot bind a context', async () => {
    await start();
    fake.createKey('rsa', { type: 'rsa-4096' });
    expect(failedStep(await run({ key_name: 'rsa', token: fake.rootToken }), 'key').remedy).toContain('aes256-gcm96');
  });

  it('names the permission that is missing, with the policy that grants it', async () => {
    await start();
    fake.putPolicy('exact', { 'transit/keys/key': ['read'], 'transit/datakey/plaintext/key': ['update'] });
    const step = failedStep(await run(), 'permissions');
    expect(step.detail).toContain('update on transit/decrypt/key');
    expect(step.remedy).toContain('path "transit/decrypt/key" {\n  capabilities = ["update"]\n}');
  });

  it('only warns of what objects do not need', async () => {
    await start();
    fake.putPolicy('exact', {
      'transit/keys/key': ['read'],
      'transit/datakey/plaintext/key': ['update'],
      'transit/decrypt/key': ['update'],
    });
    const report = await run();
    expect(report.ok).toBe(true);
    expect(report.steps.find(({ name }) => name === 'permissions')).toMatchObject({
      outcome: 'warning',
      detail:
        'The token lacks update on transit/rewrap/key (to rewrap data keys inside Vault), ' +
        'update on transit/keys/key/rotate (to rotate the key from here), list on transit/keys (to list keys), ' +
        'read and update on transit/keys/+ (to create and describe other keys from here); ' +
        'objects can be encrypted and read',
    });
  });

  it('fails the round trip of a Vault that does not bind the context', async () => {
    await start();
    fake.createKey('old', { derived: false });
    const real = await run({ key_name: 'old', token: fake.rootToken });
    expect(real.ok).toBe(true);
    // Vault before 1.9 ignores associated_data; here the same key answers any context with the same data key.
    const plaintext = Buffer.alloc(32, 5).toString('base64');
    fake.inject({
      action: { type: 'answer', status: 200, text: JSON.stringify({ data: { plaintext } }) },
      path: /decrypt/,
    });
    failedStep(await run({ key_name: 'old', token: fake.rootToken }), 'round trip');
  });

  it('warns of a clock that is wrong', async () => {
    await start();
    fake.setClockError(120_000);
    const report = await run();
    expect(report.ok).toBe(true);
    expect(report.steps.at(-1)).toMatchObject({ name: 'clock', outcome: 'warning' });
  });

  it('spells the policy in HCL', () => {
    expect(vaultPolicy({ mountPath: 'kms', keyName: 'k', createKey: true })).toContain(
      'path "kms/keys/k" {\n  capabilities = ["read", "update"]\n}',
    );
  });
});
