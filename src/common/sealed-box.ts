import { createCipheriv, createDecipheriv, randomBytes } from 'node:crypto';

const VERSION = 1;
const NONCE_BYTES = 12;
const TAG_BYTES = 16;
const HEADER_BYTES = 1 + NONCE_BYTES;

/** A sealed box that was altered, sealed under another key, or bound to another purpose. */
export class SealedBoxError extends Error {
  override name = 'SealedBoxError';
}

/**
 * Seals a small secret with AES-256-GCM.
 *
 * Layout: version (1 byte, 0x01) ‖ nonce (12 bytes, random) ‖ ciphertext ‖ tag (16 bytes). The purpose is authenticated
 * together with the version, so a value cannot be moved to another column or row.
 *
 * @param key 32 bytes
 * @param purpose names the place the value belongs to, e.g. `kms-keyring:my-key:3`
 */
export function seal(key: Buffer, plaintext: Buffer, purpose: string): Buffer {
  const nonce = randomBytes(NONCE_BYTES);
  const cipher = createCipheriv('aes-256-gcm', key, nonce);
  cipher.setAAD(associatedData(purpose));
  return Buffer.concat([Buffer.of(VERSION), nonce, cipher.update(plaintext), cipher.final(), cipher.getAuthTag()]);
}

/**
 * Opens what {@link seal} made.
 *
 * @throws SealedBoxError when the key, the purpose or any byte differs
 */
export function unseal(key: Buffer, box: Buffer, purpose: string): Buffer {
  if (box.length < HEADER_BYTES + TAG_BYTES || box[0] !== VERSION) {
    throw new SealedBoxError('The sealed value is not in a known format');
  }
  const decipher = createDecipheriv('aes-256-gcm', key, box.subarray(1, HEADER_BYTES));
  decipher.setAAD(associatedData(purpose));
  decipher.setAuthTag(box.subarray(box.length - TAG_BYTES));
  try {
    return Buffer.concat([decipher.update(box.subarray(HEADER_BYTES, box.length - TAG_BYTES)), decipher.final()]);
  } catch (cause) {
    throw new SealedBoxError('The sealed value cannot be opened: wrong root key or altered bytes', { cause });
  }
}

function associatedData(purpose: string): Buffer {
  return Buffer.from(`strongroom/sealed-box/${VERSION}/${purpose}`, 'utf8');
}
