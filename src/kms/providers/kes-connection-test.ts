import { KmsError } from '../kms-error';
import type { ConnectionTestReport, KmsProvider } from '../kms-provider';
import { StepFailure, StepRecorder, type StepFinding } from '../step-recorder';
import { identityOf } from './kes-api-key';
import type { KesClient } from './kes-client';
import { KES_VERBS, kesPolicyRemedy, missingKesPermission } from './kes-policy';
import type { KesSettings } from './kes-settings';
import { certificateOf, compareClocks, runClusterNetworkSteps } from './network-steps';
import { permissionFinding, type MissingPermission } from './permission-findings';
import { isKind } from './provider-parts';
import { proveRoundTrip } from './round-trip-step';
import { loadTlsMaterial } from './tls-material';

/** The parts of a provider that the test looks at one by one. */
interface KesTestSubject {
  readonly kms: string;
  readonly settings: KesSettings;
  readonly client: KesClient;
  readonly provider: KmsProvider;
  readonly signal: AbortSignal;
}

/** Goes the whole way to an unwrapped data key, step by step; a step that fails says what to do, and the rest is skipped. */
export async function testKesConnection(subject: KesTestSubject): Promise<ConnectionTestReport> {
  const { kms, settings, client, provider } = subject;
  const steps = new StepRecorder();
  const step = (name: string, work: (signal: AbortSignal) => Promise<StepFinding>): Promise<void> =>
    steps.run(name, () => work(AbortSignal.any([subject.signal, AbortSignal.timeout(settings.timeout)])));
  await runClusterNetworkSteps(
    step,
    settings.endpoints.map((endpoint) => ({
      kms,
      url: new URL(endpoint),
      tls: settings.tls,
      service: 'KES',
      field: 'endpoint',
      certificateRemedy:
        'Set ca_file or ca_pem to the authority that signed the certificate, or tls_server_name to a name in it; renew it if it has expired.',
      handshakeRemedy: 'Check that the port is that of KES, and that KES accepts the client certificate.',
    })),
  );
  await step('identity', (signal) => identify(subject, signal));
  await step('service', async (signal) => {
    const { version } = await client.get('/version', signal);
    return `KES ${typeof version === 'string' && version !== '' ? version : 'of an unknown version'}`;
  });
  await step('key store', (signal) => checkKeyStore(subject, signal));
  await step('key', (signal) => checkKey(subject, signal));
  await step('permissions', (signal) => checkPermissions(subject, signal));
  await step('round trip', (signal) =>
    proveRoundTrip({ kms, provider, keyId: settings.keyName, signal }, 'Use KES, which authenticates the context.'),
  );
  await step('clock', async () => compareClocks('KES', client.transport.lastDate));
  return steps.report();
}

/** KES knows clients by the public key of their certificate alone. */
async function identify({ kms, client, settings }: KesTestSubject, signal: AbortSignal): Promise<StepFinding> {
  const { cert } = await loadTlsMaterial(kms, settings.tls);
  const identity = settings.identity ?? identityOf(certificateOf(cert).publicKey);
  const detail = `KES knows this client as ${identity}, by ${settings.identity === undefined ? 'client_cert_file' : 'api_key, which does not expire'}`;
  return (await isAdministrator(client, signal))
    ? {
        outcome: 'warning',
        detail: `${detail}; it is the administrator of KES, who may do anything`,
        remedy: kesPolicyRemedy(settings),
      }
    : detail;
}

/** KES before 2022 describes no identities, and later ones none that is not the administrator's. */
async function isAdministrator(client: KesClient, signal: AbortSignal): Promise<boolean> {
  try {
    return (await client.get('/v1/identity/self/describe', signal))['admin'] === true;
  } catch (error) {
    if (error instanceof KmsError && !error.retryable) {
      return false;
    }
    throw error;
  }
}

async function checkKeyStore({ client, settings }: KesTestSubject, signal: AbortSignal): Promise<StepFinding> {
  try {
    const status = await client.get('/v1/status', signal);
    if (status['keystore_unreachable'] === true) {
      throw new StepFailure('KES cannot reach its own key store', 'Look into the log of KES for the reason.');
    }
    const latency = status['keystore_latency'];
    return typeof latency === 'number' ? `The key store answers within ${latency} ms` : 'The key store answers';
  } catch (error) {
    if (error instanceof KmsError && error.kind === 'kms-access-denied') {
      return {
        outcome: 'warning',
        detail: 'The status of KES may not be seen, so its key store is not watched',
        remedy: kesPolicyRemedy(settings),
      };
    }
    throw error;
  }
}

async function checkKey({ provider, settings }: KesTestSubject, signal: AbortSignal): Promise<StepFinding> {
  const { keyName, createKey } = settings;
  try {
    const { algorithm } = await provider.describeKey(keyName, { signal });
    return `Key ${keyName} is there (${algorithm})`;
  } catch (error) {
    if (error instanceof KmsError && error.kind === 'kms-access-denied') {
      return {
        outcome: 'warning',
        detail: `Key ${keyName} may not be described`,
        remedy: kesPolicyRemedy(settings),
      };
    }
    if (!(error instanceof KmsError) || error.kind !== 'kms-key-not-found') {
      throw error;
    }
    if (!createKey) {
      throw new StepFailure(
        `KES has no key ${keyName}`,
        `Create it (kes key create ${keyName}), or turn create_key on.`,
      );
    }
    return { outcome: 'warning', detail: `Key ${keyName} is not there yet and will be created` };
  }
}

/** Tries every verb in a way that changes nothing: KES looks at permission before anything else. */
async function checkPermissions({ client, settings }: KesTestSubject, signal: AbortSignal): Promise<StepFinding> {
  const missing: MissingPermission[] = [];
  for (const verb of KES_VERBS) {
    const path = `/v1/key/${verb.verb}/${verb.tryOn(settings.keyName)}`;
    try {
      await (verb.method === 'GET' ? client.get(path, signal) : client.put(path, {}, signal));
    } catch (error) {
      if (isKind(error, 'kms-access-denied')) {
        missing.push(missingKesPermission(verb, settings.keyName));
      } else if (!(error instanceof KmsError) || error.retryable) {
        throw error;
      }
    }
  }
  return permissionFinding('The identity', missing, kesPolicyRemedy(settings));
}
