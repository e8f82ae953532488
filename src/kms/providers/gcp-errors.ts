import { KmsError, type KmsErrorKind } from '../kms-error';

const MAX_REASON = 300;

/** What Google said, kept as the cause of a KmsError: for operators, not for S3 clients. */
export class GcpReason extends Error {
  override name = 'GcpReason';

  constructor(text: string) {
    super(text.slice(0, MAX_REASON));
  }
}

/** The error member of an answer, as in google.rpc.Status. */
interface RpcStatus {
  readonly status: string;
  readonly message: string;
  /** Everything, for the precondition that was not met and the reason. */
  readonly text: string;
}

interface Refusal {
  readonly kind: KmsErrorKind;
  readonly text: string;
  readonly remedy?: string;
}

const BAD_CREDENTIALS: Refusal = {
  kind: 'kms-unauthenticated',
  text: 'did not accept the credentials',
  remedy:
    'Check credentials_file or credentials_json, or the Application Default Credentials of this machine: the service ' +
    'account may be disabled, its key deleted, or the clock of this machine wrong.',
};
const UNAVAILABLE: Refusal = { kind: 'kms-unavailable', text: 'failed inside' };

const BY_STATUS: Readonly<Record<string, Refusal>> = {
  UNAUTHENTICATED: BAD_CREDENTIALS,
  PERMISSION_DENIED: { kind: 'kms-access-denied', text: 'denied permission' },
  NOT_FOUND: { kind: 'kms-key-not-found', text: 'has no such key' },
  ALREADY_EXISTS: { kind: 'kms-key-exists', text: 'already has a key of this name' },
  INVALID_ARGUMENT: { kind: 'kms-invalid-request', text: 'refused the request' },
  OUT_OF_RANGE: { kind: 'kms-invalid-request', text: 'refused the request' },
  RESOURCE_EXHAUSTED: {
    kind: 'kms-throttled',
    text: 'is limiting the rate of requests',
    remedy: 'Raise the quotas of Cloud KMS (cryptographic requests, HSM requests) of this project.',
  },
  DEADLINE_EXCEEDED: { kind: 'kms-timeout', text: 'timed out inside' },
  UNAVAILABLE: { kind: 'kms-unavailable', text: 'is not available' },
  ABORTED: UNAVAILABLE,
  CANCELLED: UNAVAILABLE,
  INTERNAL: UNAVAILABLE,
  UNKNOWN: UNAVAILABLE,
  DATA_LOSS: UNAVAILABLE,
  UNIMPLEMENTED: { kind: 'kms-unsupported', text: 'does not offer this' },
};

/** A version whose deletion is scheduled says so together with being not enabled; the order matters. */
const BY_PRECONDITION: readonly (readonly [RegExp, Refusal])[] = [
  [/DESTROY_SCHEDULED/, { kind: 'kms-key-pending-deletion', text: 'has this key waiting for its deletion' }],
  [/DESTROYED/, { kind: 'kms-key-not-found', text: 'has destroyed this version of the key' }],
  [/DISABLED/, { kind: 'kms-key-disabled', text: 'has this key disabled' }],
  [/PENDING_GENERATION/, { kind: 'kms-unavailable', text: 'is still making this key' }],
];

/**
 * Translates an answer that is no success.
 *
 * @param kms `<type>:<target>`, for the message
 * @param text the body of the answer
 */
export function gcpRefusal(kms: string, httpStatus: number, text: string): KmsError {
  const answer = rpcStatus(text);
  if (answer?.status === 'INVALID_ARGUMENT' && /crc32c|checksum/i.test(answer.message)) {
    return gcpDamage(kms);
  }
  const { kind, text: words, remedy } = (answer && refusalOf(answer)) ?? refusalByHttp(httpStatus);
  const cause = new GcpReason(`HTTP ${httpStatus}${answer ? `, ${answer.status}: ${answer.message}` : ''}`);
  return new KmsError(kind, `${kms} ${words}`, { cause, remedy });
}

/** Bytes that are not those that were sent; worth another attempt, as Google recommends. */
export function gcpDamage(kms: string): KmsError {
  return new KmsError('kms-protocol', `What ${kms} got or answered was altered on the way`, {
    retryable: true,
    remedy: 'Look for a faulty proxy or memory when this comes again.',
  });
}

/** A credential that could not be turned into a token. */
export function gcpCredentialsError(kms: string, cause: GcpReason): KmsError {
  return new KmsError('kms-unauthenticated', `${kms}: no access token can be had with the credentials`, {
    cause,
    remedy: BAD_CREDENTIALS.remedy,
  });
}

/** An answer that nobody but Cloud KMS could have given, if only it were one. */
export function gcpProtocolError(kms: string, cause: unknown): KmsError {
  const reason = cause instanceof Error ? new GcpReason(`${cause.name} while reading the answer`) : undefined;
  return new KmsError('kms-protocol', `${kms} answered in a way that is not understood`, {
    cause: reason,
    remedy: 'Check that endpoint is the address of Cloud KMS and not of a web page or proxy.',
  });
}

function refusalOf({ status, text }: RpcStatus): Refusal | undefined {
  if (status === 'FAILED_PRECONDITION') {
    return (
      BY_PRECONDITION.find(([pattern]) => pattern.test(text))?.[1] ?? {
        kind: 'kms-invalid-request',
        text: 'cannot do this with the key as it is',
      }
    );
  }
  if (status === 'PERMISSION_DENIED' && text.includes('SERVICE_DISABLED')) {
    return {
      kind: 'kms-access-denied',
      text: 'is not turned on in this project',
      remedy: 'Enable the API: gcloud services enable cloudkms.googleapis.com',
    };
  }
  return BY_STATUS[status];
}

function refusalByHttp(status: number): Refusal {
  if (status === 401) {
    return BAD_CREDENTIALS;
  }
  if (status === 429) {
    return BY_STATUS['RESOURCE_EXHAUSTED'] as Refusal;
  }
  return status >= 500
    ? { kind: 'kms-unavailable', text: `failed with HTTP status ${status}` }
    : {
        kind: 'kms-protocol',
        text: `answered HTTP status ${status} without saying why`,
        remedy: 'Check that endpoint is the address of Cloud KMS and not of a web page or proxy.',
      };
}

function rpcStatus(text: string): RpcStatus | undefined {
  try {
    const { error } = JSON.parse(text) as { error?: { status?: unknown; message?: unknown } };
    return typeof error?.status === 'string'
      ? { status: error.status, message: String(error.message), text: JSON.stringify(error) }
      : undefined;
  } catch {
    return undefined;
  }
}
