import { randomBytes } from 'node:crypto';
import { CiphertextError, KEY_BYTES, sealedSize } from './dare';
import { DareOpener } from './dare-opener';
import { DareSealer } from './dare-sealer';
import { deriveSealingKey, SEAL_ALGORITHM, type SealDomain } from './key-derivation';
import type { EncryptionMode, ObjectLocation } from './encryption.types';

export const SEAL_IV_BYTES = 32;
export const SEALED_KEY_BYTES = sealedSize(KEY_BYTES);

/** An object key sealed under an external key; safe to store anywhere. */
export interface SealedObjectKey {
  readonly sealAlgorithm: string;
  /** 32 bytes */
  readonly iv: Buffer;
  /** 64 bytes */
  readonly sealedKey: Buffer;
}

const DOMAINS: Readonly<Record<Exclude<EncryptionMode, 'none'>, SealDomain>> = {
  'sse-c': 'SSE-C',
  'sse-s3': 'SSE-S3',
  'sse-kms': 'SSE-KMS',
  'dsse-kms': 'DSSE-KMS',
};

/** Returns the domain that object keys of an encryption mode are sealed in. */
export function sealDomain(mode: Exclude<EncryptionMode, 'none'>): SealDomain {
  return DOMAINS[mode];
}

/**
 * Seals an object key (`DAREv2-HMAC-SHA256`), bound to domain, bucket and key.
 *
 * @param objectKey 32 bytes
 * @param externalKey 32 bytes: the KMS data key, or the client's key for SSE-C
 */
export function sealObjectKey(
  objectKey: Buffer,
  externalKey: Buffer,
  domain: SealDomain,
  location: ObjectLocation,
): SealedObjectKey {
  assertKey(objectKey);
  assertKey(externalKey);
  const iv = randomBytes(SEAL_IV_BYTES);
  const sealingKey = deriveSealingKey(externalKey, iv, domain, location);
  const sealer = new DareSealer(sealingKey, { plaintextSize: objectKey.length });
  sealingKey.fill(0);
  const sealedKey = Buffer.concat([...sealer.update(objectKey), ...sealer.final()]);
  return { sealAlgorithm: SEAL_ALGORITHM, iv, sealedKey };
}

/**
 * Opens what {@link sealObjectKey} or MinIO sealed.
 *
 * @returns 32 bytes, owned by the caller, to be zeroed after use
 * @throws CiphertextError when external key, domain, location or any byte differs, or the algorithm is not
 *   `DAREv2-HMAC-SHA256`
 */
export function unsealObjectKey(
  sealed: SealedObjectKey,
  externalKey: Buffer,
  domain: SealDomain,
  location: ObjectLocation,
): Buffer {
  if (sealed.sealAlgorithm !== SEAL_ALGORITHM) {
    throw new CiphertextError('The object key is sealed with an unknown algorithm');
  }
  if (sealed.iv.length !== SEAL_IV_BYTES || sealed.sealedKey.length !== SEALED_KEY_BYTES) {
    throw new CiphertextError('The sealed object key does not have the right length');
  }
  assertKey(externalKey);
  const sealingKey = deriveSealingKey(externalKey, sealed.iv, domain, location);
  const opener = new DareOpener(sealingKey, { plaintextSize: KEY_BYTES });
  sealingKey.fill(0);
  const pieces = opener.update(sealed.sealedKey);
  opener.final();
  const objectKey = Buffer.alloc(KEY_BYTES);
  let offset = 0;
  for (const piece of pieces) {
    offset += piece.copy(objectKey, offset);
    piece.fill(0);
  }
  return objectKey;
}

function assertKey(key: Buffer): void {
  if (key.length !== KEY_BYTES) {
    throw new RangeError('Keys are 32 bytes long');
  }
}
