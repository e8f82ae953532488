import type { RequestHeaders } from '../sigv4/canonical-request';

/** The parts of a request that a Signature Version 2 signature covers. */
export interface LegacySignedRequest {
  readonly method: string;
  /** Path as it stands in the request line, without the query, after `/bucket` when the bucket came in the Host header. */
  readonly resourcePath: string;
  readonly headers: RequestHeaders;
  /** Decoded query parameters. */
  readonly query: ReadonlyMap<string, string>;
}

/**
 * Query parameters that belong to the resource and so are signed. Whatever selects an operation or changes what it
 * answers has to be here, or whoever holds a presigned URL could turn it into another request.
 */
export const SIGNED_PARAMETERS: ReadonlySet<string> = new Set([
  'abac',
  'accelerate',
  'acl',
  'analytics',
  'annotation',
  'annotationName',
  'attributes',
  'cors',
  'delete',
  'encryption',
  'intelligent-tiering',
  'inventory',
  'legal-hold',
  'lifecycle',
  'location',
  'logging',
  'metadataAnnotationTable',
  'metadataConfiguration',
  'metadataInventoryTable',
  'metadataJournalTable',
  'metadataTable',
  'metrics',
  'notification',
  'object-lock',
  'ownershipControls',
  'partNumber',
  'policy',
  'policyStatus',
  'publicAccessBlock',
  'renameObject',
  'replication',
  'requestPayment',
  'response-cache-control',
  'response-content-disposition',
  'response-content-encoding',
  'response-content-language',
  'response-content-type',
  'response-expires',
  'restore',
  'retention',
  'select',
  'select-type',
  'session',
  'tagging',
  'torrent',
  'uploadId',
  'uploads',
  'versionId',
  'versioning',
  'versions',
  'website',
]);

/**
 * Builds the text that Signature Version 2 signs, in the bytes that were on the wire.
 *
 * @param expires the `Expires` parameter of a presigned URL, which stands in the place of the date
 */
export function legacyStringToSign(request: LegacySignedRequest, expires?: string): Buffer {
  const headers = expires === undefined ? request.headers : withParameters(request);
  const date = expires ?? (headers['x-amz-date'] === undefined ? textOf(headers['date']) : '');
  const lines = [request.method, textOf(headers['content-md5']), textOf(headers['content-type']), date];
  // Headers come as Latin-1, whatever their bytes mean.
  return Buffer.from(`${lines.join('\n')}\n${canonicalAmzHeaders(headers)}${canonicalResource(request)}`, 'latin1');
}

/** A presigned URL carries headers as parameters; where both are sent the header counts. */
function withParameters({ headers, query }: LegacySignedRequest): RequestHeaders {
  const all: Record<string, string | readonly string[] | undefined> = { ...headers };
  for (const [name, value] of query) {
    const header = name.toLowerCase();
    if (header.startsWith('x-amz-') || header === 'content-md5' || header === 'content-type') {
      all[header] ??= bytesOf(value);
    }
  }
  return all;
}

function canonicalAmzHeaders(headers: RequestHeaders): string {
  const names = Object.keys(headers).filter((name) => name.startsWith('x-amz-'));
  return names
    .sort()
    .map((name) => `${name}:${textOf(headers[name])}\n`)
    .join('');
}

function canonicalResource({ resourcePath, query }: LegacySignedRequest): string {
  const parameters = [...query].filter(([name]) => SIGNED_PARAMETERS.has(name));
  parameters.sort(([left], [right]) => (left < right ? -1 : 1));
  const list = parameters.map(([name, value]) => (value === '' ? name : `${name}=${bytesOf(value)}`));
  return list.length === 0 ? resourcePath : `${resourcePath}?${list.join('&')}`;
}

/** The UTF-8 of a decoded parameter, one character a byte. */
function bytesOf(value: string): string {
  return Buffer.from(value, 'utf8').toString('latin1');
}

function textOf(value: string | readonly string[] | undefined): string {
  return value === undefined ? '' : (typeof value === 'string' ? value : value.join(',')).trim();
}
