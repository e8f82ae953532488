import { KmsError, type KmsErrorKind } from '../kms-error';
import { transportError } from './transport-errors';

const MAX_REASON = 300;

/** What Azure said, kept as the cause of a KmsError: for operators, not for S3 clients. */
export class AzureReason extends Error {
  override name = 'AzureReason';
}

interface Refusal {
  readonly kind: KmsErrorKind;
  readonly text: string;
  readonly remedy?: string;
}

const DISABLED: Refusal = { kind: 'kms-key-disabled', text: 'has this key or its version disabled' };
const OUT_OF_DATE: Refusal = {
  kind: 'kms-key-disabled',
  text: 'has this version of the key expired, or not valid yet',
  remedy: 'Rotate the key, or change its dates of activation and expiry.',
};
const MISSING: Refusal = { kind: 'kms-key-not-found', text: 'has no such key' };
const DELETED: Refusal = { kind: 'kms-key-pending-deletion', text: 'has this key deleted, to be recovered or purged' };
const THROTTLED: Refusal = {
  kind: 'kms-throttled',
  text: 'is limiting the rate of requests',
  remedy: 'Use bucket keys or the data key cache, or spread keys over several vaults: the limits are per vault.',
};

/** By the innermost code of the answer. */
const BY_CODE: Readonly<Record<string, Refusal>> = {
  KeyDisabled: DISABLED,
  KeyExpired: OUT_OF_DATE,
  KeyNotYetValid: OUT_OF_DATE,
  KeyNotFound: MISSING,
  KeyOperationForbidden: {
    kind: 'kms-unsupported',
    text: 'does not permit wrapping and unwrapping with this key',
    remedy: 'Permit the operations wrapKey and unwrapKey on the key.',
  },
  ForbiddenByFirewall: {
    kind: 'kms-access-denied',
    text: 'does not admit the address of this machine',
    remedy: 'Admit this machine in the networking settings of the vault, or use a private endpoint.',
  },
  ObjectIsDeletedButRecoverable: DELETED,
  ObjectIsBeingDeleted: DELETED,
  ObjectIsBeingRecovered: { kind: 'kms-unavailable', text: 'is still recovering this key' },
};

const BY_STATUS: Readonly<Record<number, Refusal>> = {
  400: { kind: 'kms-invalid-request', text: 'refused the request' },
  401: {
    kind: 'kms-unauthenticated',
    text: 'did not accept the token of Entra ID',
    remedy: 'Check that tenant_id is the tenant of the vault.',
  },
  403: { kind: 'kms-access-denied', text: 'denied permission' },
  409: { kind: 'kms-invalid-request', text: 'refused the request because of another change to the key' },
};

/** Failures to sign in, by what Entra ID calls them. */
const SIGN_IN_REMEDIES: readonly (readonly [RegExp, string])[] = [
  [/AADSTS7000222/, 'The client secret has expired: make a new one in Entra ID and set client_secret.'],
  [/AADSTS7000215/, 'Set client_secret to the value of the secret, not to its id.'],
  [/AADSTS700016/, 'Check client_id, and that the application is in the tenant of tenant_id.'],
  [/AADSTS9000[0-9]/, 'Check tenant_id, and authority_host for another cloud.'],
  [/AADSTS70002[47]/, 'Register the certificate of client_certificate_file with the application, or renew it.'],
  [/not configured to acquire tokens for tenant/i, 'Set tenant_id to the tenant of the vault.'],
  [
    /challenge resource/i,
    'Check vault_url. Only for an emulator or a private address under another name, turn verify_challenge off.',
  ],
  [/ENOENT|EACCES|PEM/, 'Make the file of client_certificate_file readable, with certificate and key as PEM in it.'],
];

/**
 * An answer that means "later", whatever is in it; undefined for any other.
 * @param who names the service in the message
 */
export function passingFailure(who: string, status: number, reason: string): KmsError | undefined {
  const cause = reasonOf(status, reason);
  if (status === 429) {
    return new KmsError(THROTTLED.kind, `${who} ${THROTTLED.text}`, { cause, remedy: THROTTLED.remedy });
  }
  return status >= 500
    ? new KmsError('kms-unavailable', `${who} failed with HTTP status ${status}`, { cause })
    : undefined;
}

/** A failure to get a token that is not one of the way to Entra ID. */
export function signInError(kms: string, error: unknown): KmsError {
  if (error instanceof KmsError) {
    return error;
  }
  const message = messageOf(error);
  const remedy = SIGN_IN_REMEDIES.find(([pattern]) => pattern.test(message))?.[1];
  return new KmsError('kms-unauthenticated', `${kms} cannot be used: signing in to Entra ID failed`, {
    cause: reasonOf(undefined, message),
    remedy: remedy ?? 'Check the credentials, or what the default credential chain finds on this machine.',
  });
}

/**
 * Translates whatever the Azure SDK throws; failures of the way are KmsErrors already.
 *
 * @param kms `<type>:<target>`, for the message
 * @param signal the call's own signal: when it was aborted, its reason is the failure
 * @param accessRemedy what to do when permission is missing
 */
export function azureError(
  kms: string,
  host: string,
  error: unknown,
  signal: AbortSignal,
  accessRemedy: string,
): KmsError {
  if (error instanceof KmsError || signal.aborted) {
    return transportError(kms, host, error, signal);
  }
  const message = messageOf(error);
  if (/challenge resource|challenge contains invalid scope/.test(message)) {
    return signInError(kms, error);
  }
  const status = (error as { statusCode?: unknown } | null)?.statusCode;
  const refusal = typeof status === 'number' ? refusalOf(status, error, message) : undefined;
  if (refusal) {
    const remedy = refusal.remedy ?? (refusal.kind === 'kms-access-denied' ? accessRemedy : undefined);
    return new KmsError(refusal.kind, `${kms} ${refusal.text}`, { cause: reasonOf(Number(status), message), remedy });
  }
  return new KmsError('kms-protocol', `${kms} answered in a way that is not understood`, {
    cause: reasonOf(typeof status === 'number' ? status : undefined, message),
    remedy: 'Check that vault_url is the address of a Key Vault and not of a web page or proxy.',
  });
}

function refusalOf(status: number, error: unknown, message: string): Refusal | undefined {
  const codes = codesOf((error as { details?: unknown }).details);
  const known = codes.map((code) => BY_CODE[code]).find((each) => each !== undefined);
  if (known) {
    return known;
  }
  if (status === 403 && /disabled key|key is disabled/i.test(message)) {
    return DISABLED;
  }
  return BY_STATUS[status] ?? (status === 404 && codes.length > 0 ? MISSING : undefined);
}

/** Codes of `{ error: { code, innerError: { code, … } } }`, the innermost first. */
function codesOf(details: unknown): string[] {
  const codes: string[] = [];
  let at = (details as { error?: unknown } | undefined)?.error;
  while (typeof at === 'object' && at !== null && codes.length < 8) {
    const { code, innerError } = at as { code?: unknown; innerError?: unknown };
    if (typeof code === 'string') {
      codes.unshift(code);
    }
    at = innerError;
  }
  return codes;
}

function messageOf(error: unknown): string {
  const message = (error as { message?: unknown } | null)?.message;
  return typeof message === 'string' ? message : 'unknown failure';
}

function reasonOf(status: number | undefined, message: string): AzureReason {
  return new AzureReason(`${status === undefined ? '' : `HTTP ${status}, `}${message}`.slice(0, MAX_REASON));
}
