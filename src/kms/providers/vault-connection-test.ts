import { KmsError } from '../kms-error';
import type { ConnectionTestReport, KmsProvider } from '../kms-provider';
import { StepFailure, StepRecorder, type StepFinding } from '../step-recorder';
import { compareClocks, runClusterNetworkSteps } from './network-steps';
import { proveRoundTrip } from './round-trip-step';
import type { VaultAuth } from './vault-auth';
import { objectOf, textOf, type VaultClient } from './vault-client';
import { readVaultKey } from './vault-key';
import { neededCapabilities, vaultPolicyRemedy } from './vault-policy';
import type { VaultSession } from './vault-session';
import type { VaultSettings } from './vault-settings';
import { checkToken, checkCapabilities, vaultNodes } from './vault-steps';

/** The parts of a provider that the test looks at one by one. */
export interface VaultTestSubject {
  readonly kms: string;
  readonly settings: VaultSettings;
  readonly client: VaultClient;
  readonly auth: VaultAuth;
  readonly session: VaultSession;
  readonly provider: KmsProvider;
  readonly signal: AbortSignal;
}

/** Goes the whole way to an unwrapped data key, step by step; a step that fails says what to do, and the rest is skipped. */
export async function testVaultConnection(subject: VaultTestSubject): Promise<ConnectionTestReport> {
  const steps = new StepRecorder();
  const step = (name: string, work: (bounded: VaultTestSubject) => Promise<StepFinding>): Promise<void> =>
    steps.run(name, () => {
      const signal = AbortSignal.any([subject.signal, AbortSignal.timeout(subject.settings.timeout)]);
      return work({ ...subject, signal });
    });
  let wraps: 'datakey' | 'encrypt' = 'encrypt';
  await runClusterNetworkSteps(step, vaultNodes(subject.kms, subject.settings));
  await step('health', checkHealth);
  await step('authentication', (bounded) => checkToken(bounded, vaultPolicyRemedy(subject.settings)));
  await step('mount', checkMount);
  await step('key', async (bounded) => {
    const key = await checkKey(bounded);
    wraps = key.derived && subject.settings.keyVersion === undefined ? 'datakey' : 'encrypt';
    return key.detail;
  });
  await step('permissions', (bounded) => checkPermissions(bounded, wraps));
  await step('round trip', ({ kms, provider, settings, signal }) =>
    proveRoundTrip(
      { kms, provider, keyId: settings.keyName, signal },
      // Vault before 1.9 ignores associated data without a word, and then nothing binds a wrapped key to its object.
      'Use Vault 1.9 or newer, or a key created with derived=true.',
    ),
  );
  await step('clock', async ({ client }) => compareClocks('Vault', client.transport.lastDate));
  return steps.report();
}

async function checkHealth({ kms, client, signal }: VaultTestSubject): Promise<StepFinding> {
  const health = await client.health(signal);
  if (health['initialized'] !== true) {
    throw new StepFailure(`${kms} is not initialised`, 'Initialise Vault (vault operator init).');
  }
  if (health['sealed'] === true) {
    throw new StepFailure(`${kms} is sealed`, 'Unseal Vault (vault operator unseal).');
  }
  if (health['replication_dr_mode'] === 'secondary') {
    throw new StepFailure(`${kms} is a disaster recovery secondary`, 'Set endpoint to the primary cluster.');
  }
  const role = health['standby'] === true ? 'standby node' : 'active node';
  return `Version ${textOf(health['version'], 'unknown')}, unsealed, ${role}`;
}

async function checkMount({ session, settings, signal }: VaultTestSubject): Promise<StepFinding> {
  const enable = `Enable transit (vault secrets enable -path=${settings.mountPath} transit), or correct mount_path and namespace.`;
  try {
    const { data } = await session.read(`sys/internal/ui/mounts/${settings.mountPath}`, signal);
    const type = textOf(objectOf(data)['type'], 'unknown');
    if (type !== 'transit') {
      throw new StepFailure(`${settings.mountPath} is a secrets engine of type ${type}, not transit`, enable);
    }
    return `${settings.mountPath} is a transit secrets engine`;
  } catch (error) {
    if (error instanceof KmsError && (error.kind === 'kms-access-denied' || error.kind === 'kms-key-not-found')) {
      return {
        outcome: 'warning',
        detail: `Whether ${settings.mountPath} is a transit secrets engine cannot be seen with this token`,
        remedy: `${enable} ${vaultPolicyRemedy(settings)}`,
      };
    }
    throw error;
  }
}

function checkPermissions(subject: VaultTestSubject, wraps: 'datakey' | 'encrypt'): Promise<StepFinding> {
  // A key that is not derived is never rewrapped inside Vault.
  const unused = wraps === 'datakey' ? /\/encrypt\// : /\/(datakey|rewrap)\//;
  const needed = neededCapabilities(subject.settings, wraps).filter(({ path }) => !unused.test(path));
  return checkCapabilities(subject, needed, vaultPolicyRemedy(subject.settings));
}

async function checkKey({
  kms,
  provider,
  session,
  settings,
  signal,
}: VaultTestSubject): Promise<{ detail: string; derived: boolean }> {
  const { keyId, algorithm, latestVersion } = await provider.describeKey(settings.keyName, { signal });
  const answer = await session.read(`${settings.mountPath}/keys/${keyId}`, signal);
  const { derived } = readVaultKey(kms, keyId, answer);
  const binding = derived ? 'derivation' : 'associated data';
  return {
    derived,
    detail: `Key ${keyId} is there (${algorithm}, version ${latestVersion ?? 'unknown'}), binding by ${binding}`,
  };
}
