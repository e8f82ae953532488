import type { EncryptionContext } from '../common/encryption-context';
import type { EncryptionMode, EncryptionRecord, EscrowSeal } from '../crypto/encryption.types';
import type { EncryptionInfo } from './object-storage.types';

/** The columns that hold an {@link EncryptionRecord}, in object versions and in uploads. */
export const ENCRYPTION_COLUMNS = [
  'mode',
  'iv',
  'seal_algorithm',
  'sealed_key',
  'wrapped_key',
  'kms',
  'kms_key_id',
  'kms_key_version',
  'kms_context',
  'bucket_key',
  'multipart',
  'escrow_iv',
  'escrow_seal_algorithm',
  'escrow_sealed_key',
  'escrow_wrapped_key',
  'escrow_kms',
  'escrow_key_id',
  'escrow_key_version',
] as const;

export interface EncryptionRow {
  readonly mode: EncryptionMode;
  readonly iv: Buffer | null;
  readonly seal_algorithm: string | null;
  readonly sealed_key: Buffer | null;
  readonly wrapped_key: Buffer | null;
  readonly kms: string | null;
  readonly kms_key_id: string | null;
  readonly kms_key_version: string | null;
  readonly kms_context: EncryptionContext | null;
  readonly bucket_key: boolean | null;
  readonly multipart: boolean;
  readonly escrow_iv: Buffer | null;
  readonly escrow_seal_algorithm: string | null;
  readonly escrow_sealed_key: Buffer | null;
  readonly escrow_wrapped_key: Buffer | null;
  readonly escrow_kms: string | null;
  readonly escrow_key_id: string | null;
  readonly escrow_key_version: string | null;
}

/** Returns the values of {@link ENCRYPTION_COLUMNS} in order; an absent record means an object that is not encrypted. */
export function encryptionValues(record: EncryptionRecord | undefined): unknown[] {
  return [
    record?.mode ?? 'none',
    record?.iv,
    record?.sealAlgorithm,
    record?.sealedKey,
    record?.wrappedKey?.ciphertext,
    record?.wrappedKey?.kms,
    record?.wrappedKey?.keyId,
    record?.wrappedKey?.keyVersion,
    record?.context === undefined ? undefined : JSON.stringify(record.context),
    record?.bucketKey,
    record?.multipart ?? false,
    ...escrowValues(record?.escrow),
  ];
}

function escrowValues(escrow: EscrowSeal | undefined): unknown[] {
  return [
    escrow?.iv,
    escrow?.sealAlgorithm,
    escrow?.sealedKey,
    escrow?.wrappedKey.ciphertext,
    escrow?.wrappedKey.kms,
    escrow?.wrappedKey.keyId,
    escrow?.wrappedKey.keyVersion,
  ];
}

/**
 * Restores the record of an encrypted object; undefined for one that is not.
 * @throws Error when a row lacks what an encrypted object must have
 */
export function encryptionRecord(row: EncryptionRow): EncryptionRecord | undefined {
  if (row.mode === 'none') {
    return undefined;
  }
  if (row.iv === null || row.seal_algorithm === null || row.sealed_key === null) {
    throw new Error('An encrypted object has no sealed key in its row');
  }
  const wrapped =
    row.wrapped_key === null || row.kms === null || row.kms_key_id === null
      ? undefined
      : {
          kms: row.kms,
          keyId: row.kms_key_id,
          keyVersion: row.kms_key_version ?? undefined,
          ciphertext: row.wrapped_key,
        };
  return {
    mode: row.mode,
    iv: row.iv,
    sealAlgorithm: row.seal_algorithm,
    sealedKey: row.sealed_key,
    wrappedKey: wrapped,
    context: row.kms_context ?? undefined,
    bucketKey: row.bucket_key ?? undefined,
    multipart: row.multipart,
    escrow: escrowSeal(row),
  };
}

function escrowSeal(row: EncryptionRow): EscrowSeal | undefined {
  const { escrow_iv: iv, escrow_seal_algorithm: sealAlgorithm, escrow_sealed_key: sealedKey } = row;
  const { escrow_wrapped_key: ciphertext, escrow_kms: kms, escrow_key_id: keyId } = row;
  if (iv === null || sealAlgorithm === null || sealedKey === null) {
    return undefined;
  }
  if (ciphertext === null || kms === null || keyId === null) {
    return undefined;
  }
  const wrappedKey = { kms, keyId, keyVersion: row.escrow_key_version ?? undefined, ciphertext };
  return { iv, sealAlgorithm, sealedKey, wrappedKey };
}

/** What answers show of a record. */
export function encryptionInfo(record: EncryptionRecord | undefined): EncryptionInfo {
  if (record === undefined) {
    return { mode: 'none' };
  }
  return {
    mode: record.mode,
    kms: record.wrappedKey?.kms,
    keyId: record.wrappedKey?.keyId,
    keyVersion: record.wrappedKey?.keyVersion,
    context: record.context,
    bucketKey: record.bucketKey,
  };
}
