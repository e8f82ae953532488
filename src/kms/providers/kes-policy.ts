import type { KesSettings } from './kes-settings';

/** Paths of the KES API, from the indispensable to the comfortable. */
const PATHS = ['generate', 'decrypt', 'describe', 'list', 'create', 'import'].map((verb) => `/v1/key/${verb}/*`);

/** The policy, as it stands in the configuration of KES, that grants what is needed. */
export function kesPolicyRemedy({ identity }: Pick<KesSettings, 'identity'>): string {
  const lines = ['policy:', '  strongroom:', '    allow:', ...['/v1/status', ...PATHS].map((path) => `    - ${path}`)];
  const who = identity ?? '<kes identity of client_cert_file>';
  return `Give the identity a policy like this in the configuration of KES:\n${[...lines, '    identities:', `    - ${who}`].join('\n')}`;
}
