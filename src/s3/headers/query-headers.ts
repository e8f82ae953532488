import type { IncomingHttpHeaders } from 'node:http';
import { hasLegacySignature } from '../../identity/sigv2/legacy-signature-verifier';
import { invalidArgument } from '../s3-error';

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
const HEADER_PREFIX = 'x-amz-';
const CHECKSUM_PREFIX = 'x-amz-checksum-';
const OF_FOUR = new Set(['content-type', 'if-match', 'if-modified-since', 'if-none-match', 'if-unmodified-since']);
/** All that Signature Version 2 signs beside its own parameters. */
const OF_TWO = new Set(['content-md5', 'content-type']);
/** What a header may be named and hold (RFC 9110, sections 5.6.2 and 5.5). */
const NAME = /^[!#$%&'*+\-.^_`|~0-9a-z]+$/;
// eslint-disable-next-line no-control-regex
const NO_VALUE = /[\x00-\x08\x0a-\x1f\x7f]/;

/**
 * Headers that a presigned URL carries as parameters, of which SDKs move there what they can. They count once the
 * signature, which covers them, has been verified. A header that is sent as well counts instead where the signature
 * covers that one, and never where it need not, or whoever holds a URL could lift its conditions.
 *
 * @returns by lower-case name, one character a byte; undefined when there are none
 * @throws S3Error InvalidArgument for what no header can be: Signature Version 2 writes parameters into lines, and of a
 *   value of two lines it could not be told from two values
 */
export function queryHeaders(
  headers: IncomingHttpHeaders,
  query: ReadonlyMap<string, string>,
): Readonly<Record<string, string>> | undefined {
  // An empty Authorization is as none, as it is for who verifies.
  if (query.size === 0 || headers.authorization) {
    return undefined;
  }
  const legacy = hasLegacySignature(headers, query);
  if (!legacy && !query.has('X-Amz-Algorithm')) {
    return undefined;
  }
  const plain = legacy ? OF_TWO : OF_FOUR;
  const carried: Record<string, string> = {};
  for (const [name, value] of query) {
    const header = name.toLowerCase();
    if (!header.startsWith(HEADER_PREFIX) && !plain.has(header)) {
      continue;
    }
    if (!NAME.test(header) || NO_VALUE.test(value)) {
      throw invalidArgument('A parameter that stands for a header must be what a header can be.', name);
    }
    const sentAndSigned = headers[header] !== undefined && (legacy || !plain.has(header));
    if (!sentAndSigned && !NEVER.has(header) && !header.startsWith(CHECKSUM_PREFIX)) {
      carried[header] ??= Buffer.from(value, 'utf8').toString('latin1');
    }
  }
  return Object.keys(carried).length === 0 ? undefined : carried;
}
