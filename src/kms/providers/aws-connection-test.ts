import { KmsError } from '../kms-error';
import type { ConnectionTestReport, KmsProvider } from '../kms-provider';
import { StepFailure, StepRecorder, type StepFinding } from '../step-recorder';
import type { AwsClient } from './aws-client';
import type { AwsKeyNames } from './aws-key-name';
import { checkAwsPermissions } from './aws-permissions';
import { awsPolicyRemedy } from './aws-policy';
import type { AwsSettings } from './aws-settings';
import { renewedLife } from './credentials-life';
import { compareClocks, runNetworkSteps } from './network-steps';
import { proveRoundTrip } from './round-trip-step';

/** The parts of a provider that the test looks at one by one. */
export interface AwsTestSubject {
  readonly kms: string;
  readonly settings: AwsSettings;
  readonly client: AwsClient;
  readonly names: AwsKeyNames;
  readonly provider: KmsProvider;
  readonly signal: AbortSignal;
}

/** Goes the whole way to an unwrapped data key, step by step; a step that fails says what to do, and the rest is skipped. */
export async function testAwsConnection(subject: AwsTestSubject): Promise<ConnectionTestReport> {
  const steps = new StepRecorder();
  const step = (name: string, work: (bounded: AwsTestSubject) => Promise<StepFinding>): Promise<void> =>
    steps.run(name, () => {
      const signal = AbortSignal.any([subject.signal, AbortSignal.timeout(subject.settings.timeout)]);
      return work({ ...subject, signal });
    });
  await runNetworkSteps(step, {
    kms: subject.kms,
    url: new URL(subject.settings.endpoint),
    tls: subject.settings.tls,
    service: 'AWS KMS',
    field: 'endpoint',
    certificateRemedy: 'Set ca_file or ca_pem to the authority that signed the certificate of this endpoint.',
    handshakeRemedy: 'Check that the port speaks TLS.',
  });
  let arn = '';
  await step('authentication', authenticate);
  await step('key', async ({ client, names, settings, signal }) => {
    const { KeyMetadata } = await describeDefault({ client, names, signal });
    arn = KeyMetadata?.Arn ?? names.toAws(names.defaultKeyId);
    const facts = `Key ${settings.keyName} is there (${KeyMetadata?.KeySpec ?? 'unknown'}, ${KeyMetadata?.KeyState ?? 'unknown'})`;
    if (KeyMetadata?.KeyState !== 'Enabled') {
      throw new StepFailure(facts, 'Enable the key in AWS KMS, or cancel its deletion.');
    }
    if (
      (KeyMetadata.KeyUsage ?? 'ENCRYPT_DECRYPT') !== 'ENCRYPT_DECRYPT' ||
      KeyMetadata.KeySpec !== 'SYMMETRIC_DEFAULT'
    ) {
      throw new StepFailure(`${facts}, which is no symmetric encryption key`, 'Use a key of spec SYMMETRIC_DEFAULT.');
    }
    return facts;
  });
  await step('permissions', ({ client, provider, names, signal }) =>
    checkAwsPermissions({ client, provider, keyId: names.toAws(names.defaultKeyId), arn, signal }),
  );
  await step('round trip', ({ kms, provider, signal }) =>
    proveRoundTrip(
      { kms, provider, keyId: provider.defaultKeyId, signal },
      'Do not use this endpoint: AWS KMS authenticates the encryption context.',
    ),
  );
  await step('clock', async ({ client }) => compareClocks('AWS KMS', client.lastDate));
  return steps.report();
}

/** Any answer about the key, also that it may not be seen, proves that the credentials are good. */
async function authenticate({ client, names, settings, signal }: AwsTestSubject): Promise<StepFinding> {
  const source = settings.credentials ? 'access_key' : 'the default credential chain';
  try {
    await describeDefault({ client, names, signal });
  } catch (error) {
    const answered = error instanceof KmsError && !error.retryable && error.kind !== 'kms-unauthenticated';
    if (!answered || error.kind === 'kms-protocol' || error.kind === 'kms-not-configured') {
      throw error;
    }
  }
  const accepted = `AWS accepts the credentials of ${source}`;
  if (settings.credentials === undefined) {
    return `${accepted}, ${renewedLife(await client.credentialsEnd(signal))}`;
  }
  return settings.credentials.sessionToken === undefined
    ? `${accepted}, which do not expire`
    : {
        outcome: 'warning',
        detail: `${accepted}, which end with the session of session_token and cannot be renewed from here`,
        remedy:
          'Leave access_key, secret_key and session_token empty to use the default credential chain, which renews.',
      };
}

function describeDefault({ client, names, signal }: Pick<AwsTestSubject, 'client' | 'names' | 'signal'>) {
  return client
    .send(signal, ({ sdk, client: api }, options) =>
      api.send(new sdk.DescribeKeyCommand({ KeyId: names.toAws(names.defaultKeyId) }), options),
    )
    .catch((error: unknown) => {
      throw error instanceof KmsError && error.kind === 'kms-access-denied'
        ? new KmsError(error.kind, `${error.message}: kms:DescribeKey`, {
            cause: error.cause,
            remedy: awsPolicyRemedy('*'),
          })
        : error;
    });
}
