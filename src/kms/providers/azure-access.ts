/** What encrypting and reading objects needs, as vault access policies call it. */
const REQUIRED_PERMISSIONS = 'Get, Wrap Key, Unwrap Key';

/** What only the administration of keys from here needs. */
const ADMINISTRATION_PERMISSIONS = 'List, Create, Update, Rotate, Delete, Recover';

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
  return (
    'Assign the identity the role "Key Vault Crypto User" on the vault or key; administering keys from here needs "Key ' +
    'Vault Crypto Officer". In a vault with access policies, grant the key permissions ' +
    `${REQUIRED_PERMISSIONS}, and ${ADMINISTRATION_PERMISSIONS} for administration.`
  );
}
