import { KmsError, type KmsErrorKind } from '../kms-error';
import { errorCode, NO_CODE, transportError } from './transport-errors';

const MAX_REASON = 300;

/** What AWS said, kept as the cause of a KmsError: for operators, not for S3 clients. */
export class AwsReason extends Error {
  override name = 'AwsReason';
}

interface Refusal {
  readonly kind: KmsErrorKind;
  readonly text: string;
  readonly remedy?: string;
}

const BAD_CREDENTIALS: Refusal = {
  kind: 'kms-unauthenticated',
  text: 'did not accept the credentials',
  remedy: 'Check access_key, secret_key and session_token, or what the default credential chain finds on this machine.',
};
const THROTTLED: Refusal = {
  kind: 'kms-throttled',
  text: 'is limiting the rate of requests',
  remedy: 'Raise the request quota of AWS KMS in this account and region.',
};
const UNWRAPPABLE: Refusal = {
  kind: 'kms-invalid-ciphertext',
  text: 'cannot unwrap the data key with this key and encryption context',
};

const BY_NAME: Readonly<Record<string, Refusal>> = {
  NotFoundException: { kind: 'kms-key-not-found', text: 'has no such key' },
  InvalidArnException: { kind: 'kms-key-not-found', text: 'has no such key' },
  DisabledException: { kind: 'kms-key-disabled', text: 'has this key disabled' },
  AlreadyExistsException: { kind: 'kms-key-exists', text: 'already has a key of this name' },
  InvalidCiphertextException: UNWRAPPABLE,
  IncorrectKeyException: UNWRAPPABLE,
  AccessDeniedException: { kind: 'kms-access-denied', text: 'denied permission' },
  UnrecognizedClientException: BAD_CREDENTIALS,
  InvalidClientTokenId: BAD_CREDENTIALS,
  InvalidSignatureException: BAD_CREDENTIALS,
  SignatureDoesNotMatch: BAD_CREDENTIALS,
  IncompleteSignature: BAD_CREDENTIALS,
  IncompleteSignatureException: BAD_CREDENTIALS,
  MissingAuthenticationTokenException: BAD_CREDENTIALS,
  ExpiredTokenException: BAD_CREDENTIALS,
  CredentialsProviderError: { ...BAD_CREDENTIALS, text: 'cannot be used: no credentials were found' },
  TokenProviderError: BAD_CREDENTIALS,
  ThrottlingException: THROTTLED,
  TooManyRequestsException: THROTTLED,
  RequestLimitExceeded: THROTTLED,
  LimitExceededException: {
    kind: 'kms-invalid-request',
    text: 'refused because a limit of the account or key is reached',
    remedy: 'Look at the quotas of AWS KMS; a key can be rotated on demand a limited number of times.',
  },
  KeyUnavailableException: { kind: 'kms-unavailable', text: 'cannot use this key at the moment' },
  DependencyTimeoutException: { kind: 'kms-unavailable', text: 'timed out inside' },
  KMSInternalException: { kind: 'kms-unavailable', text: 'failed inside' },
  UnsupportedOperationException: { kind: 'kms-unsupported', text: 'does not offer this for this key' },
  InvalidKeyUsageException: {
    kind: 'kms-unsupported',
    text: 'cannot wrap data keys with this key',
    remedy: 'Use a symmetric key of usage ENCRYPT_DECRYPT.',
  },
  ValidationException: { kind: 'kms-invalid-request', text: 'refused the request' },
  MalformedPolicyDocumentException: { kind: 'kms-invalid-request', text: 'refused the key policy' },
};

/**
 * Translates whatever the AWS SDK throws.
 *
 * @param kms `<type>:<target>`, for the message
 * @param signal the call's own signal: when it was aborted, its reason is the failure
 */
export function awsError(kms: string, host: string, error: unknown, signal: AbortSignal): KmsError {
  if (error instanceof KmsError || signal.aborted) {
    return transportError(kms, host, error, signal);
  }
  const { name, message } = error instanceof Error ? error : new Error('unknown failure');
  const status = statusOf(error);
  const cause = new AwsReason(
    `${status === undefined ? '' : `HTTP ${status}, `}${name}: ${message}`.slice(0, MAX_REASON),
  );
  const refusal = refusalOf(name, message, status);
  if (refusal) {
    return new KmsError(refusal.kind, `${kms} ${refusal.text}`, { cause, remedy: refusal.remedy });
  }
  if (name === 'TimeoutError' || errorCode(error) !== NO_CODE) {
    return name === 'TimeoutError'
      ? new KmsError('kms-timeout', `${kms} at ${host} did not answer in time`, { cause })
      : transportError(kms, host, error, signal);
  }
  return new KmsError('kms-protocol', `${kms} answered in a way that is not understood`, {
    cause,
    remedy: 'Check that endpoint is the address of AWS KMS and not of a web page or proxy.',
  });
}

function refusalOf(name: string, message: string, status: number | undefined): Refusal | undefined {
  if (name === 'KMSInvalidStateException') {
    return /pending ?(replica )?deletion/i.test(message)
      ? { kind: 'kms-key-pending-deletion', text: 'has this key waiting for its deletion' }
      : { kind: 'kms-key-disabled', text: 'has this key in a state that does not allow this' };
  }
  const known = BY_NAME[name];
  if (known || status === undefined) {
    return known;
  }
  if (status === 429) {
    return THROTTLED;
  }
  if (status === 403) {
    return BY_NAME['AccessDeniedException'];
  }
  return status >= 500 ? { kind: 'kms-unavailable', text: `failed with HTTP status ${status}` } : undefined;
}

function statusOf(error: unknown): number | undefined {
  const metadata = (error as { $metadata?: { httpStatusCode?: unknown } } | null)?.$metadata;
  return typeof metadata?.httpStatusCode === 'number' ? metadata.httpStatusCode : undefined;
}
