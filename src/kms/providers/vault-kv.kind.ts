import { callPolicy, type ProviderKind } from '../provider-kind';
import { VAULT_KV_FIELDS, validateVaultKvSettings, vaultKvSettings } from './vault-kv-settings';
import { VaultKvProvider } from './vault-kv.provider';

/** `kms_vault_kv`: keys in the KV secrets engine of Vault, OpenBao or RustyVault. */
export const VAULT_KV_KIND: ProviderKind = {
  subsystem: 'kms_vault_kv',
  type: 'vault_kv',
  description:
    'Keys in the KV secrets engine of Vault, OpenBao or RustyVault; whoever may read the KV path owns the keys',
  multipleTargets: true,
  fields: VAULT_KV_FIELDS,
  validate: validateVaultKvSettings,
  create: (kms, values) => new VaultKvProvider(kms, vaultKvSettings(values)),
  policy: (values) => callPolicy(vaultKvSettings(values)),
};
