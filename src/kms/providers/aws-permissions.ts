import { KmsError } from '../kms-error';
import type { KmsProvider } from '../kms-provider';
import type { StepFinding } from '../step-recorder';
import type { AwsClient, AwsConnection } from './aws-client';
import { AWS_ACTIONS, awsPolicyRemedy, useOfAction, type AwsActionName } from './aws-policy';
import { permissionFinding } from './permission-findings';
import { isKind } from './provider-parts';

const CONTEXT = { purpose: 'strongroom-connection-test' };

/** What the permissions are tried with. */
export interface AwsPermissionSubject {
  readonly client: AwsClient;
  readonly provider: KmsProvider;
  /** The default key as AWS calls it. */
  readonly keyId: string;
  /** ARN of the default key. */
  readonly arn: string;
  readonly signal: AbortSignal;
}

type Call = (connection: AwsConnection, options: { readonly abortSignal: AbortSignal }) => Promise<unknown>;

/** The actions that a call needs, which changes nothing. */
type Probe = readonly [actions: readonly AwsActionName[], call: Call];

/**
 * Tries every action that can be tried without changing anything; the others are named as such.
 * @throws StepFailure when one is missing that objects need; KmsError
 */
export async function checkAwsPermissions(subject: AwsPermissionSubject): Promise<StepFinding> {
  const { provider, signal } = subject;
  const missing = new Set<string>();
  const tried = new Set<AwsActionName>(['kms:DescribeKey', 'kms:GenerateDataKey']);
  let ciphertext: Buffer | undefined;
  const attempt = async (actions: readonly AwsActionName[], work: () => Promise<unknown>): Promise<void> => {
    actions.forEach((action) => tried.add(action));
    await work().catch((error: unknown) => {
      if (!isKind(error, 'kms-access-denied')) {
        throw error;
      }
      const [named] = namedIn(error);
      (named === undefined ? actions : [named]).forEach((action) => missing.add(action));
    });
  };
  await attempt(['kms:GenerateDataKey'], async () => {
    const made = await provider.generateDataKey(provider.defaultKeyId, CONTEXT, { signal });
    made.plaintext.fill(0);
    ciphertext = made.ciphertext;
  });
  for (const [actions, call] of [...(ciphertext ? usesOf(ciphertext, subject) : []), ...readings(subject)]) {
    await attempt(actions, () =>
      subject.client.send(signal, (connection, options) => call(connection, options).catch(forgiveDryRun)),
    );
  }
  return permissionFinding(
    'The identity',
    [...missing].map((name) => ({ name, ...useOfAction(name) })),
    awsPolicyRemedy(subject.arn),
    AWS_ACTIONS.filter((action) => !tried.has(action)),
  );
}

/** Dry runs, which need a data key that was wrapped by the key. */
function usesOf(ciphertext: Buffer, { keyId }: AwsPermissionSubject): Probe[] {
  const common = { CiphertextBlob: ciphertext, DryRun: true };
  return [
    [
      ['kms:Decrypt'],
      ({ sdk, client }, options) =>
        client.send(new sdk.DecryptCommand({ ...common, KeyId: keyId, EncryptionContext: CONTEXT }), options),
    ],
    [
      ['kms:ReEncryptFrom', 'kms:ReEncryptTo'],
      ({ sdk, client }, options) =>
        client.send(
          new sdk.ReEncryptCommand({
            ...common,
            SourceKeyId: keyId,
            SourceEncryptionContext: CONTEXT,
            DestinationKeyId: keyId,
            DestinationEncryptionContext: CONTEXT,
          }),
          options,
        ),
    ],
  ];
}

/** Calls that only read. */
function readings({ arn }: AwsPermissionSubject): Probe[] {
  return [
    [
      ['kms:GetKeyRotationStatus'],
      ({ sdk, client }, options) => client.send(new sdk.GetKeyRotationStatusCommand({ KeyId: arn }), options),
    ],
    [['kms:ListAliases'], ({ sdk, client }, options) => client.send(new sdk.ListAliasesCommand({ Limit: 1 }), options)],
    [['kms:ListKeys'], ({ sdk, client }, options) => client.send(new sdk.ListKeysCommand({ Limit: 1 }), options)],
  ];
}

/** The action that AWS says is not permitted, where it says so. */
function namedIn(error: unknown): string[] {
  const told = error instanceof KmsError && error.cause instanceof Error ? error.cause.message : '';
  return /\bkms:[A-Za-z]+/.exec(told) ?? [];
}

/** A dry run that would have succeeded ends with an exception. */
function forgiveDryRun(error: unknown): void {
  if (!(error instanceof Error && error.name === 'DryRunOperationException')) {
    throw error;
  }
}
