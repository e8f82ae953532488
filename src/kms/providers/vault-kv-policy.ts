import type { NeededCapability } from './vault-policy';
import type { KvVersion, VaultKvSettings } from './vault-kv-settings';

type PolicySettings = Pick<VaultKvSettings, 'mountPath' | 'keyPrefix' | 'kvVersion'>;

/** Everything a token may need to do in a KV engine of that version. */
export function neededKvCapabilities({ mountPath, keyPrefix }: PolicySettings, version: KvVersion): NeededCapability[] {
  const [data, list] =
    version === '2'
      ? [`${mountPath}/data/${keyPrefix}/*`, `${mountPath}/metadata/${keyPrefix}/`]
      : [`${mountPath}/${keyPrefix}/*`, `${mountPath}/${keyPrefix}/`];
  return [
    { path: data, capabilities: ['read'], purpose: 'read the keys', required: true },
    { path: data, capabilities: ['create', 'update'], purpose: 'create, rotate and disable keys', required: false },
    { path: list, capabilities: ['list'], purpose: 'list keys', required: false },
  ];
}

/** What to do when permission is missing; for both versions while it is not known which one it is. */
export function vaultKvPolicyRemedy(settings: PolicySettings, version = settings.kvVersion): string {
  const versions: readonly KvVersion[] = version === undefined ? ['1', '2'] : [version];
  const rules = versions.flatMap((each) => {
    const [read, write, list] = neededKvCapabilities(settings, each);
    const all = [...(read?.capabilities ?? []), ...(write?.capabilities ?? [])];
    return [rule(read?.path ?? '', all), rule(list?.path ?? '', list?.capabilities ?? [])];
  });
  return `Attach a policy like this to the token or role:\n${rules.join('\n')}`;
}

/** What to do when permission to delete a key is missing. It is no part of the policy, for few stores need it. */
export function vaultKvDeletionRemedy({ mountPath, keyPrefix }: PolicySettings, version: KvVersion): string {
  const path = version === '2' ? `${mountPath}/metadata/${keyPrefix}/*` : `${mountPath}/${keyPrefix}/*`;
  return `Add this to the policy of the token or role:\n${rule(path, ['list', 'delete'])}`;
}

function rule(path: string, capabilities: readonly string[]): string {
  return `path "${path}" {\n  capabilities = [${capabilities.map((name) => `"${name}"`).join(', ')}]\n}`;
}
