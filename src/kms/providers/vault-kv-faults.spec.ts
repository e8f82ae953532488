import { Logger } from '@nestjs/common';
import { startRustyVaultServer } from '../../../test/fakes/rustyvault-server';
import { startVaultServer, type FakeVault } from '../../../test/fakes/vault-server';
import type { FieldValues } from '../../config/subsystem';
import { validateVaultKvSettings, vaultKvSettings } from './vault-kv-settings';
import { VaultKvProvider } from './vault-kv.provider';

const CONTEXT = { bucket: 'bucket/key' };

Logger.overrideLogger(false);

describe('KV provider under faults', () => {
  let fake: FakeVault;
  const opened: VaultKvProvider[] = [];

  beforeEach(async () => {
    fake = await startVaultServer({ kv: { secret: '2', old: '1' } });
  });

  afterEach(async () => {
    await Promise.all(opened.splice(0).map((provider) => provider.destroy()));
    await fake.close();
  });

  function open(values: FieldValues = {}): VaultKvProvider {
    const defaults = { endpoint: fake.url, key_name: 'key', create_key: true };
    const token = 'auth_approle_id' in values ? {} : { token: fake.rootToken };
    const provider = new VaultKvProvider('vault_kv:test', vaultKvSettings({ ...defaults, ...token, ...values }));
    opened.push(provider);
    return provider;
  }

  const options = (milliseconds = 10_000): { signal: AbortSignal } => ({ signal: AbortSignal.timeout(milliseconds) });
  const makeKey = (provider: VaultKvProvider): ReturnType<VaultKvProvider['generateDataKey']> =>
    provider.generateDataKey('key', CONTEXT, options());
  const unwrap = (provider: VaultKvProvider, ciphertext: Buffer): Promise<Buffer> =>
    provider.decryptDataKey('key', ciphertext, CONTEXT, undefined, options());

  it('says in the connection test who owns the keys', async () => {
    const report = await open().testConnection(options());
    expect(report.ok).toBe(true);
    expect(report.steps.find(({ name }) => name === 'custody')).toMatchObject({
      outcome: 'warning',
      detail: expect.stringContaining('owns the keys'),
    });
  });

  it('asks Vault once, and wraps and unwraps by itself from then on', async () => {
    const provider = open();
    const { ciphertext, plaintext } = await makeKey(provider);
    fake.clearRequests();
    await makeKey(provider);
    expect(await unwrap(provider, ciphertext)).toEqual(plaintext);
    expect(fake.requests).toEqual([]);
  });

  it.each(['secret', 'old'])('keeps unwrapping at %s when two rotations happen at once', async (mount) => {
    const [one, two] = [open({ mount_path: mount }), open({ mount_path: mount })];
    await makeKey(one);
    await makeKey(two);
    const rotations = await Promise.allSettled([one.rotateKey('key', options()), two.rotateKey('key', options())]);
    const made = await Promise.all([one, two].map((provider) => makeKey(provider)));
    const fresh = open({ mount_path: mount });
    for (const { ciphertext, plaintext } of made) {
      expect(await unwrap(fresh, ciphertext)).toEqual(plaintext);
    }
    expect(rotations.some(({ status }) => status === 'fulfilled')).toBe(true);
  });

  it('refuses a data key whose material is gone', async () => {
    const { ciphertext } = await makeKey(open());
    const kv = fake.kv('secret');
    kv.paths()
      .filter((path) => /\/key\//.test(path))
      .forEach((path) => kv.remove(path));
    await expect(unwrap(open(), ciphertext)).rejects.toMatchObject({ kind: 'kms-invalid-ciphertext' });
  });

  it('makes no key unless told to', async () => {
    await expect(makeKey(open({ create_key: false }))).rejects.toMatchObject({ kind: 'kms-key-not-found' });
    expect(fake.kv('secret').paths()).toEqual([]);
  });

  it('tells a sealed, slow, failing or unreachable Vault apart', async () => {
    await makeKey(open());
    fake.seal();
    await expect(makeKey(open())).rejects.toMatchObject({ kind: 'kms-sealed' });
    await expect(open().probe(options())).rejects.toMatchObject({ kind: 'kms-sealed' });
    fake.unseal();
    fake.inject({ action: { type: 'status', status: 500 }, path: /data/, times: 1 });
    await expect(makeKey(open())).rejects.toMatchObject({ kind: 'kms-unavailable' });
    fake.inject({ action: { type: 'status', status: 429 }, path: /data/, times: 1 });
    await expect(makeKey(open())).rejects.toMatchObject({ kind: 'kms-throttled' });
    fake.inject({ action: { type: 'hang' }, path: /data/, times: 1 });
    await expect(open().generateDataKey('key', CONTEXT, options(200))).rejects.toMatchObject({ kind: 'kms-timeout' });
    await expect(open({ endpoint: 'http://127.0.0.1:1' }).probe(options())).rejects.toMatchObject({
      kind: 'kms-unavailable',
    });
  });

  it('names the policy that grants what is missing', async () => {
    const { roleId, secretId } = fake.createRole({ policies: ['default'] });
    const values = { auth_approle_id: roleId, auth_approle_secret: secretId, kv_version: '2' };
    await expect(makeKey(open(values))).rejects.toMatchObject({
      kind: 'kms-access-denied',
      remedy: expect.stringContaining('path "secret/data/strongroom/keys/*"'),
    });
  });

  it('refuses a mount that is no KV engine', async () => {
    const provider = open({ mount_path: 'transit' });
    await expect(makeKey(provider)).rejects.toMatchObject({ kind: 'kms-not-configured' });
    const report = await provider.testConnection(options());
    expect(report.steps.find(({ name }) => name === 'mount')).toMatchObject({ outcome: 'failed' });
  });

  it.each([
    ['key_name', { key_name: 'a/b' }],
    ['mount_path', { mount_path: 'sys' }],
    ['key_prefix', { key_prefix: '../other' }],
    ['kv_version', { kv_version: '3' }],
  ])('names %s as the problem of %j', async (field, values) => {
    const good = { endpoint: 'https://vault', key_name: 'key', token: 't' };
    expect(await validateVaultKvSettings(good)).toEqual([]);
    expect((await validateVaultKvSettings({ ...good, ...values })).map((problem) => problem.field)).toContain(field);
  });

  it('RustyVault: a refused login, a revoked token and a seal are what they are, HTTP 500 or not', async () => {
    const rusty = await startRustyVaultServer();
    const { roleId, secretId } = rusty.createRole(3600);
    const values = { endpoint: rusty.url, auth_approle_id: roleId };
    await expect(makeKey(open({ ...values, auth_approle_secret: 'wrong' }))).rejects.toMatchObject({
      kind: 'kms-unauthenticated',
    });
    const provider = open({ ...values, auth_approle_secret: secretId });
    await makeKey(provider);
    rusty.revokeAllTokens();
    await expect(provider.describeKey('key', options())).resolves.toMatchObject({ keyId: 'key' });
    rusty.seal();
    await expect(provider.describeKey('key', options())).rejects.toMatchObject({ kind: 'kms-sealed' });
    await rusty.close();
  });
});
