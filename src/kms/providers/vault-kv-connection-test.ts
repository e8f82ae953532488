import { KmsError } from '../kms-error';
import type { ConnectionTestReport, KmsProvider } from '../kms-provider';
import { StepFailure, StepRecorder, type StepFinding } from '../step-recorder';
import { compareClocks, runClusterNetworkSteps } from './network-steps';
import { proveRoundTrip } from './round-trip-step';
import type { VaultAuth } from './vault-auth';
import { textOf, type VaultClient } from './vault-client';
import { neededKvCapabilities, vaultKvPolicyRemedy } from './vault-kv-policy';
import type { VaultKvSettings } from './vault-kv-settings';
import type { VaultKvStore } from './vault-kv-store';
import type { VaultSession } from './vault-session';
import { checkCapabilities, checkToken, vaultNodes } from './vault-steps';

/** The parts of a provider that the test looks at one by one. */
interface VaultKvTestSubject {
  readonly kms: string;
  readonly settings: VaultKvSettings;
  readonly client: VaultClient;
  readonly auth: VaultAuth;
  readonly session: VaultSession;
  readonly store: VaultKvStore;
  readonly provider: KmsProvider;
  readonly signal: AbortSignal;
}

/** Goes the whole way to an unwrapped data key, step by step; a step that fails says what to do, and the rest is skipped. */
export async function testVaultKvConnection(subject: VaultKvTestSubject): Promise<ConnectionTestReport> {
  const { kms, settings, provider, client } = subject;
  const steps = new StepRecorder();
  const step = (name: string, work: (bounded: VaultKvTestSubject) => Promise<StepFinding>): Promise<void> =>
    steps.run(name, () => {
      const signal = AbortSignal.any([subject.signal, AbortSignal.timeout(settings.timeout)]);
      return work({ ...subject, signal });
    });
  await runClusterNetworkSteps(step, vaultNodes(kms, settings));
  await step('health', checkSeal);
  await step('authentication', (bounded) => checkToken(bounded, vaultKvPolicyRemedy(settings)));
  await step('mount', async ({ store, signal }) => {
    return `${settings.mountPath} is a KV secrets engine of version ${await store.version(signal)}`;
  });
  await step('custody', () => Promise.resolve(custody(settings)));
  await step('permissions', async (bounded) => {
    const version = await bounded.store.version(bounded.signal);
    const needed = neededKvCapabilities(settings, version);
    return checkCapabilities(bounded, needed, vaultKvPolicyRemedy(settings, version));
  });
  await step('key', checkKey);
  await step('round trip', ({ signal }) =>
    proveRoundTrip({ kms, provider, keyId: settings.keyName, signal }, 'Look for tampering in this process.'),
  );
  await step('clock', async () => compareClocks('Vault', client.transport.lastDate));
  return steps.report();
}

/** Vault, OpenBao and RustyVault all tell their seal, but RustyVault has no sys/health. */
async function checkSeal({ kms, client, signal }: VaultKvTestSubject): Promise<StepFinding> {
  const status = await client.read('sys/seal-status', { signal, rootNamespace: true });
  if (typeof status['sealed'] !== 'boolean') {
    throw new StepFailure(
      `${kms} does not tell whether it is sealed`,
      'Check that endpoint is the address of Vault, OpenBao or RustyVault.',
    );
  }
  if (status['sealed']) {
    throw new StepFailure(`${kms} is sealed`, 'Unseal it.');
  }
  return `Version ${textOf(status['version'], 'unknown')}, unsealed`;
}

function custody({ mountPath, keyPrefix }: VaultKvSettings): StepFinding {
  return {
    outcome: 'warning',
    detail: `The keys lie readable in ${mountPath}/${keyPrefix}: whoever may read that path, and every backup of it, owns the keys and with them all objects`,
    remedy: 'Use kms_vault (transit) where there is a transit engine; else let nobody but this token read the path.',
  };
}

async function checkKey({ provider, settings, signal }: VaultKvTestSubject): Promise<StepFinding> {
  try {
    const { state, latestVersion } = await provider.describeKey(settings.keyName, { signal });
    if (state !== 'enabled') {
      throw new StepFailure(`Key ${settings.keyName} is ${state}`, 'Enable it, or set key_name to another key.');
    }
    return `Key ${settings.keyName} is there (version ${latestVersion ?? 'unknown'})`;
  } catch (error) {
    if (error instanceof KmsError && error.kind === 'kms-key-not-found') {
      throw new StepFailure(`There is no key ${settings.keyName}`, 'Create it, or turn create_key on.');
    }
    throw error;
  }
}
