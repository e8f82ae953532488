import type { IncomingHttpHeaders } from 'node:http';
import type { CopyObjectCommand } from '../../object-storage/object-storage.types';
import { percentDecode } from '../percent-decoding';
import { invalidArgument } from '../s3-error';
import { headerOf } from './header-values';

export type CopySource = CopyObjectCommand['source'];

const HEADER = 'x-amz-copy-source';
const VERSION = '?versionId=';
const BUCKET = /^[a-z0-9][a-z0-9._-]{1,253}[a-z0-9]$/i;

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
  try {
    const bucket = percentDecode(path.slice(0, Math.max(slash, 0)), false);
    const key = percentDecode(path.slice(slash + 1), true);
    const versionId = mark < 0 ? undefined : percentDecode(value.slice(mark + VERSION.length), true);
    if (BUCKET.test(bucket) && key !== '') {
      return { bucket, key, versionId: versionId === '' ? undefined : versionId };
    }
  } catch {
    // Falls through to the one message for every malformed source.
  }
  throw invalidArgument('Invalid copy source object key', HEADER, HEADER);
}
