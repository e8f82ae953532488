import type { VaultSettings } from './vault-settings';

type PolicySettings = Pick<VaultSettings, 'mountPath' | 'keyName' | 'createKey'>;

/** A path of the Vault API with the capabilities the token needs there. */
export interface NeededCapability {
  readonly path: string;
  readonly capabilities: readonly string[];
  /** What fails without it. */
  readonly purpose: string;
  /** Whether objects cannot be encrypted and read without it. */
  readonly required: boolean;
}

/**
 * Everything a token may need to do.
 * @param wraps the endpoint that wraps data keys; both are granted while it is not known which one the key calls for
 */
export function neededCapabilities(
  { mountPath, keyName, createKey }: PolicySettings,
  wraps: 'datakey' | 'encrypt' | 'either' = 'either',
): NeededCapability[] {
  const key = `${mountPath}/keys/${keyName}`;
  return [
    { path: key, capabilities: createKey ? ['read', 'update'] : ['read'], purpose: 'describe the key', required: true },
    {
      path: `${mountPath}/datakey/plaintext/${keyName}`,
      capabilities: ['update'],
      purpose: 'make data keys',
      required: wraps === 'datakey',
    },
    {
      path: `${mountPath}/encrypt/${keyName}`,
      capabilities: ['update'],
      purpose: 'wrap data keys',
      required: wraps === 'encrypt',
    },
    { path: `${mountPath}/decrypt/${keyName}`, capabilities: ['update'], purpose: 'unwrap data keys', required: true },
    {
      path: `${mountPath}/rewrap/${keyName}`,
      capabilities: ['update'],
      purpose: 'rewrap data keys inside Vault',
      required: false,
    },
    { path: `${key}/rotate`, capabilities: ['update'], purpose: 'rotate the key from here', required: false },
    { path: `${mountPath}/keys`, capabilities: ['list'], purpose: 'list keys', required: false },
    {
      path: `${mountPath}/keys/+`,
      capabilities: ['read', 'update'],
      purpose: 'create and describe other keys from here',
      required: false,
    },
  ];
}

/** The Vault policy, in HCL, that grants exactly what is needed. */
export function vaultPolicy(settings: PolicySettings): string {
  return neededCapabilities(settings)
    .map(
      ({ path, capabilities }) =>
        `path "${path}" {\n  capabilities = [${capabilities.map((name) => `"${name}"`).join(', ')}]\n}`,
    )
    .join('\n');
}

/** What to do when permission to delete a key is missing. It is no part of the policy, for few stores need it. */
export function vaultDeletionRemedy({ mountPath }: Pick<PolicySettings, 'mountPath'>, keyName: string): string {
  const key = `${mountPath}/keys/${keyName}`;
  return (
    'Add this to the policy of the token or role:\n' +
    `path "${key}" {\n  capabilities = ["read", "delete"]\n}\npath "${key}/config" {\n  capabilities = ["update"]\n}`
  );
}

/** What to do when permission is missing. */
export function vaultPolicyRemedy(settings: PolicySettings): string {
  return `Attach a policy like this to the token or role:\n${vaultPolicy(settings)}`;
}
