/** Actions that encrypting and reading objects needs. */
export const REQUIRED_ACTIONS = ['kms:DescribeKey', 'kms:GenerateDataKey', 'kms:Decrypt'] as const;

/** Actions on a key that only its administration from here needs. */
const KEY_ADMINISTRATION = [
  'kms:RotateKeyOnDemand',
  'kms:EnableKeyRotation',
  'kms:GetKeyRotationStatus',
  'kms:EnableKey',
  'kms:DisableKey',
  'kms:ScheduleKeyDeletion',
  'kms:CancelKeyDeletion',
] as const;

/** Actions that rewrap jobs use to keep data keys inside AWS, and do without. */
const REWRAPPING = ['kms:ReEncryptFrom', 'kms:ReEncryptTo'] as const;

/** Actions that no key policy can grant, because they concern no one key. */
const ACCOUNT_ADMINISTRATION = ['kms:ListKeys', 'kms:ListAliases', 'kms:CreateKey', 'kms:CreateAlias'] as const;

/**
 * An IAM policy that grants what is needed, and in a statement of its own what administration from here may use.
 * @param resource ARN of the key, or `*` while it is not known
 */
export function awsPolicy(resource: string): string {
  return JSON.stringify(
    {
      Version: '2012-10-17',
      Statement: [
        { Sid: 'Objects', Effect: 'Allow', Action: REQUIRED_ACTIONS, Resource: resource },
        { Sid: 'Rewrapping', Effect: 'Allow', Action: REWRAPPING, Resource: resource },
        { Sid: 'KeyAdministration', Effect: 'Allow', Action: KEY_ADMINISTRATION, Resource: resource },
        { Sid: 'Keys', Effect: 'Allow', Action: ACCOUNT_ADMINISTRATION, Resource: '*' },
      ],
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
