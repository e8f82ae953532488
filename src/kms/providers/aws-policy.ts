/** An action of IAM, what it is for here, and the statement of the policy that grants it. */
interface AwsAction {
  readonly action: string;
  readonly purpose: string;
  readonly statement: 'Objects' | 'Rewrapping' | 'KeyAdministration' | 'Keys';
}

/** Everything that may be asked of AWS KMS. */
const ACTIONS = [
  { action: 'kms:DescribeKey', purpose: 'describe the key', statement: 'Objects' },
  { action: 'kms:GenerateDataKey', purpose: 'make data keys', statement: 'Objects' },
  { action: 'kms:Decrypt', purpose: 'unwrap data keys', statement: 'Objects' },
  { action: 'kms:ReEncryptFrom', purpose: 'rewrap data keys inside AWS', statement: 'Rewrapping' },
  { action: 'kms:ReEncryptTo', purpose: 'rewrap data keys inside AWS', statement: 'Rewrapping' },
  { action: 'kms:RotateKeyOnDemand', purpose: 'rotate keys from here', statement: 'KeyAdministration' },
  { action: 'kms:GetKeyRotationStatus', purpose: "tell AWS's own rotation", statement: 'KeyAdministration' },
  { action: 'kms:EnableKeyRotation', purpose: 'set rotation_days', statement: 'KeyAdministration' },
  { action: 'kms:EnableKey', purpose: 'enable keys from here', statement: 'KeyAdministration' },
  { action: 'kms:DisableKey', purpose: 'disable keys from here', statement: 'KeyAdministration' },
  { action: 'kms:ScheduleKeyDeletion', purpose: 'schedule deletions from here', statement: 'KeyAdministration' },
  { action: 'kms:CancelKeyDeletion', purpose: 'cancel deletions from here', statement: 'KeyAdministration' },
  { action: 'kms:ListKeys', purpose: 'list keys', statement: 'Keys' },
  { action: 'kms:ListAliases', purpose: 'list keys', statement: 'Keys' },
  { action: 'kms:CreateKey', purpose: 'create keys from here', statement: 'Keys' },
  { action: 'kms:CreateAlias', purpose: 'create keys from here', statement: 'Keys' },
] as const satisfies readonly AwsAction[];

/** The name of an action that may be needed. */
export type AwsActionName = (typeof ACTIONS)[number]['action'];

/** Names of all of them. */
export const AWS_ACTIONS: readonly AwsActionName[] = ACTIONS.map(({ action }) => action);

/** What an action is for, and whether objects cannot be encrypted and read without it. */
export function useOfAction(name: string): { readonly purpose: string; readonly required: boolean } {
  const found = ACTIONS.find(({ action }) => action === name);
  return { purpose: found?.purpose ?? 'use the key', required: found === undefined || found.statement === 'Objects' };
}

/**
 * An IAM policy that grants what is needed, and in a statement of its own what administration from here may use.
 * @param resource ARN of the key, or `*` while it is not known
 */
export function awsPolicy(resource: string): string {
  const statements = [...new Set(ACTIONS.map(({ statement }) => statement))];
  return JSON.stringify(
    {
      Version: '2012-10-17',
      Statement: statements.map((Sid) => ({
        Sid,
        Effect: 'Allow',
        Action: ACTIONS.filter(({ statement }) => statement === Sid).map(({ action }) => action),
        // No policy of one key can grant what concerns no one key.
        Resource: Sid === 'Keys' ? '*' : resource,
      })),
    },
    undefined,
    2,
  );
}

/** What to do when permission is missing. */
export function awsPolicyRemedy(resource: string): string {
  return (
    'Attach a policy like this to the user or role, and see that the key policy lets IAM policies of the account apply; ' +
    `the second statement is for rewrap jobs and the last two are for administering keys from here only:\n${awsPolicy(resource)}`
  );
}
