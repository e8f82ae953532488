import type { MissingPermission } from './permission-findings';

/** A permission of Google's, and whether it is asked for on the key or on its key ring. */
interface GcpPermission extends MissingPermission {
  readonly on: 'key' | 'ring';
}

const onKey = (name: string, purpose: string, required = false): GcpPermission => ({
  name: `cloudkms.${name}`,
  purpose,
  required,
  on: 'key',
});

/** Everything that may be asked of Cloud KMS; {@link OBJECTS_ROLE} has what is required. */
export const PERMISSIONS: readonly GcpPermission[] = [
  onKey('cryptoKeyVersions.useToEncrypt', 'wrap data keys', true),
  onKey('cryptoKeyVersions.useToDecrypt', 'unwrap data keys', true),
  onKey('cryptoKeys.get', 'describe the key'),
  onKey('cryptoKeys.update', 'make a new version the one that wraps'),
  onKey('cryptoKeyVersions.get', 'see when a new version is ready'),
  onKey('cryptoKeyVersions.list', 'enable, disable and delete keys from here'),
  onKey('cryptoKeyVersions.create', 'rotate keys from here'),
  onKey('cryptoKeyVersions.update', 'enable and disable keys from here'),
  onKey('cryptoKeyVersions.destroy', 'schedule deletions from here'),
  onKey('cryptoKeyVersions.restore', 'cancel deletions from here'),
  { name: 'cloudkms.cryptoKeys.list', purpose: 'list keys', required: false, on: 'ring' },
  { name: 'cloudkms.cryptoKeys.create', purpose: 'create keys from here', required: false, on: 'ring' },
];

/** Names of those that encrypting and reading objects needs. */
export const REQUIRED_PERMISSIONS: readonly string[] = PERMISSIONS.filter(({ required }) => required).map(
  ({ name }) => name,
);

/** Names of the permissions to ask for on a resource of that kind. */
export function permissionsOn(kind: GcpPermission['on']): string[] {
  return PERMISSIONS.filter(({ on }) => on === kind).map(({ name }) => name);
}

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
