import type { IncomingHttpHeaders } from 'node:http';
import type { CopyObjectCommand } from '../../object-storage/object-storage.types';
import { percentDecode } from '../percent-decoding';
import { invalidArgument } from '../s3-error';
import { headerOf } from './header-values';

export type CopySource = CopyObjectCommand['source'];

const HEADER = 'x-amz-copy-source';
const VERSION = '?versionId=';
const BUCKET = /^[a-z0-9][a-z0-9._-]{1,253}[a-z0-9]$/i;
const ADDRESS = /^\d+\.\d+\.\d+\.\d+$/;

/**
 * Parses x-amz-copy-source: `/bucket/key` or `bucket/key`, percent-encoded, with `+` for a space, with an optional
 * `?versionId=`.
 * @throws S3Error InvalidArgument
 */
export function copySourceOf(headers: IncomingHttpHeaders): CopySource {
  const value = headerOf(headers, HEADER) ?? '';
  const mark = value.indexOf(VERSION);
  const path = (mark < 0 ? value : value.slice(0, mark)).replace(/^\//, '').replace(/^([^/]*)%2F/i, '$1/');
  const slash = path.indexOf('/');
  const [bucket, key, version] = decoded(
    path.slice(0, Math.max(slash, 0)),
    path.slice(slash + 1),
    mark < 0 ? '' : value.slice(mark + VERSION.length),
  );
  if (slash < 1 || key === '') {
    throw invalidArgument('Invalid copy source object key', HEADER, HEADER);
  }
  if (!BUCKET.test(bucket) || ADDRESS.test(bucket)) {
    throw invalidArgument('Invalid copy source bucket name', HEADER, value);
  }
  if (mark >= 0 && version === '') {
    throw invalidArgument('Version id cannot be the empty string', HEADER, version);
  }
  return { bucket, key, versionId: mark < 0 ? undefined : version };
}

function decoded(bucket: string, key: string, version: string): [string, string, string] {
  try {
    return [percentDecode(bucket, false), percentDecode(key, true), percentDecode(version, true)];
  } catch {
    throw invalidArgument('Invalid copy source encoding', HEADER, HEADER);
  }
}
