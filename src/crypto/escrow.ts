import type { KmsErrorKind } from '../kms/kms-error';
import { KmsError } from '../kms/kms-error';
import type { EncryptionRecord, EscrowSeal } from './encryption.types';

/**
 * Failures of the first KMS that the escrow stands in for, and whether they mean that it is away or that it is lost. Refused
 * access and disabled keys are not among them: somebody has meant them.
 */
const STANDS_IN_FOR: Partial<Readonly<Record<KmsErrorKind, 'unavailable' | 'lost'>>> = {
  'kms-unavailable': 'unavailable',
  'kms-timeout': 'unavailable',
  'kms-sealed': 'unavailable',
  'kms-throttled': 'unavailable',
  'kms-not-configured': 'lost',
  'kms-key-not-found': 'lost',
};

/** Why the escrow may be asked instead; undefined when it may not. */
export function escrowReason(error: unknown): 'unavailable' | 'lost' | undefined {
  return error instanceof KmsError ? STANDS_IN_FOR[error.kind] : undefined;
}

/** The record as it would be if the escrow seal were its only one. */
export function escrowRecord(record: EncryptionRecord, escrow: EscrowSeal): EncryptionRecord {
  return { ...record, ...escrow, escrow: undefined };
}
