import { KmsError, type KmsErrorKind } from '../kms-error';

const MAX_REASON = 300;

interface Refusal {
  readonly kind: KmsErrorKind;
  readonly text: string;
  readonly remedy?: string;
}

/** What KES said, kept as the cause of a KmsError: for operators, not for S3 clients. */
export class KesReason extends Error {
  override name = 'KesReason';
}

const BY_REASON: readonly (readonly [RegExp, Refusal])[] = [
  [/key already exists/, { kind: 'kms-key-exists', text: 'already has this key' }],
  [/key does not exist/, { kind: 'kms-key-not-found', text: 'has no such key' }],
  [
    /ciphertext is not authentic/,
    { kind: 'kms-invalid-ciphertext', text: 'cannot unwrap the data key with this key and encryption context' },
  ],
  [
    /client certificate is required|more than one client certificate/,
    {
      kind: 'kms-unauthenticated',
      text: 'did not get a client certificate',
      remedy: 'Set api_key or client_cert_file.',
    },
  ],
];

const BY_STATUS: Readonly<Record<number, Refusal>> = {
  400: { kind: 'kms-invalid-request', text: 'refused the request' },
  401: { kind: 'kms-unauthenticated', text: 'did not accept the credentials' },
  403: { kind: 'kms-access-denied', text: 'denied permission' },
  404: { kind: 'kms-unsupported', text: 'does not offer this operation' },
  405: { kind: 'kms-unsupported', text: 'does not offer this operation' },
  406: { kind: 'kms-unsupported', text: 'does not support this' },
  413: { kind: 'kms-invalid-request', text: 'refused the request as too large' },
  429: { kind: 'kms-throttled', text: 'is limiting the rate of requests' },
  501: { kind: 'kms-unsupported', text: 'does not offer this operation' },
  502: {
    kind: 'kms-unavailable',
    text: 'cannot reach its own key store',
    remedy: 'Look into the log of KES for the failure of its key store.',
  },
  504: { kind: 'kms-timeout', text: 'did not hear from its key store in time' },
};

/**
 * Translates an error answer of KES.
 *
 * @param kms `<type>:<target>`, for the message
 * @param message the text of `{"message":…}`
 */
export function kesError(kms: string, status: number, message: string): KmsError {
  const reason = message.slice(0, MAX_REASON);
  const { kind, text, remedy } = BY_REASON.find(([pattern]) => pattern.test(reason))?.[1] ?? byStatus(status);
  return new KmsError(kind, `${kms} ${text}`, { cause: new KesReason(`HTTP ${status}: ${reason}`), remedy });
}

function byStatus(status: number): Refusal {
  return (
    BY_STATUS[status] ??
    (status >= 500
      ? { kind: 'kms-unavailable', text: `failed with HTTP status ${status}` }
      : { kind: 'kms-protocol', text: `answered with an unexpected HTTP status ${status}` })
  );
}
