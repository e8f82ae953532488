import type { IncomingHttpHeaders } from 'node:http';
import { hasLegacySignature } from '../../identity/sigv2/legacy-signature-verifier';

/** Parameters of the signature itself, and those that tell of the body, which the signer of a URL does not know. */
const NEVER = new Set([
  'x-amz-algorithm',
  'x-amz-content-sha256',
  'x-amz-credential',
  'x-amz-date',
  'x-amz-decoded-content-length',
  'x-amz-expires',
  'x-amz-sdk-checksum-algorithm',
  'x-amz-security-token',
  'x-amz-signature',
  'x-amz-signedheaders',
  'x-amz-trailer',
]);
const CHECKSUM_PREFIX = 'x-amz-checksum-';
const OF_FOUR = new Set(['content-type', 'if-match', 'if-modified-since', 'if-none-match', 'if-unmodified-since']);
/** All that Signature Version 2 signs beside its own parameters. */
const OF_TWO = new Set(['content-md5', 'content-type']);

/**
 * Headers that a presigned URL carries as parameters, of which SDKs move there what they can. They count once the
 * signature, which covers them, has been verified. A header that is sent as well counts instead.
 *
 * @returns by lower-case name, one character a byte; undefined when there are none
 */
export function queryHeaders(
  headers: IncomingHttpHeaders,
  query: ReadonlyMap<string, string>,
): Readonly<Record<string, string>> | undefined {
  if (query.size === 0 || headers.authorization !== undefined) {
    return undefined;
  }
  const legacy = hasLegacySignature(headers, query);
  if (!legacy && !query.has('X-Amz-Algorithm')) {
    return undefined;
  }
  const carried: Record<string, string> = {};
  for (const [name, value] of query) {
    const header = name.toLowerCase();
    if (headers[header] === undefined && isHeader(header, legacy ? OF_TWO : OF_FOUR)) {
      carried[header] ??= Buffer.from(value, 'utf8').toString('latin1');
    }
  }
  return Object.keys(carried).length === 0 ? undefined : carried;
}

function isHeader(name: string, plain: ReadonlySet<string>): boolean {
  return plain.has(name) || (name.startsWith('x-amz-') && !NEVER.has(name) && !name.startsWith(CHECKSUM_PREFIX));
}
