import type { MissingPermission } from './permission-findings';

/** What a vault or Managed HSM may permit, by the name that its access policies give it. */
const OPERATIONS = {
  Get: { action: 'read', hsmAction: 'read/action', purpose: 'find the newest version', required: true },
  'Wrap Key': { action: 'wrap/action', hsmAction: 'wrap/action', purpose: 'wrap data keys', required: true },
  'Unwrap Key': { action: 'unwrap/action', hsmAction: 'unwrap/action', purpose: 'unwrap data keys', required: true },
  List: { action: 'read', hsmAction: 'read/action', purpose: 'list keys', required: false },
} as const;

/** Cannot be tried without changing a key, and are needed only to administer keys from here. */
const CHANGES = ['Create', 'Update', 'Rotate', 'Delete', 'Recover'] as const;

export type AzureOperation = keyof typeof OPERATIONS;

/** A permission as roles and access policies call it. */
export function missingAzurePermission(operation: AzureOperation, managedHsm: boolean): MissingPermission {
  const { action, hsmAction, purpose, required } = OPERATIONS[operation];
  return managedHsm
    ? { name: `Microsoft.KeyVault/managedHsm/keys/${hsmAction}`, purpose, required }
    : { name: `Microsoft.KeyVault/vaults/keys/${action}, in access policies "${operation}"`, purpose, required };
}

/** What a connection test cannot try, with the role that has it. */
export function untoldAzurePermissions(managedHsm: boolean): string[] {
  const role = managedHsm ? 'Managed HSM Crypto Officer' : 'Key Vault Crypto Officer';
  return [`${CHANGES.join(', ')} (role "${role}", to administer keys from here)`];
}

/**
 * What to do when permission is missing.
 * @param managedHsm has roles of its own and no access policies
 */
export function azureAccessRemedy(managedHsm: boolean): string {
  if (managedHsm) {
    return (
      'Assign the identity the local role "Managed HSM Crypto User" on the key or on /keys; administering keys from here ' +
      'needs "Managed HSM Crypto Officer" as well.'
    );
  }
  const needed = Object.entries(OPERATIONS).filter(([, { required }]) => required);
  return (
    'Assign the identity the role "Key Vault Crypto User" on the vault or key; administering keys from here needs "Key ' +
    'Vault Crypto Officer". In a vault with access policies, grant the key permissions ' +
    `${needed.map(([operation]) => operation).join(', ')}, and ${['List', ...CHANGES].join(', ')} for administration.`
  );
}
