import { createCipheriv, createDecipheriv, randomBytes } from 'node:crypto';
import { CiphertextError, KEY_BYTES } from './dare';

const VERSION = 1;
const LENGTH_BYTES = 4;
const HEADER_BYTES = 1 + LENGTH_BYTES;
const NONCE_BYTES = 12;
const TAG_BYTES = 16;
const LOCAL_BYTES = NONCE_BYTES + KEY_BYTES + TAG_BYTES;
const ALGORITHM = 'aes-256-gcm';

/** The two halves of a data key that was wrapped under a bucket key. */
export interface BucketKeyEnvelope {
  /** The bucket key as the KMS wrapped it. */
  readonly kmsCiphertext: Buffer;
  /** The data key as the bucket key wrapped it: nonce (12) ‖ ciphertext (32) ‖ tag (16). */
  readonly localCiphertext: Buffer;
}

/**
 * Wraps a data key under a bucket key. The result carries the wrapped bucket key too, so any process that may call the KMS
 * can open it, and no bucket key is ever stored anywhere else.
 *
 * Layout: version (1 byte, 0x01) ‖ length of the KMS ciphertext (4, big endian) ‖ KMS ciphertext ‖ nonce ‖ ciphertext ‖ tag.
 *
 * @param dataKey 32 bytes
 * @param bucketKey 32 bytes
 * @param kmsCiphertext the bucket key as the KMS wrapped it
 * @param context canonical text of the object's encryption context; authenticated
 */
export function sealUnderBucketKey(dataKey: Buffer, bucketKey: Buffer, kmsCiphertext: Buffer, context: string): Buffer {
  const header = Buffer.alloc(HEADER_BYTES);
  header[0] = VERSION;
  header.writeUInt32BE(kmsCiphertext.length, 1);
  const nonce = randomBytes(NONCE_BYTES);
  const cipher = createCipheriv(ALGORITHM, bucketKey, nonce);
  cipher.setAAD(associatedData(context));
  return Buffer.concat([header, kmsCiphertext, nonce, cipher.update(dataKey), cipher.final(), cipher.getAuthTag()]);
}

/**
 * Splits what {@link sealUnderBucketKey} made.
 *
 * @throws CiphertextError when it has another form
 */
export function parseBucketKeyEnvelope(envelope: Buffer): BucketKeyEnvelope {
  if (envelope.length < HEADER_BYTES + LOCAL_BYTES || envelope[0] !== VERSION) {
    throw new CiphertextError('The wrapped data key is not of a known format');
  }
  const localOffset = HEADER_BYTES + envelope.readUInt32BE(1);
  if (envelope.length !== localOffset + LOCAL_BYTES) {
    throw new CiphertextError('The wrapped data key does not have the right length');
  }
  return {
    kmsCiphertext: envelope.subarray(HEADER_BYTES, localOffset),
    localCiphertext: envelope.subarray(localOffset),
  };
}

/**
 * Opens the local half of an envelope.
 *
 * @param context canonical text of the object's encryption context
 * @returns 32 bytes, owned by the caller
 * @throws CiphertextError when bucket key, context or any byte differs
 */
export function openUnderBucketKey(localCiphertext: Buffer, bucketKey: Buffer, context: string): Buffer {
  const decipher = createDecipheriv(ALGORITHM, bucketKey, localCiphertext.subarray(0, NONCE_BYTES), {
    authTagLength: TAG_BYTES,
  });
  decipher.setAAD(associatedData(context));
  decipher.setAuthTag(localCiphertext.subarray(NONCE_BYTES + KEY_BYTES));
  const dataKey = decipher.update(localCiphertext.subarray(NONCE_BYTES, NONCE_BYTES + KEY_BYTES));
  try {
    decipher.final();
  } catch (cause) {
    dataKey.fill(0);
    throw new CiphertextError('The wrapped data key does not authenticate under its bucket key', cause);
  }
  return dataKey;
}

function associatedData(context: string): Buffer {
  return Buffer.from(`strongroom/bucket-key/${VERSION}/${context}`, 'utf8');
}
