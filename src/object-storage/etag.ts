import { createHash, randomBytes } from 'node:crypto';

/** An opaque ETag for parts whose encryption forbids an MD5: 32 lower-case hex digits. */
export function randomPartEtag(): string {
  return randomBytes(16).toString('hex');
}

/**
 * An opaque ETag for objects whose encryption forbids an MD5. It has the form of a multipart ETag, 32 lower-case hex digits and
 * `-1`, because clients take every other ETag for an MD5 and report the object as damaged when it is not.
 */
export function randomEtag(): string {
  return `${randomPartEtag()}-1`;
}

/** The ETag of a multipart object: the MD5 of its parts' ETags in binary, and their number. */
export function multipartEtag(partEtags: readonly string[]): string {
  const hash = createHash('md5');
  for (const etag of partEtags) {
    hash.update(etag, 'hex');
  }
  return `${hash.digest('hex')}-${partEtags.length}`;
}
