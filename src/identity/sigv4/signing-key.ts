import { createHmac, timingSafeEqual } from 'node:crypto';

const MAX_CACHED_KEYS = 256;
const cache = new Map<string, { readonly secret: string; readonly key: Buffer }>();

/**
 * Derives the SigV4 signing key of one day, region and service, remembering the last few: a key is the same for every
 * request of a client in a day and costs four HMACs.
 *
 * @param date `YYYYMMDD`
 * @returns 32 bytes, shared: do not change them
 */
export function signingKey(secret: string, date: string, region: string, service: string, accessKeyId = ''): Buffer {
  const name = `${accessKeyId}/${date}/${region}/${service}`;
  const known = cache.get(name);
  if (known !== undefined && known.secret === secret) {
    return known.key;
  }
  const key = hmac(hmac(hmac(hmac(`AWS4${secret}`, date), region), service), 'aws4_request');
  if (cache.size >= MAX_CACHED_KEYS) {
    const oldest = cache.keys().next();
    if (!oldest.done) {
      cache.delete(oldest.value);
    }
  }
  cache.delete(name);
  cache.set(name, { secret, key });
  return key;
}

/** HMAC-SHA256 of a string to sign as lower-case hex. */
export function signatureOf(key: Buffer, stringToSign: string): string {
  return createHmac('sha256', key).update(stringToSign, 'utf8').digest('hex');
}

/** Compares two hex signatures in constant time; different lengths are unequal. */
export function signaturesEqual(left: string, right: string): boolean {
  const a = Buffer.from(left, 'latin1');
  const b = Buffer.from(right, 'latin1');
  return a.length === b.length && timingSafeEqual(a, b);
}

function hmac(key: string | Buffer, value: string): Buffer {
  return createHmac('sha256', key).update(value, 'utf8').digest();
}
