import { randomUUID } from 'node:crypto';
import { vaultKvSettings } from '../../src/kms/providers/vault-kv-settings';
import { VaultKvProvider } from '../../src/kms/providers/vault-kv.provider';
import { startRustyVaultServer } from '../fakes/rustyvault-server';
import { startVaultServer } from '../fakes/vault-server';
import { describeKmsProvider } from './kms-provider.contract';
import { pinnedCapabilities } from './provider-pins';

const CAPABILITIES = pinnedCapabilities('vault_kv');
const DEFAULTS = { key_name: 'default-key', create_key: true };

describeKmsProvider('Vault KV version 2, AppRole with a policy', CAPABILITIES, async () => {
  const fake = await startVaultServer({ kv: { secret: '2' } });
  fake.putPolicy('keys', {
    'secret/data/strongroom/keys/*': ['read', 'create', 'update'],
    'secret/metadata/strongroom/keys/': ['list'],
    'secret/metadata/strongroom/keys/*': ['list', 'delete'],
  });
  const { roleId, secretId } = fake.createRole({ policies: ['default', 'keys'] });
  const values = { ...DEFAULTS, endpoint: fake.url, auth_approle_id: roleId, auth_approle_secret: secretId };
  return { provider: new VaultKvProvider('vault_kv:contract', vaultKvSettings(values)), dispose: () => fake.close() };
});

describeKmsProvider('Vault KV version 1, a mount and prefix of its own', CAPABILITIES, async () => {
  const fake = await startVaultServer({ kv: { 'team/kv': '1' } });
  const places = { mount_path: 'team/kv', key_prefix: 'objects' };
  const values = { ...DEFAULTS, ...places, endpoint: fake.url, token: fake.rootToken };
  return { provider: new VaultKvProvider('vault_kv:contract', vaultKvSettings(values)), dispose: () => fake.close() };
});

describeKmsProvider('RustyVault, AppRole', CAPABILITIES, async () => {
  const fake = await startRustyVaultServer();
  const { roleId, secretId } = fake.createRole(3600);
  const values = { ...DEFAULTS, endpoint: fake.url, auth_approle_id: roleId, auth_approle_secret: secretId };
  return { provider: new VaultKvProvider('vault_kv:contract', vaultKvSettings(values)), dispose: () => fake.close() };
});

// The same suite on a real server: VAULT_ADDR, VAULT_TOKEN and VAULT_KV_MOUNTS, the mounts of KV engines separated by commas.
const { VAULT_ADDR: endpoint, VAULT_TOKEN: token, VAULT_KV_MOUNTS: mounts } = process.env;

if (endpoint !== undefined && token !== undefined && mounts !== undefined) {
  for (const mount of mounts.split(',')) {
    const values = { ...DEFAULTS, endpoint, token, mount_path: mount, key_prefix: `contract/${randomUUID()}` };
    describeKmsProvider(`real KV engine at ${mount}`, CAPABILITIES, () =>
      Promise.resolve({
        provider: new VaultKvProvider('vault_kv:live', vaultKvSettings(values)),
        dispose: () => Promise.resolve(),
      }),
    );
  }
} else {
  describe('KMS provider contract: real KV engine', () => {
    it.skip('NOT RUN: set VAULT_ADDR, VAULT_TOKEN and VAULT_KV_MOUNTS to run the same suite against a real server', () =>
      undefined);
  });
}
