import { KmsError } from '../kms-error';
import type { ConnectionTestReport, KmsProvider } from '../kms-provider';
import { StepFailure, StepRecorder, type StepFinding } from '../step-recorder';
import type { Pkcs11Client } from './pkcs11-client';
import type { Pkcs11Settings } from './pkcs11-settings';
import { proveRoundTrip } from './round-trip-step';

/** The parts of a provider that the test looks at one by one. */
interface Pkcs11TestSubject {
  readonly kms: string;
  readonly settings: Pkcs11Settings;
  readonly client: Pkcs11Client;
  readonly provider: KmsProvider;
  readonly signal: AbortSignal;
}

/** Goes the whole way to an unwrapped data key, step by step; a step that fails says what to do, and the rest is skipped. */
export async function testPkcs11Connection(subject: Pkcs11TestSubject): Promise<ConnectionTestReport> {
  const { kms, settings, client, provider } = subject;
  const steps = new StepRecorder();
  const step = (name: string, work: (signal: AbortSignal) => Promise<StepFinding>): Promise<void> =>
    steps.run(name, () => work(AbortSignal.any([subject.signal, AbortSignal.timeout(settings.timeout)])));
  await step('library', async (signal) => `Loaded ${await client.call('library', {}, signal)}`);
  await step('token', async (signal) => `Found ${await client.call('token', {}, signal)}`);
  await step('login', async (signal) => {
    if (await client.call('login', {}, signal)) {
      return 'The token accepts the PIN';
    }
    return {
      outcome: 'warning',
      detail: 'This process was logged in to the token already, so the PIN was not looked at',
      remedy: 'Nothing, if the PIN has not changed. Otherwise look at this again after the next start.',
    };
  });
  await step('mechanism', async (signal) => {
    const { wraps, makesKeys } = await client.call('mechanisms', {}, signal);
    if (!wraps) {
      throw new StepFailure('The token cannot encrypt and decrypt by AES-GCM', 'Use a token that offers CKM_AES_GCM.');
    }
    const detail = 'The token encrypts and decrypts by AES-GCM';
    return makesKeys
      ? `${detail}, and makes AES keys`
      : {
          outcome: 'warning',
          detail: `${detail}, but makes no AES keys (CKM_AES_KEY_GEN), to create and rotate keys from here`,
          remedy: 'Permit the mechanism to the user of the token, or make keys by the tools of the HSM.',
        };
  });
  await step('key', (signal) => checkKey(subject, signal));
  await step('round trip', (signal) =>
    proveRoundTrip(
      { kms, provider, keyId: settings.keyName, signal },
      'Use a token that authenticates the associated data of AES-GCM.',
    ),
  );
  return steps.report();
}

async function checkKey({ client, settings }: Pkcs11TestSubject, signal: AbortSignal): Promise<StepFinding> {
  const { keyName, createKey } = settings;
  try {
    const versions = await client.call('describe', { label: keyName }, signal);
    const unfit = versions.at(-1)?.unfit;
    if (unfit !== undefined) {
      throw new StepFailure(
        `Key ${keyName} cannot be used: ${unfit}`,
        'Use an AES key of 256 bits, sensitive, not extractable, that may encrypt and decrypt.',
      );
    }
    return `Key ${keyName} is there, with ${versions.length === 1 ? 'one version' : `${versions.length} versions`}`;
  } catch (error) {
    if (!(error instanceof KmsError) || error.kind !== 'kms-key-not-found') {
      throw error;
    }
    if (!createKey) {
      throw new StepFailure(
        `The token has no AES key with the label ${keyName}`,
        'Create it by the tools of the HSM (for instance pkcs11-tool --keygen --key-type AES:32), or turn create_key on.',
      );
    }
    return { outcome: 'warning', detail: `Key ${keyName} is not there yet and will be created` };
  }
}
