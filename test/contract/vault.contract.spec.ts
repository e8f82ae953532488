import type { FieldValues } from '../../src/config/subsystem';
import { vaultSettings } from '../../src/kms/providers/vault-settings';
import { VaultProvider } from '../../src/kms/providers/vault.provider';
import { startVaultServer, type FakeVault, type FakeVaultOptions } from '../fakes/vault-server';
import { describeKmsProvider, type ContractSubject } from './kms-provider.contract';
import { pinnedCapabilities } from './provider-pins';

const CAPABILITIES = pinnedCapabilities('vault');

/** A provider whose created keys are plain ones, so that the suite covers binding by associated data. */
class PlainKeysProvider extends VaultProvider {
  constructor(
    private readonly fake: FakeVault,
    values: FieldValues,
  ) {
    super('vault:contract', vaultSettings(values));
  }

  override async createKey(
    ...[keyId, options]: Parameters<VaultProvider['createKey']>
  ): ReturnType<VaultProvider['createKey']> {
    if (!this.fake.keyNames().includes(keyId)) {
      this.fake.createKey(keyId, { derived: false });
      return this.describeKey(keyId, options);
    }
    return super.createKey(keyId, options);
  }
}

async function subject(
  options: FakeVaultOptions,
  derived: boolean,
  build: (fake: FakeVault) => VaultProvider,
): Promise<ContractSubject> {
  const fake = await startVaultServer(options);
  fake.createKey('default-key', { derived });
  return { provider: build(fake), rewraps: derived, dispose: () => fake.close() };
}

describeKmsProvider('Vault, derived keys, root token', CAPABILITIES, () =>
  subject({}, true, ({ url, rootToken }) => {
    return new VaultProvider(
      'vault:contract',
      vaultSettings({ endpoint: url, key_name: 'default-key', token: rootToken }),
    );
  }),
);

describeKmsProvider('Vault, keys without derivation', CAPABILITIES, () =>
  subject(
    {},
    false,
    (fake) => new PlainKeysProvider(fake, { endpoint: fake.url, key_name: 'default-key', token: fake.rootToken }),
  ),
);

describeKmsProvider('Vault, AppRole, namespace and a mount of its own', CAPABILITIES, () =>
  subject({ namespace: 'team-a', mounts: ['keys/objects'] }, true, (fake) => {
    fake.putPolicy('objects', { 'keys/objects/*': ['create', 'read', 'update', 'delete', 'list'] });
    const { roleId, secretId } = fake.createRole({ policies: ['default', 'objects'], ttl: 3600 });
    return new VaultProvider(
      'vault:contract',
      vaultSettings({
        endpoint: fake.url,
        key_name: 'default-key',
        mount_path: 'keys/objects',
        namespace: 'team-a',
        auth_approle_id: roleId,
        auth_approle_secret: secretId,
      }),
    );
  }),
);

// The same suite on a real server: VAULT_ADDR, VAULT_TOKEN (may use transit at VAULT_TRANSIT_MOUNT, `transit` unless set).
const {
  VAULT_ADDR: endpoint,
  VAULT_TOKEN: token,
  VAULT_NAMESPACE: namespace,
  VAULT_TRANSIT_MOUNT: mount,
} = process.env;

if (endpoint !== undefined && token !== undefined) {
  const values = { endpoint, token, namespace, mount_path: mount, key_name: 'strongroom-contract', create_key: true };
  describeKmsProvider('real Vault or OpenBao', CAPABILITIES, () =>
    Promise.resolve({
      provider: new VaultProvider('vault:live', vaultSettings(values)),
      dispose: () => Promise.resolve(),
    }),
  );
} else {
  describe('KMS provider contract: real Vault or OpenBao', () => {
    it.skip('NOT RUN: set VAULT_ADDR and VAULT_TOKEN to run the same suite against a real server', () => undefined);
  });
}
