import { createHmac, randomBytes } from 'node:crypto';
import { KEY_BYTES } from './dare';
import type { ObjectLocation } from './encryption.types';

/** How object keys are sealed; stored with every object so that the scheme can change. */
export const SEAL_ALGORITHM = 'DAREv2-HMAC-SHA256';

/** Binds a sealed key to the kind of encryption it is for; `DSSE-KMS` is Strongroom's, the others are MinIO's. */
export type SealDomain = 'SSE-C' | 'SSE-S3' | 'SSE-KMS' | 'DSSE-KMS';

const MAX_PART_NUMBER = 2 ** 32 - 1;

/**
 * Returns 32 fresh random bytes. MinIO derives its object keys from the data key and a discarded nonce; as readers only
 * ever unseal the key, random bytes are the same to them, and they are there before the KMS has answered.
 */
export function randomObjectKey(): Buffer {
  return randomBytes(KEY_BYTES);
}

/**
 * Derives the key of one part of a multipart object: HMAC-SHA256(object key, part number as 4 bytes little endian).
 *
 * @throws RangeError when the part number does not fit 32 bits
 */
export function derivePartKey(objectKey: Buffer, part: number): Buffer {
  if (!Number.isInteger(part) || part < 0 || part > MAX_PART_NUMBER) {
    throw new RangeError('A part number is a whole number of 32 bits');
  }
  const number = Buffer.alloc(4);
  number.writeUInt32LE(part);
  return hmac(objectKey, number);
}

/** Derives the key under which MinIO stores the MD5 of an SSE-S3 object. */
export function deriveEtagKey(objectKey: Buffer): Buffer {
  return hmac(objectKey, 'SSE-etag');
}

/**
 * Derives the two keys of dual-layer encryption. They are siblings: neither can be computed from the other, so breaking the
 * outer layer reveals nothing of the inner one.
 *
 * @param key the object key, or the part key of a multipart object
 */
export function deriveLayerKeys(key: Buffer): { readonly inner: Buffer; readonly outer: Buffer } {
  return { inner: hmac(key, 'DSSE-inner-layer'), outer: hmac(key, 'DSSE-outer-layer') };
}

/**
 * Derives the key that seals an object key: HMAC-SHA256(external key, IV ‖ domain ‖ algorithm ‖ path).
 *
 * @param externalKey 32 bytes: the KMS data key, or the client's key for SSE-C
 * @param iv 32 bytes
 */
export function deriveSealingKey(
  externalKey: Buffer,
  iv: Buffer,
  domain: SealDomain,
  location: ObjectLocation,
): Buffer {
  return hmac(externalKey, iv, domain, SEAL_ALGORITHM, boundPath(location));
}

/**
 * Returns the `bucket/key` text that keys are bound to.
 *
 * For every key MinIO can store this is what its path join gives, a single trailing slash included, which is dropped. Keys
 * with empty, `.` or `..` segments, which MinIO refuses, are taken literally: cleaned up like a path, two different objects
 * would share one text.
 */
export function boundPath({ bucket, key }: ObjectLocation): string {
  const path = `${bucket}/${key}`;
  const trimmed = key.endsWith('/') ? path.slice(0, -1) : path;
  const storableByMinio = trimmed.split('/').every((segment) => segment !== '' && segment !== '.' && segment !== '..');
  return storableByMinio ? trimmed : path;
}

function hmac(key: Buffer, ...parts: (Buffer | string)[]): Buffer {
  const mac = createHmac('sha256', key);
  for (const part of parts) {
    mac.update(part);
  }
  return mac.digest();
}
