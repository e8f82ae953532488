import { DomainError, type DomainErrorOptions } from '../common/domain-error';

/** Why a KMS call failed; every provider maps its own failures onto these. */
export type KmsErrorKind =
  /** No KMS target is configured or enabled for the requested key. */
  | 'kms-not-configured'
  /** Refused, reset or unresolvable connection, 5xx answers, open circuit breaker. */
  | 'kms-unavailable'
  | 'kms-timeout'
  | 'kms-sealed'
  | 'kms-throttled'
  /** The credentials are missing, expired or rejected. */
  | 'kms-unauthenticated'
  /** The credentials are fine but may not do this. */
  | 'kms-access-denied'
  | 'kms-key-not-found'
  | 'kms-key-exists'
  | 'kms-key-disabled'
  | 'kms-key-pending-deletion'
  /** The wrapped key does not authenticate: altered, of another key, or bound to another encryption context. */
  | 'kms-invalid-ciphertext'
  | 'kms-unsupported'
  | 'kms-invalid-request'
  /** An answer the provider does not understand; always fails closed. */
  | 'kms-protocol';

const RETRYABLE: ReadonlySet<KmsErrorKind> = new Set(['kms-unavailable', 'kms-timeout', 'kms-sealed', 'kms-throttled']);

/** A failed KMS call. `message` names the KMS and the reason, never key material, tokens or ciphertext. */
export class KmsError extends DomainError {
  declare readonly kind: KmsErrorKind;

  constructor(kind: KmsErrorKind, message: string, options: DomainErrorOptions = {}) {
    super(kind, message, { retryable: RETRYABLE.has(kind), ...options });
  }
}
