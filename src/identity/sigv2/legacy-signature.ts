import { createHmac } from 'node:crypto';

/** HMAC-SHA1 of a text in Base64, as Signature Version 2 signs requests and browser forms. */
export function legacySignatureOf(secret: string, text: string): string {
  return createHmac('sha1', secret).update(text, 'utf8').digest('base64');
}
