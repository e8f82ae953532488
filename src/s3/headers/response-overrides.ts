import type { S3Call } from '../s3-call';
import { invalidArgument, S3Error } from '../s3-error';

const OVERRIDES: Readonly<Record<string, string>> = {
  'response-cache-control': 'Cache-Control',
  'response-content-disposition': 'Content-Disposition',
  'response-content-encoding': 'Content-Encoding',
  'response-content-language': 'Content-Language',
  'response-content-type': 'Content-Type',
  'response-expires': 'Expires',
};

const LATIN_1 = /^[\t\x20-\x7e\x80-\xff]*$/;

/**
 * Headers that the query of a signed read replaces.
 * @throws S3Error InvalidRequest on anonymous requests, InvalidArgument for values no header can carry
 */
export function responseOverrides(call: S3Call): Record<string, string> | undefined {
  if (call.query.size === 0) {
    return undefined;
  }
  let headers: Record<string, string> | undefined;
  for (const [parameter, text] of call.query) {
    const header = OVERRIDES[parameter];
    if (header === undefined) {
      continue;
    }
    if (call.signature === undefined) {
      throw new S3Error(
        'InvalidRequest',
        'Request specific response headers cannot be used for anonymous GET requests.',
      );
    }
    if (!LATIN_1.test(text)) {
      throw invalidArgument('Header value cannot be represented using ISO-8859-1.', parameter, text);
    }
    headers ??= {};
    headers[header] = text;
  }
  return headers;
}
