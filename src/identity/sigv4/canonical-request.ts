import { createHash } from 'node:crypto';

/** Header values as `node:http` gives them, by lower-case name. */
export type RequestHeaders = Readonly<Record<string, string | readonly string[] | undefined>>;

/** The parts of a request that a Signature Version 4 signature covers. */
export interface SignedRequest {
  readonly method: string;
  /** Path as it stands in the request line, without the query. */
  readonly rawPath: string;
  /** Query as it stands in the request line, without `?`; empty when there is none. */
  readonly rawQuery: string;
  readonly headers: RequestHeaders;
}

/**
 * How a client may have canonicalised what it sent. The strict reading is tried first; the others are what signers in use
 * do with characters that the specification leaves to them.
 */
export interface CanonicalReading {
  /** `%2F` inside a path stays as it is; S3 takes it for `/`. */
  readonly slashKept?: boolean;
  /** The path is signed byte for byte as sent. */
  readonly pathVerbatim?: boolean;
  /** A `+` in the query is a plus sign instead of a blank. */
  readonly plusLiteral?: boolean;
  /** Header values beyond ASCII were signed as UTF-8 although they were sent as Latin-1. */
  readonly utf8Headers?: boolean;
}

const UNRESERVED_PATH = /^[A-Za-z0-9\-._~/]*$/;
const UNRESERVED = /^[A-Za-z0-9\-._~]*$/;
const NON_ASCII = /[^\x00-\x7f]/; // eslint-disable-line no-control-regex
const SLASH = 0x2f;
const PERCENT = 0x25;
const PLUS = 0x2b;

const ENCODED: readonly string[] = Array.from({ length: 256 }, (_, byte) => {
  const character = String.fromCharCode(byte);
  return UNRESERVED.test(character) ? character : `%${byte.toString(16).toUpperCase().padStart(2, '0')}`;
});

/**
 * Builds the canonical request of Signature Version 4 as S3 defines it: path encoded once, no dot-segment normalisation.
 *
 * @param signedHeaders lower-case names in the order the client listed them
 * @param payloadHash value of x-amz-content-sha256 or the literal that stands for it
 * @param excludedParameter query parameter left out: `X-Amz-Signature` of a presigned URL
 */
export function canonicalRequest(
  request: SignedRequest,
  signedHeaders: readonly string[],
  payloadHash: string,
  excludedParameter?: string,
  reading: CanonicalReading = {},
): string {
  let headers = '';
  for (const name of signedHeaders) {
    headers += `${name}:${canonicalHeaderValue(request.headers[name])}\n`;
  }
  const query = canonicalQuery(request.rawQuery, excludedParameter, reading.plusLiteral ?? false);
  return `${request.method}\n${canonicalPath(request.rawPath, reading)}\n${query}\n${headers}\n${signedHeaders.join(';')}\n${payloadHash}`;
}

/** SHA-256 of a canonical request in hex, over the bytes that were on the wire unless the reading says otherwise. */
export function canonicalRequestHash(canonical: string, reading: CanonicalReading = {}): string {
  return createHash('sha256')
    .update(canonical, reading.utf8Headers === true ? 'utf8' : 'latin1')
    .digest('hex');
}

/** The readings worth trying for a request, the strict one first. */
export function canonicalReadings(request: SignedRequest, signedHeaders: readonly string[]): CanonicalReading[] {
  const readings: CanonicalReading[] = [{}];
  const { rawPath, rawQuery } = request;
  if (/%2f/i.test(rawPath)) {
    readings.push({ slashKept: true });
  }
  if (!UNRESERVED_PATH.test(rawPath)) {
    readings.push({ pathVerbatim: true });
  }
  if (rawQuery.includes('+')) {
    readings.push({ plusLiteral: true });
  }
  if (signedHeaders.some((name) => NON_ASCII.test(canonicalHeaderValue(request.headers[name])))) {
    readings.push({ utf8Headers: true });
  }
  return readings;
}

/** Percent-encodes every byte of the UTF-8 of a string but the unreserved ones of RFC 3986. */
export function uriEncode(text: string): string {
  if (UNRESERVED.test(text)) {
    return text;
  }
  let result = '';
  for (const byte of Buffer.from(text, 'utf8')) {
    result += ENCODED[byte] as string;
  }
  return result;
}

function canonicalPath(rawPath: string, reading: CanonicalReading): string {
  if (rawPath === '') {
    return '/';
  }
  if (reading.pathVerbatim === true || UNRESERVED_PATH.test(rawPath)) {
    return rawPath;
  }
  const bytes = Buffer.from(rawPath, 'latin1');
  let result = '';
  for (let index = 0; index < bytes.length; index++) {
    const byte = bytes[index] as number;
    const escaped = byte === PERCENT ? escapedByte(bytes, index) : -1;
    if (escaped >= 0) {
      index += 2;
      result += escaped === SLASH && reading.slashKept !== true ? '/' : (ENCODED[escaped] as string);
    } else {
      result += byte === SLASH ? '/' : (ENCODED[byte] as string);
    }
  }
  return result;
}

function canonicalQuery(rawQuery: string, excluded: string | undefined, plusLiteral: boolean): string {
  if (rawQuery === '') {
    return '';
  }
  const pairs: { readonly name: string; readonly value: string }[] = [];
  for (const part of rawQuery.split('&')) {
    if (part === '') {
      continue;
    }
    const equals = part.indexOf('=');
    const name = canonicalComponent(equals < 0 ? part : part.slice(0, equals), plusLiteral);
    if (name !== excluded) {
      pairs.push({ name, value: equals < 0 ? '' : canonicalComponent(part.slice(equals + 1), plusLiteral) });
    }
  }
  pairs.sort((a, b) => compare(a.name, b.name) || compare(a.value, b.value));
  return pairs.map(({ name, value }) => `${name}=${value}`).join('&');
}

function canonicalComponent(component: string, plusLiteral: boolean): string {
  if (UNRESERVED.test(component)) {
    return component;
  }
  const bytes = Buffer.from(component, 'latin1');
  let result = '';
  for (let index = 0; index < bytes.length; index++) {
    const byte = bytes[index] as number;
    const escaped = byte === PERCENT ? escapedByte(bytes, index) : -1;
    if (escaped >= 0) {
      index += 2;
      result += ENCODED[escaped] as string;
    } else {
      result += byte === PLUS && !plusLiteral ? '%20' : (ENCODED[byte] as string);
    }
  }
  return result;
}

function canonicalHeaderValue(value: string | readonly string[] | undefined): string {
  if (value === undefined) {
    return '';
  }
  const text = typeof value === 'string' ? value : value.join(',');
  const trimmed = text.trim();
  return trimmed.includes('  ') ? trimmed.replace(/ {2,}/g, ' ') : trimmed;
}

/** The byte a `%XX` escape at the index stands for, or -1 when it is not one. */
function escapedByte(bytes: Buffer, index: number): number {
  if (index + 2 >= bytes.length) {
    return -1;
  }
  const high = hexDigit(bytes[index + 1] as number);
  const low = hexDigit(bytes[index + 2] as number);
  return high < 0 || low < 0 ? -1 : high * 16 + low;
}

function hexDigit(code: number): number {
  if (code >= 0x30 && code <= 0x39) {
    return code - 0x30;
  }
  const lower = code | 0x20;
  return lower >= 0x61 && lower <= 0x66 ? lower - 0x57 : -1;
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
