import { KmsError } from '../kms-error';
import type { ConnectionTestReport, KmsProvider } from '../kms-provider';
import { StepFailure, StepRecorder, type StepFinding } from '../step-recorder';
import type { GcpClient } from './gcp-client';
import type { GcpKeyNames } from './gcp-key-name';
import { gcpRoleRemedy, PERMISSIONS, permissionsOn } from './gcp-roles';
import type { GcpSettings } from './gcp-settings';
import { compareClocks, runNetworkSteps } from './network-steps';
import { permissionFinding } from './permission-findings';
import { proveRoundTrip } from './round-trip-step';

/** The parts of a provider that the test looks at one by one. */
export interface GcpTestSubject {
  readonly kms: string;
  readonly settings: GcpSettings;
  readonly client: GcpClient;
  readonly names: GcpKeyNames;
  readonly provider: KmsProvider;
  readonly signal: AbortSignal;
}

/** Goes the whole way to an unwrapped data key, step by step; a step that fails says what to do, and the rest is skipped. */
export async function testGcpConnection(subject: GcpTestSubject): Promise<ConnectionTestReport> {
  const steps = new StepRecorder();
  const step = (name: string, work: (bounded: GcpTestSubject) => Promise<StepFinding>): Promise<void> =>
    steps.run(name, () => {
      const signal = AbortSignal.any([subject.signal, AbortSignal.timeout(subject.settings.timeout)]);
      return work({ ...subject, signal });
    });
  await runNetworkSteps(step, {
    kms: subject.kms,
    url: new URL(subject.settings.endpoint),
    tls: subject.settings.tls,
    service: 'Cloud KMS',
    field: 'endpoint',
    certificateRemedy: 'Set ca_file or ca_pem to the authority that signed the certificate of this endpoint.',
    handshakeRemedy: 'Check that the port speaks TLS.',
  });
  await step('authentication', async ({ client, names, signal }) => {
    await client.permissions(defaultKey(names), permissionsOn('key'), signal);
    return `Google accepts the credentials of ${client.credentials.source}, ${await client.credentials.life()}`;
  });
  await step('key', inspectKey);
  await step('permissions', checkPermissions);
  await step('round trip', ({ kms, provider, signal }) =>
    proveRoundTrip(
      { kms, provider, keyId: provider.defaultKeyId, signal },
      'Do not use this endpoint: Cloud KMS authenticates additional data.',
    ),
  );
  await step('clock', async ({ client }) => compareClocks('Cloud KMS', client.lastDate));
  return steps.report();
}

async function inspectKey({ client, names, settings, provider, signal }: GcpTestSubject): Promise<StepFinding> {
  const { keyName, createKey } = settings;
  const name = defaultKey(names);
  try {
    const key = await client.call('getCryptoKey', { name }, signal);
    const facts = `Key ${keyName} is there (${key.purpose}, ${key.primary?.protectionLevel ?? 'no primary version'}, ${key.primary?.state ?? 'none'})`;
    if (key.purpose !== 'ENCRYPT_DECRYPT') {
      throw new StepFailure(`${facts}, which is no symmetric encryption key`, 'Use a key of purpose ENCRYPT_DECRYPT.');
    }
    if (key.primary?.state !== 'ENABLED') {
      throw new StepFailure(facts, 'Enable or restore the primary version of the key, or make another one primary.');
    }
    return facts;
  } catch (error) {
    if (error instanceof KmsError && error.kind === 'kms-access-denied') {
      return {
        outcome: 'warning',
        detail: `Key ${keyName} cannot be looked at (cloudkms.cryptoKeys.get); the round trip shows whether it works`,
        remedy: error.remedy ?? gcpRoleRemedy(name),
      };
    }
    if (!(error instanceof KmsError) || error.kind !== 'kms-key-not-found') {
      throw error;
    }
    if (!createKey) {
      const { ring, name: short } = names.split(provider.defaultKeyId);
      throw new StepFailure(
        `Key ${keyName} is not in ${ring}, or the key ring does not exist`,
        `Create it (gcloud kms keys create ${short} --purpose encryption …), or turn create_key on.`,
      );
    }
    await provider.createKey?.(provider.defaultKeyId, { signal });
    return `Key ${keyName} was created`;
  }
}

async function checkPermissions({ client, names, signal }: GcpTestSubject): Promise<StepFinding> {
  const key = defaultKey(names);
  const [onKey, onRing] = await Promise.all([
    client.permissions(key, permissionsOn('key'), signal),
    client.permissions(names.ring, permissionsOn('ring'), signal),
  ]);
  const granted = new Set([...onKey, ...onRing]);
  return permissionFinding(
    'The identity',
    PERMISSIONS.filter(({ name }) => !granted.has(name)),
    gcpRoleRemedy(key),
  );
}

function defaultKey(names: GcpKeyNames): string {
  return names.toGcp(names.defaultKeyId);
}
