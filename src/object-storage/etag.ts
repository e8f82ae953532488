import { createHash, randomBytes } from 'node:crypto';

/** An opaque ETag for objects whose encryption forbids an MD5: 32 lower-case hex digits. */
export function randomEtag(): string {
  return randomBytes(16).toString('hex');
}

/** The ETag of a multipart object: the MD5 of its parts' ETags in binary, and their number. */
export function multipartEtag(partEtags: readonly string[]): string {
  const hash = createHash('md5');
  for (const etag of partEtags) {
    hash.update(etag, 'hex');
  }
  return `${hash.digest('hex')}-${partEtags.length}`;
}
