import { KmsError, type KmsErrorKind } from '../kms-error';

const MAX_REASON = 300;

/** What Vault said, kept as the cause of a KmsError: for operators, not for S3 clients. */
export class VaultReason extends Error {
  override name = 'VaultReason';
}

interface Refusal {
  readonly kind: KmsErrorKind;
  readonly text: string;
  readonly remedy?: string;
}

const UNWRAPPABLE =
  /message authentication failed|invalid ciphertext|unable to decrypt|disallowed by policy|missing 'context' for key derivation/;
const KEY_MISSING = /(encryption |signing )?key not found|policy not found/;
const BAD_LOGIN =
  /invalid (role|secret)|missing (role|secret)|failed to validate (credentials|secret)|error validating token|invalid audience|service account (name|namespace) not authorized|role .* (could not be found|not found)|invalid certificate|failed to match all constraints/i;

/** RustyVault answers most failures with HTTP 500; its texts tell them apart. */
const RUSTYVAULT: readonly (readonly [RegExp, Refusal])[] = [
  [/^Permission denied/, { kind: 'kms-access-denied', text: 'denied permission' }],
  [
    /^Logical backend (path|operation) not supported/,
    { kind: 'kms-unsupported', text: 'does not offer this operation' },
  ],
  [/^Lease is not renewable/, { kind: 'kms-invalid-request', text: 'does not renew this token' }],
  [
    /^(Auth token is not found|Request client token is missing)/,
    { kind: 'kms-access-denied', text: 'did not accept the token' },
  ],
  [/^RustyVault is not initialized/, { kind: 'kms-unavailable', text: 'is not initialised', remedy: 'Initialise it.' }],
];

const BY_STATUS: Readonly<Record<number, Refusal>> = {
  401: { kind: 'kms-unauthenticated', text: 'did not accept the credentials' },
  403: { kind: 'kms-access-denied', text: 'denied permission' },
  404: { kind: 'kms-key-not-found', text: 'has no such key' },
  405: { kind: 'kms-unsupported', text: 'does not offer this operation' },
  412: { kind: 'kms-unavailable', text: 'has not caught up with its own writes yet' },
  429: {
    kind: 'kms-throttled',
    text: 'is limiting the rate of requests',
    remedy: 'Raise the rate limit quota in Vault.',
  },
  472: {
    kind: 'kms-unavailable',
    text: 'is a disaster recovery secondary',
    remedy: 'Set endpoint to the primary cluster.',
  },
  473: {
    kind: 'kms-unavailable',
    text: 'is a performance standby that cannot serve this',
    remedy: 'Set endpoint to the active node.',
  },
};

/**
 * Translates an error answer of Vault.
 *
 * @param kms `<type>:<target>`, for the message
 * @param status HTTP status
 * @param errors the texts of Vault's `{"errors":[…]}`
 */
export function vaultError(kms: string, status: number, errors: readonly string[]): KmsError {
  const reason = errors.join('; ').slice(0, MAX_REASON);
  const { kind, text, remedy } = refusal(status, reason);
  const cause = new VaultReason(`HTTP ${status}${reason === '' ? '' : `: ${reason}`}`);
  return new KmsError(kind, `${kms} ${text}`, { cause, remedy });
}

function refusal(status: number, reason: string): Refusal {
  if (/no handler for route|unsupported path|Router mount not found/.test(reason)) {
    return {
      kind: 'kms-not-configured',
      text: 'has no secrets engine or auth method of that kind at the mount path, or not in this namespace',
      remedy: 'Enable it (vault secrets enable), or correct the mount path and namespace.',
    };
  }
  if (/Vault is sealed|barrier is sealed/i.test(reason)) {
    return { kind: 'kms-sealed', text: 'is sealed', remedy: 'Unseal Vault.' };
  }
  if (status === 403 && reason.includes('invalid token')) {
    return { kind: 'kms-access-denied', text: 'did not accept the token' };
  }
  const rusty = RUSTYVAULT.find(([pattern]) => pattern.test(reason));
  if (rusty) {
    return rusty[1];
  }
  if ((status === 400 || status === 500) && BAD_LOGIN.test(reason)) {
    return { kind: 'kms-unauthenticated', text: 'did not accept the credentials' };
  }
  if (status === 400) {
    return badRequest(reason);
  }
  const known = BY_STATUS[status];
  if (known) {
    return known;
  }
  return status >= 500
    ? { kind: 'kms-unavailable', text: `failed with HTTP status ${status}` }
    : { kind: 'kms-protocol', text: `answered with an unexpected HTTP status ${status}` };
}

function badRequest(reason: string): Refusal {
  if (KEY_MISSING.test(reason)) {
    return { kind: 'kms-key-not-found', text: 'has no such key' };
  }
  if (UNWRAPPABLE.test(reason)) {
    return { kind: 'kms-invalid-ciphertext', text: 'cannot unwrap the data key with this key and encryption context' };
  }
  return { kind: 'kms-invalid-request', text: 'refused the request' };
}
