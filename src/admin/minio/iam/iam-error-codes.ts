import type { DomainError } from '../../../common/domain-error';

const NO_SUCH: Readonly<Record<string, string>> = {
  user: 'XMinioAdminNoSuchUser',
  group: 'XMinioAdminNoSuchGroup',
  policy: 'XMinioAdminNoSuchPolicy',
  'access key': 'XMinioAdminNoSuchAccessKey',
  'attached policy': 'XMinioAdminPolicyChangeAlreadyApplied',
};

const OTHERS: Readonly<Record<string, string>> = {
  MalformedPolicyDocument: 'XMinioMalformedIAMPolicy',
  DeleteConflict: 'XMinioIAMPolicyInUse',
  EntityAlreadyExists: 'XMinioInvalidIAMCredentials',
  InvalidInput: 'XMinioAdminInvalidArgument',
};

/** MinIO's code for a refused identity operation; undefined for every other failure. */
export function iamErrorCode(error: DomainError): string | undefined {
  return error.kind === 'NoSuchEntity' ? NO_SUCH[error.details['entity'] ?? ''] : OTHERS[error.kind];
}
