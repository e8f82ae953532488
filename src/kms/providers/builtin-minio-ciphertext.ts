import { createCipheriv, createDecipheriv, createHmac, randomBytes, type CipherGCMTypes } from 'node:crypto';
import { KmsError } from '../kms-error';
import { hchacha20 } from './builtin-hchacha20';

const IV_BYTES = 16;
const NONCE_BYTES = 12;
const TAG_BYTES = 16;
const RANDOM_BYTES = IV_BYTES + NONCE_BYTES;

/** A MinIO static key, `MINIO_KMS_SECRET_KEY=<name>:<base64 of 32 bytes>`. */
export interface MinioStaticKey {
  readonly name: string;
  readonly material: Buffer;
}

interface SplitCiphertext {
  readonly algorithm: 'AES-256-GCM-HMAC-SHA-256' | 'ChaCha20Poly1305';
  readonly iv: Buffer;
  readonly nonce: Buffer;
  /** Ciphertext and tag. */
  readonly sealed: Buffer;
}

/** Reads `<name>:<base64 of 32 bytes>`; undefined when it is not that. */
export function parseMinioSecretKey(text: string): MinioStaticKey | undefined {
  const match = /^([^:\s/]+):([A-Za-z0-9+/]{43}=)$/.exec(text.trim());
  const material = Buffer.from(match?.[2] ?? '', 'base64');
  return match?.[1] !== undefined && material.length === 32 ? { name: match[1], material } : undefined;
}

/**
 * Wraps a data key as MinIO's static key and KES do: AES-256-GCM under HMAC-SHA256(master, iv), output
 * ciphertext ‖ tag ‖ iv (16 bytes) ‖ nonce (12 bytes).
 *
 * @param context canonical text of the encryption context
 */
export function wrapAsMinio(material: Buffer, plaintext: Buffer, context: Buffer): Buffer {
  const iv = randomBytes(IV_BYTES);
  const nonce = randomBytes(NONCE_BYTES);
  const cipher = createCipheriv('aes-256-gcm', createHmac('sha256', material).update(iv).digest(), nonce);
  cipher.setAAD(context);
  return Buffer.concat([cipher.update(plaintext), cipher.final(), cipher.getAuthTag(), iv, nonce]);
}

/**
 * Undoes {@link wrapAsMinio}, and opens the JSON form of older MinIO releases, ChaCha20-Poly1305 included.
 * @throws KmsError `kms-invalid-ciphertext`
 */
export function unwrapAsMinio(material: Buffer, ciphertext: Buffer, context: Buffer): Buffer {
  const { algorithm, iv, nonce, sealed } = splitJson(ciphertext) ?? splitBinary(ciphertext);
  if (sealed.length <= TAG_BYTES) {
    throw invalid();
  }
  const aes = algorithm === 'AES-256-GCM-HMAC-SHA-256';
  const key = aes ? createHmac('sha256', material).update(iv).digest() : hchacha20(material, iv);
  const cipherName = (aes ? 'aes-256-gcm' : 'chacha20-poly1305') as CipherGCMTypes;
  const decipher = createDecipheriv(cipherName, key, nonce, { authTagLength: TAG_BYTES });
  key.fill(0);
  const body = sealed.subarray(0, sealed.length - TAG_BYTES);
  decipher.setAAD(context, { plaintextLength: body.length });
  decipher.setAuthTag(sealed.subarray(sealed.length - TAG_BYTES));
  const plaintext = decipher.update(body);
  try {
    decipher.final();
    return plaintext;
  } catch {
    plaintext.fill(0);
    throw invalid();
  }
}

function splitBinary(ciphertext: Buffer): SplitCiphertext {
  if (ciphertext.length <= RANDOM_BYTES + TAG_BYTES) {
    throw invalid();
  }
  const randomAt = ciphertext.length - RANDOM_BYTES;
  return {
    algorithm: 'AES-256-GCM-HMAC-SHA-256',
    sealed: ciphertext.subarray(0, randomAt),
    iv: ciphertext.subarray(randomAt, randomAt + IV_BYTES),
    nonce: ciphertext.subarray(randomAt + IV_BYTES),
  };
}

/** Undefined for binary ciphertext, which may by chance begin and end like a JSON object. */
function splitJson(ciphertext: Buffer): SplitCiphertext | undefined {
  if (ciphertext[0] !== 0x7b || ciphertext[ciphertext.length - 1] !== 0x7d) {
    return undefined;
  }
  let value: Partial<Record<'aead' | 'iv' | 'nonce' | 'bytes', unknown>>;
  try {
    value = JSON.parse(ciphertext.toString('utf8')) as typeof value;
  } catch {
    return undefined;
  }
  const [iv, nonce, sealed] = [value.iv, value.nonce, value.bytes].map((field) => Buffer.from(String(field), 'base64'));
  const algorithm = value.aead;
  if (algorithm !== 'AES-256-GCM-HMAC-SHA-256' && algorithm !== 'ChaCha20Poly1305') {
    return undefined;
  }
  return iv?.length === IV_BYTES && nonce?.length === NONCE_BYTES && sealed
    ? { algorithm, iv, nonce, sealed }
    : undefined;
}

function invalid(): KmsError {
  return new KmsError(
    'kms-invalid-ciphertext',
    'The wrapped data key does not open with this key and encryption context',
  );
}
