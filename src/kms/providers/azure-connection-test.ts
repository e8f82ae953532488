import { randomBytes } from 'node:crypto';
import type { KeyVaultKey } from '@azure/keyvault-keys';
import type { ConnectionTestReport, KmsProvider } from '../kms-provider';
import { StepFailure, StepRecorder, type StepFinding } from '../step-recorder';
import { azureAccessRemedy, missingAzurePermission, untoldAzurePermissions, type AzureOperation } from './azure-access';
import type { AzureClient } from './azure-client';
import { azureKeyVersion, describeAzureKey, isMissing, type AzureKeys } from './azure-keys';
import type { AzureIdentity, AzureSettings } from './azure-settings';
import { renewedLife } from './credentials-life';
import { compareClocks, runNetworkSteps } from './network-steps';
import { permissionFinding } from './permission-findings';
import { ifThere, isKind } from './provider-parts';
import { proveRoundTrip } from './round-trip-step';

/** The parts of a provider that the test looks at one by one. */
export interface AzureTestSubject {
  readonly kms: string;
  readonly settings: AzureSettings;
  readonly client: AzureClient;
  readonly keys: AzureKeys;
  readonly provider: KmsProvider;
  readonly signal: AbortSignal;
}

const PROBE_BYTES = 32;

const SIGNED_IN_AS: Readonly<Record<AzureIdentity['type'], string>> = {
  secret: 'client_secret',
  certificate: 'client_certificate_file',
  managed: 'the managed identity',
  default: 'the default credential chain',
};

/** Goes the whole way to an unwrapped data key, step by step; a step that fails says what to do, and the rest is skipped. */
export async function testAzureConnection(subject: AzureTestSubject): Promise<ConnectionTestReport> {
  const steps = new StepRecorder();
  const step = (name: string, work: (bounded: AzureTestSubject) => Promise<StepFinding>): Promise<void> =>
    steps.run(name, () => {
      const signal = AbortSignal.any([subject.signal, AbortSignal.timeout(subject.settings.timeout)]);
      return work({ ...subject, signal });
    });
  await runNetworkSteps(step, {
    kms: subject.kms,
    url: new URL(subject.settings.vaultUrl),
    tls: subject.settings.tls,
    service: 'Azure Key Vault',
    field: 'vault_url',
    certificateRemedy: 'Set ca_file or ca_pem to the authority that signed the certificate of this address.',
    handshakeRemedy: 'Check that the port speaks TLS.',
  });
  await step('authentication', authenticate);
  await step('key', inspectKey);
  await step('permissions', checkPermissions);
  await step('round trip', ({ kms, provider, signal }) =>
    proveRoundTrip(
      { kms, provider, keyId: provider.defaultKeyId, signal },
      'Do not use this build: the encryption context is bound by this program itself.',
    ),
  );
  await step('clock', async ({ client }) => compareClocks('Azure Key Vault', await client.lastDate()));
  return steps.report();
}

/** Any answer about the key, also that it may not be seen, proves that the credentials are good. */
async function authenticate({ client, keys, settings, signal }: AzureTestSubject): Promise<StepFinding> {
  try {
    await keys.newest(settings.keyName, signal);
  } catch (error) {
    if (!isMissing(error) && !isKind(error, 'kms-access-denied')) {
      throw error;
    }
  }
  const life = renewedLife(client.tokenEnd);
  return `The vault accepts the token that ${SIGNED_IN_AS[settings.identity.type]} signed in for, ${life}`;
}

async function inspectKey({ keys, settings, signal }: AzureTestSubject): Promise<StepFinding> {
  const { keyName, wrapAlgorithm, createKey, managedHsm } = settings;
  let key: KeyVaultKey;
  try {
    key = await keys.newest(keyName, signal);
  } catch (error) {
    if (lacksPermission(error, settings)) {
      return permissionFinding(
        'The identity',
        [missingAzurePermission('Get', managedHsm)],
        azureAccessRemedy(managedHsm),
      );
    }
    if (!isMissing(error)) {
      throw error;
    }
    if (await keys.deleted(keyName, signal)) {
      throw new StepFailure(`Key ${keyName} is deleted`, 'Recover the key, or set key_name to another.');
    }
    if (createKey) {
      return { outcome: 'warning', detail: `Key ${keyName} is not there yet; create_key is on, so it is made now` };
    }
    throw new StepFailure(
      `There is no key ${keyName}`,
      'Correct key_name, create the key in the vault, or turn create_key on.',
    );
  }
  const { algorithm, state, latestVersion } = describeAzureKey(key);
  const facts = `Key ${keyName} is there (${algorithm}, ${state}, newest version ${latestVersion ?? 'unknown'})`;
  if (state !== 'enabled' && settings.keyVersion === undefined) {
    throw new StepFailure(facts, 'Enable the newest version of the key.');
  }
  const family = wrapAlgorithm === 'A256KW' ? 'oct' : 'RSA';
  if (key.keyType !== undefined && !key.keyType.startsWith(family)) {
    throw new StepFailure(
      `${facts}, which ${wrapAlgorithm} cannot use`,
      'Use an RSA key with RSA-OAEP-256, or an AES key of 256 bits with A256KW.',
    );
  }
  const lacking = ['wrapKey', 'unwrapKey'].filter((operation) => key.keyOperations?.includes(operation) === false);
  if (lacking.length > 0) {
    throw new StepFailure(
      `${facts}, but does not permit ${lacking.join(' and ')}`,
      'Permit the operations on the key.',
    );
  }
  return facts;
}

/** Tries what changes nothing: wrapping and unwrapping something random, and listing. */
async function checkPermissions(subject: AzureTestSubject): Promise<StepFinding> {
  const { keys, settings, signal } = subject;
  const missing: AzureOperation[] = [];
  const attempt = async <T>(operation: AzureOperation, work: () => Promise<T>): Promise<T | undefined> => {
    try {
      return await work();
    } catch (error) {
      if (!lacksPermission(error, settings)) {
        throw error;
      }
      missing.push(operation);
      return undefined;
    }
  };
  const wrapped = await attempt('Wrap Key', () => wrapSomething(subject));
  if (wrapped !== undefined) {
    await attempt('Unwrap Key', () => unwrapIt(subject, wrapped));
  }
  await attempt('List', () => keys.names(signal));
  return permissionFinding(
    'The identity',
    missing.map((operation) => missingAzurePermission(operation, settings.managedHsm)),
    azureAccessRemedy(settings.managedHsm),
    untoldAzurePermissions(settings.managedHsm),
  );
}

interface Wrapped {
  readonly version: string;
  readonly bytes: Uint8Array;
}

/** Undefined where the key is only made by the round trip. */
async function wrapSomething({ kms, client, keys, settings, signal }: AzureTestSubject): Promise<Wrapped | undefined> {
  const { keyName, wrapAlgorithm, keyVersion } = settings;
  const newest = await ifThere(keys.newest(keyName, signal));
  if (newest === undefined) {
    return undefined;
  }
  const version = keyVersion ?? azureKeyVersion(kms, newest);
  const { result } = await client.onVersion(keyName, version, signal, (crypto, options) =>
    crypto.wrapKey(wrapAlgorithm, randomBytes(PROBE_BYTES), options),
  );
  return { version, bytes: result };
}

async function unwrapIt({ client, settings, signal }: AzureTestSubject, wrapped: Wrapped): Promise<void> {
  const { keyName, wrapAlgorithm } = settings;
  await client.onVersion(keyName, wrapped.version, signal, (crypto, options) =>
    crypto.unwrapKey(wrapAlgorithm, wrapped.bytes, options),
  );
}

/** Not so where the vault does not admit the address of this machine, which has a remedy of its own. */
function lacksPermission(error: unknown, { managedHsm }: AzureSettings): boolean {
  return isKind(error, 'kms-access-denied') && error.remedy === azureAccessRemedy(managedHsm);
}
