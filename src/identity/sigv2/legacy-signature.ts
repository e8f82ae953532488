import { createHmac } from 'node:crypto';

/** HMAC-SHA1 of bytes, or of a text in UTF-8, in Base64, as Signature Version 2 signs requests and browser forms. */
export function legacySignatureOf(secret: string, signed: string | Buffer): string {
  return createHmac('sha1', secret).update(signed).digest('base64');
}
