import { S3Error } from './s3-error';

const PLAIN = /^[\x21-\x24\x26-\x2a\x2c-\x7e]*$/; // ASCII without percent, plus and blank
const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/**
 * Decodes a part of a request line to the UTF-8 text it stands for. The input holds one character per byte, as `node:http`
 * gives it. Nothing is normalised: dot segments and repeated slashes are part of a key.
 *
 * @param plusIsBlank true inside a query
 * @throws S3Error InvalidURI on a broken escape, invalid UTF-8 or a NUL, which no stored name can hold
 */
export function percentDecode(text: string, plusIsBlank: boolean): string {
  if (PLAIN.test(text)) {
    return text;
  }
  const bytes = Buffer.from(text, 'latin1');
  let length = 0;
  for (let index = 0; index < bytes.length; index++) {
    let byte = bytes[index] as number;
    if (byte === 0x25) {
      byte = hexPair(bytes, index + 1);
      index += 2;
    } else if (byte === 0x2b && plusIsBlank) {
      byte = 0x20;
    }
    if (byte === 0) {
      throw new S3Error('InvalidURI');
    }
    bytes[length++] = byte;
  }
  try {
    return decoder.decode(bytes.subarray(0, length));
  } catch {
    throw new S3Error('InvalidURI');
  }
}

/** Percent-encodes a name for `encoding-type=url` answers: unreserved characters and `/` stay as they are. */
export function urlEncodeName(name: string): string {
  return encodeURIComponent(name)
    .replace(/%2F/g, '/')
    .replace(/[!'()*]/g, (character) => `%${character.charCodeAt(0).toString(16).toUpperCase()}`);
}

function hexPair(bytes: Buffer, at: number): number {
  const high = hexDigit(bytes[at]);
  const low = hexDigit(bytes[at + 1]);
  if (high < 0 || low < 0) {
    throw new S3Error('InvalidURI');
  }
  return high * 16 + low;
}

function hexDigit(code: number | undefined): number {
  if (code === undefined) {
    return -1;
  }
  if (code >= 0x30 && code <= 0x39) {
    return code - 0x30;
  }
  const lower = code | 0x20;
  return lower >= 0x61 && lower <= 0x66 ? lower - 0x57 : -1;
}
