import { callPolicy, type ProviderKind } from '../provider-kind';
import { VAULT_FIELDS, validateVaultSettings, vaultSettings } from './vault-settings';
import { VaultProvider } from './vault.provider';

/** `kms_vault`: HashiCorp Vault or OpenBao through the transit secrets engine. */
export const VAULT_KIND: ProviderKind = {
  subsystem: 'kms_vault',
  type: 'vault',
  description: 'HashiCorp Vault or OpenBao through the transit secrets engine',
  multipleTargets: true,
  fields: VAULT_FIELDS,
  validate: validateVaultSettings,
  create: (kms, values) => new VaultProvider(kms, vaultSettings(values)),
  policy: (values) => callPolicy(vaultSettings(values)),
};
