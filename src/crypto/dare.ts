import { DomainError } from '../common/domain-error';
import type { DareCipher, DareRange } from './encryption.types';

/** First byte of every DARE 2.0 package. */
export const DARE_VERSION = 0x20;
/** Version (1), cipher (1), payload length − 1 (2, little endian), nonce (12) whose top bit flags the final package. */
export const HEADER_BYTES = 16;
/** Every package but the last carries exactly this much plaintext. */
export const PAYLOAD_BYTES = 65536;
export const TAG_BYTES = 16;
export const OVERHEAD_BYTES = HEADER_BYTES + TAG_BYTES;
export const PACKAGE_BYTES = PAYLOAD_BYTES + OVERHEAD_BYTES;
export const NONCE_BYTES = 12;
export const NONCE_OFFSET = 4;
/** The header bytes that are authenticated as associated data; the nonce authenticates itself. */
export const ASSOCIATED_BYTES = 4;
export const FINAL_FLAG = 0x80;
export const KEY_BYTES = 32;
/** Sequence numbers are 32 bits wide. */
export const MAX_PACKAGES = 2 ** 32;

/** Header byte and OpenSSL name of each cipher. */
export const DARE_CIPHERS: Readonly<Record<DareCipher, { readonly id: number; readonly algorithm: AeadAlgorithm }>> = {
  'AES-256-GCM': { id: 0, algorithm: 'aes-256-gcm' },
  'CHACHA20-POLY1305': { id: 1, algorithm: 'chacha20-poly1305' },
};

export type AeadAlgorithm = 'aes-256-gcm' | 'chacha20-poly1305';

/** Ciphertext that is not what was sealed: altered, cut, extended, reordered, moved, or of another key. */
export class CiphertextError extends DomainError {
  constructor(message: string, cause?: unknown) {
    super('ObjectTampered', message, { cause });
  }
}

/** Number of packages that hold this many bytes of plaintext; none for an empty object. */
export function packageCount(plaintextSize: number): number {
  assertSize(plaintextSize);
  return Math.ceil(plaintextSize / PAYLOAD_BYTES);
}

/** Bytes that this many bytes of plaintext take when sealed; 0 for an empty object. */
export function sealedSize(plaintextSize: number): number {
  return plaintextSize + packageCount(plaintextSize) * OVERHEAD_BYTES;
}

/**
 * Finds the packages that hold a range of plaintext.
 *
 * @param plaintextSize bytes of the whole object or part
 * @param first offset of the first byte wanted
 * @param length bytes wanted; with 0 nothing is to be read at all
 * @throws RangeError when the range does not lie inside the object; clients' ranges are resolved before
 */
export function planRange(plaintextSize: number, first: number, length: number): DareRange {
  assertSize(plaintextSize);
  if (!Number.isSafeInteger(first) || !Number.isSafeInteger(length) || first < 0 || length < 0) {
    throw new RangeError('A range consists of non-negative whole numbers');
  }
  if (first + length > plaintextSize) {
    throw new RangeError('The range ends behind the object');
  }
  if (length === 0) {
    return { ciphertextOffset: 0, ciphertextLength: 0, firstSequence: 0, skip: 0, length: 0 };
  }
  const firstSequence = Math.floor(first / PAYLOAD_BYTES);
  const endSequence = Math.ceil((first + length) / PAYLOAD_BYTES);
  const ciphertextOffset = firstSequence * PACKAGE_BYTES;
  const ciphertextEnd = Math.min(endSequence * PACKAGE_BYTES, sealedSize(plaintextSize));
  return {
    ciphertextOffset,
    ciphertextLength: ciphertextEnd - ciphertextOffset,
    firstSequence,
    skip: first - firstSequence * PAYLOAD_BYTES,
    length,
  };
}

/**
 * Derives the AEAD nonce of a package: the stream's nonce with the sequence number mixed into its last four bytes (little
 * endian) and the final flag in its top bit.
 */
export function writePackageNonce(target: Buffer, streamNonce: Buffer, sequence: number, final: boolean): void {
  streamNonce.copy(target, 0, 0, NONCE_BYTES);
  target.writeUInt32LE((streamNonce.readUInt32LE(NONCE_BYTES - 4) ^ sequence) >>> 0, NONCE_BYTES - 4);
  if (final) {
    target[0] = target.readUInt8(0) | FINAL_FLAG;
  }
}

function assertSize(plaintextSize: number): void {
  if (!Number.isSafeInteger(plaintextSize) || plaintextSize < 0 || plaintextSize > MAX_PACKAGES * PAYLOAD_BYTES) {
    throw new RangeError('A size is a whole number of bytes up to 256 TiB');
  }
}
