import { percentDecode } from './percent-decoding';
import { S3Error } from './s3-error';

export type S3Resource = 'service' | 'bucket' | 'object';

/** A request line understood as S3 addresses things, before anything is known of who sent it. */
export interface S3Request {
  /** Path as sent, which is what signatures cover. */
  readonly rawPath: string;
  /** Query as sent, without `?`. */
  readonly rawQuery: string;
  /** Decoded parameters; the first of equal names. */
  readonly query: ReadonlyMap<string, string>;
  readonly resource: S3Resource;
  /** Whether the bucket came in the Host header and so is not in the path. */
  readonly hostBucket: boolean;
  /** Decoded; empty for the service. */
  readonly bucket: string;
  /** Decoded UTF-8, any characters; empty unless the resource is an object. */
  readonly key: string;
}

const MAX_KEY_BYTES = 1024;
const EMPTY_QUERY: ReadonlyMap<string, string> = new Map();

/**
 * Parses the raw request target. The bucket is the Host label before a configured base domain, else the first segment.
 *
 * @param target `req.url` as `node:http` gives it: one character per byte
 * @param domains lower-case base domains for virtual-host addressing
 * @throws S3Error InvalidURI, KeyTooLongError
 */
export function parseS3Request(target: string, host: string | undefined, domains: readonly string[]): S3Request {
  const origin = target.charCodeAt(0) === 0x2f ? target : withoutAuthority(target);
  const mark = origin.indexOf('?');
  const rawPath = mark < 0 ? origin : origin.slice(0, mark);
  const rawQuery = mark < 0 ? '' : origin.slice(mark + 1);
  const query = rawQuery === '' ? EMPTY_QUERY : parseQuery(rawQuery);
  const hostBucket = domains.length === 0 || host === undefined ? '' : bucketOfHost(host, domains);
  let bucket = hostBucket;
  let rawKey: string;
  if (hostBucket === '') {
    const slash = rawPath.indexOf('/', 1);
    bucket = percentDecode(slash < 0 ? rawPath.slice(1) : rawPath.slice(1, slash), false);
    rawKey = slash < 0 ? '' : rawPath.slice(slash + 1);
    if (bucket === '' && rawKey !== '') {
      throw new S3Error('InvalidURI');
    }
  } else {
    rawKey = rawPath.slice(1);
  }
  const key = rawKey === '' ? '' : percentDecode(rawKey, false);
  if (key.length > MAX_KEY_BYTES / 4 && Buffer.byteLength(key, 'utf8') > MAX_KEY_BYTES) {
    throw new S3Error('KeyTooLongError', undefined, {
      Size: String(Buffer.byteLength(key, 'utf8')),
      MaxSizeAllowed: String(MAX_KEY_BYTES),
    });
  }
  const resource = key !== '' ? 'object' : bucket !== '' ? 'bucket' : 'service';
  return { rawPath, rawQuery, query, resource, bucket, key, hostBucket: hostBucket !== '' };
}

function parseQuery(rawQuery: string): ReadonlyMap<string, string> {
  const query = new Map<string, string>();
  for (const part of rawQuery.split('&')) {
    if (part === '') {
      continue;
    }
    const equals = part.indexOf('=');
    const name = percentDecode(equals < 0 ? part : part.slice(0, equals), true);
    if (!query.has(name)) {
      query.set(name, equals < 0 ? '' : percentDecode(part.slice(equals + 1), true));
    }
  }
  return query;
}

/** The bucket named by the Host header; empty for the base domains themselves and for any other host. */
function bucketOfHost(host: string, domains: readonly string[]): string {
  const colon = host.indexOf(':');
  const name = (colon < 0 ? host : host.slice(0, colon)).toLowerCase();
  let bucket = '';
  let matched = 0;
  for (const domain of domains) {
    if (name === domain) {
      return '';
    }
    if (domain.length > matched && name.endsWith(domain) && name[name.length - domain.length - 1] === '.') {
      matched = domain.length;
      bucket = name.slice(0, name.length - domain.length - 1);
    }
  }
  return bucket;
}

/** Accepts the absolute form that clients use towards a proxy. */
function withoutAuthority(target: string): string {
  const match = /^https?:\/\/[^/?]*(.*)$/i.exec(target);
  const rest = match?.[1];
  if (rest === undefined) {
    throw new S3Error('InvalidURI');
  }
  return rest.startsWith('/') ? rest : `/${rest}`;
}
