import { KmsError } from '../kms-error';
import type { StepFinding } from '../step-recorder';
import type { NetworkEndpoint } from './network-steps';
import { permissionFinding } from './permission-findings';
import type { VaultAuth } from './vault-auth';
import { objectOf } from './vault-client';
import type { VaultConnectionSettings } from './vault-connection-settings';
import type { NeededCapability } from './vault-policy';
import type { VaultSession } from './vault-session';

const SHORT_TOKEN_SECONDS = 3_600;

/** What the steps that all secrets engines have in common look at. */
export interface VaultStepSubject {
  readonly settings: VaultConnectionSettings;
  readonly auth: VaultAuth;
  readonly session: VaultSession;
  readonly signal: AbortSignal;
}

/** The nodes of a Vault for the network steps. */
export function vaultNodes(kms: string, { endpoints, tls }: VaultConnectionSettings): NetworkEndpoint[] {
  return endpoints.map((endpoint) => ({
    kms,
    url: new URL(endpoint),
    tls,
    service: 'Vault',
    field: 'endpoint',
    certificateRemedy:
      'Set ca_file or ca_pem to the authority that signed the certificate, or tls_server_name to a name in it; renew it if it has expired.',
    handshakeRemedy:
      'Check that the port speaks TLS, and whether Vault asks for a client certificate (client_cert_file, client_key_file).',
  }));
}

/**
 * Logs in and tells what the token is worth.
 * @param policyRemedy what to do about a token that may do too much
 * @throws KmsError
 */
export async function checkToken(
  { auth, settings, signal }: VaultStepSubject,
  policyRemedy: string,
): Promise<StepFinding> {
  await auth.token();
  try {
    const { ttl, renewable, policies } = await auth.lookUp(signal);
    const life = ttl === 0 ? 'never expires' : `expires in ${ttl} s, ${renewable ? 'renewable' : 'not renewable'}`;
    const detail = `The token is valid, ${life}, policies ${policies.join(', ') || 'none'}`;
    if (policies.includes('root')) {
      return { outcome: 'warning', detail, remedy: `A root token may do anything. ${policyRemedy}` };
    }
    if (settings.credentials.type === 'token' && ttl > 0 && ttl < SHORT_TOKEN_SECONDS && !renewable) {
      return { outcome: 'warning', detail, remedy: 'Use a renewable token, or AppRole.' };
    }
    return detail;
  } catch (error) {
    if (error instanceof KmsError && error.kind === 'kms-access-denied') {
      return {
        outcome: 'warning',
        detail: 'The token may not look itself up, so its life is unknown',
        remedy: 'Add the default policy to it.',
      };
    }
    throw error;
  }
}

/**
 * Compares what the token may do with what is needed.
 * @throws StepFailure when something indispensable is missing
 */
export async function checkCapabilities(
  { session, signal }: VaultStepSubject,
  needed: readonly NeededCapability[],
  policyRemedy: string,
): Promise<StepFinding> {
  let granted: Readonly<Record<string, unknown>>;
  try {
    granted = await session.write('sys/capabilities-self', { paths: needed.map(({ path }) => path) }, signal);
  } catch (error) {
    if (error instanceof KmsError && !error.retryable) {
      return {
        outcome: 'warning',
        detail: 'The permissions of the token cannot be asked for',
        remedy: policyRemedy,
      };
    }
    throw error;
  }
  const missing = needed.flatMap(({ path, capabilities, purpose, required }) => {
    const has = capabilitiesOf(granted, path);
    const lacking = has.includes('root') ? [] : capabilities.filter((name) => !has.includes(name));
    return lacking.length === 0 ? [] : [{ name: `${lacking.join(' and ')} on ${path}`, purpose, required }];
  });
  return permissionFinding('The token', missing, policyRemedy);
}

function capabilitiesOf(answer: Readonly<Record<string, unknown>>, path: string): string[] {
  const list = objectOf(answer['data'])[path] ?? answer[path];
  return Array.isArray(list) ? list.map(String) : [];
}
