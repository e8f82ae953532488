import type { KesSettings } from './kes-settings';
import type { MissingPermission } from './permission-findings';

/** A verb of the KES API, as a permission, and the request that shows whether it is granted and changes nothing. */
interface KesVerb {
  readonly verb: string;
  readonly method: 'GET' | 'PUT';
  readonly purpose: string;
  readonly required: boolean;
  /** The resource to try it on. */
  tryOn(keyName: string): string;
}

const itself = (keyName: string): string => keyName;
/** KES looks at permission first, and then refuses the name. */
const impossible = (keyName: string): string => `${keyName}.`;

/** From the indispensable to the comfortable. */
export const KES_VERBS: readonly KesVerb[] = [
  { verb: 'generate', method: 'PUT', purpose: 'make data keys', required: true, tryOn: itself },
  { verb: 'decrypt', method: 'PUT', purpose: 'unwrap data keys', required: true, tryOn: itself },
  { verb: 'describe', method: 'GET', purpose: 'describe the key', required: false, tryOn: itself },
  { verb: 'list', method: 'GET', purpose: 'list keys', required: false, tryOn: itself },
  { verb: 'create', method: 'PUT', purpose: 'create keys from here', required: false, tryOn: impossible },
  { verb: 'import', method: 'PUT', purpose: 'import keys from here', required: false, tryOn: impossible },
];

/** The permission as it stands in a policy. */
export function missingKesPermission({ verb, purpose, required }: KesVerb, keyName: string): MissingPermission {
  return { name: `/v1/key/${verb}/${required ? keyName : '*'}`, purpose, required };
}

/** The policy, as it stands in the configuration of KES, that grants what is needed. */
export function kesPolicyRemedy({ identity }: Pick<KesSettings, 'identity'>): string {
  const paths = ['/v1/status', ...KES_VERBS.map(({ verb }) => `/v1/key/${verb}/*`)];
  const lines = ['policy:', '  strongroom:', '    allow:', ...paths.map((path) => `    - ${path}`)];
  const who = identity ?? '<kes identity of client_cert_file>';
  return `Give the identity a policy like this in the configuration of KES:\n${[...lines, '    identities:', `    - ${who}`].join('\n')}`;
}
