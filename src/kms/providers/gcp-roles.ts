/** Permissions that encrypting and reading objects needs, all in {@link OBJECTS_ROLE}. */
export const REQUIRED_PERMISSIONS = [
  'cloudkms.cryptoKeyVersions.useToEncrypt',
  'cloudkms.cryptoKeyVersions.useToDecrypt',
] as const;

/** Permissions on a key that only looking at it and administering it from here needs. */
export const ADMINISTRATION_PERMISSIONS = [
  'cloudkms.cryptoKeys.get',
  'cloudkms.cryptoKeys.update',
  'cloudkms.cryptoKeyVersions.get',
  'cloudkms.cryptoKeyVersions.list',
  'cloudkms.cryptoKeyVersions.create',
  'cloudkms.cryptoKeyVersions.update',
  'cloudkms.cryptoKeyVersions.destroy',
  'cloudkms.cryptoKeyVersions.restore',
] as const;

/** Permissions on the key ring, for the same. */
export const RING_PERMISSIONS = ['cloudkms.cryptoKeys.list', 'cloudkms.cryptoKeys.create'] as const;

const OBJECTS_ROLE = 'roles/cloudkms.cryptoKeyEncrypterDecrypter';

/**
 * What to do when permission is missing.
 * @param key full resource name of the key
 */
export function gcpRoleRemedy(key: string): string {
  const [, project, location, ring, name] =
    /^projects\/([^/]+)\/locations\/([^/]+)\/keyRings\/([^/]+)\/cryptoKeys\/([^/]+)$/.exec(key) ?? [];
  return (
    `Grant the role ${OBJECTS_ROLE} on the key:\n` +
    `gcloud kms keys add-iam-policy-binding ${name} --keyring ${ring} --location ${location} --project ${project} ` +
    `--member serviceAccount:ACCOUNT --role ${OBJECTS_ROLE}\n` +
    'To look at keys from here add roles/cloudkms.viewer, to administer them roles/cloudkms.admin, on the key ring.'
  );
}
