import { createCipheriv, createDecipheriv, createHmac, randomBytes } from 'node:crypto';
import { KmsError } from '../kms-error';

const FORMAT = 1;
const HEADER_BYTES = 5;
const SALT_BYTES = 16;
const NONCE_BYTES = 12;
const TAG_BYTES = 16;
const OVERHEAD = HEADER_BYTES + SALT_BYTES + NONCE_BYTES + TAG_BYTES;

/** Version and key of one wrap by the embedded keyring. */
export interface WrappingKey {
  readonly keyId: string;
  readonly version: number;
  /** 32 bytes. */
  readonly material: Buffer;
}

/**
 * Wraps a data key with a key of the embedded keyring.
 *
 * Layout: 0x01 ‖ key version (4 bytes, big-endian) ‖ salt (16) ‖ nonce (12) ‖ AES-256-GCM ciphertext ‖ tag (16). Every wrap
 * has its own key, HMAC-SHA256(material, salt), so that random nonces set no bound on the number of wraps. Header, key id
 * and context are authenticated.
 *
 * @param context canonical text of the encryption context
 */
export function wrapWithKeyring(key: WrappingKey, plaintext: Buffer, context: Buffer): Buffer {
  const header = Buffer.alloc(HEADER_BYTES);
  header.writeUInt8(FORMAT, 0);
  header.writeUInt32BE(key.version, 1);
  const salt = randomBytes(SALT_BYTES);
  const nonce = randomBytes(NONCE_BYTES);
  const wrapKey = deriveKey(key.material, salt);
  const cipher = createCipheriv('aes-256-gcm', wrapKey, nonce);
  wrapKey.fill(0);
  cipher.setAAD(associatedData(header, key.keyId, context));
  return Buffer.concat([header, salt, nonce, cipher.update(plaintext), cipher.final(), cipher.getAuthTag()]);
}

/**
 * The key version a wrap was made with.
 * @throws KmsError `kms-invalid-ciphertext` when it is not in the keyring's format
 */
export function keyringVersionOf(ciphertext: Buffer): number {
  if (ciphertext.length <= OVERHEAD || ciphertext[0] !== FORMAT) {
    throw invalid();
  }
  return ciphertext.readUInt32BE(1);
}

/**
 * Undoes {@link wrapWithKeyring}.
 * @throws KmsError `kms-invalid-ciphertext` when any byte, the key or the context differs
 */
export function unwrapWithKeyring(key: WrappingKey, ciphertext: Buffer, context: Buffer): Buffer {
  const header = ciphertext.subarray(0, HEADER_BYTES);
  const salt = ciphertext.subarray(HEADER_BYTES, HEADER_BYTES + SALT_BYTES);
  const nonce = ciphertext.subarray(HEADER_BYTES + SALT_BYTES, HEADER_BYTES + SALT_BYTES + NONCE_BYTES);
  const sealed = ciphertext.subarray(HEADER_BYTES + SALT_BYTES + NONCE_BYTES, ciphertext.length - TAG_BYTES);
  const wrapKey = deriveKey(key.material, salt);
  const decipher = createDecipheriv('aes-256-gcm', wrapKey, nonce, { authTagLength: TAG_BYTES });
  wrapKey.fill(0);
  decipher.setAAD(associatedData(header, key.keyId, context));
  decipher.setAuthTag(ciphertext.subarray(ciphertext.length - TAG_BYTES));
  const plaintext = decipher.update(sealed);
  try {
    decipher.final();
    return plaintext;
  } catch {
    plaintext.fill(0);
    throw invalid();
  }
}

function deriveKey(material: Buffer, salt: Buffer): Buffer {
  return createHmac('sha256', material).update(salt).digest();
}

function associatedData(header: Buffer, keyId: string, context: Buffer): Buffer {
  const id = Buffer.from(keyId, 'utf8');
  const length = Buffer.alloc(2);
  length.writeUInt16BE(id.length, 0);
  return Buffer.concat([header, length, id, context]);
}

function invalid(): KmsError {
  return new KmsError(
    'kms-invalid-ciphertext',
    'The wrapped data key does not open with this key and encryption context',
  );
}
