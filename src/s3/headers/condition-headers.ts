import type { IncomingHttpHeaders } from 'node:http';
import type { RangeRequest, ReadConditions, WriteConditions } from '../../object-storage/object-storage.types';
import { invalidArgument, S3Error } from '../s3-error';
import { headerOf } from './header-values';

const RANGE = /^bytes=(\d*)-(\d*)$/;
const COPY_RANGE = /^bytes=(\d+)-(\d+)$/;
const MAX_PART_NUMBER = 10_000;

/**
 * Conditions of a read.
 * @param prefix `` for the object itself, `x-amz-copy-source-` for the source of a copy
 */
export function readConditions(
  headers: IncomingHttpHeaders,
  prefix: '' | 'x-amz-copy-source-',
): ReadConditions | undefined {
  const ifMatch = headerOf(headers, `${prefix}if-match`);
  const ifNoneMatch = headerOf(headers, `${prefix}if-none-match`);
  const ifModifiedSince = httpDate(headerOf(headers, `${prefix}if-modified-since`));
  const ifUnmodifiedSince = httpDate(headerOf(headers, `${prefix}if-unmodified-since`));
  if (
    ifMatch === undefined &&
    ifNoneMatch === undefined &&
    ifModifiedSince === undefined &&
    ifUnmodifiedSince === undefined
  ) {
    return undefined;
  }
  return { ifMatch: etagList(ifMatch), ifNoneMatch: etagList(ifNoneMatch), ifModifiedSince, ifUnmodifiedSince };
}

/**
 * Conditions of a write.
 * @throws S3Error NotImplemented for an If-None-Match other than `*` or beside an If-Match, as AWS answers
 */
export function writeConditions(headers: IncomingHttpHeaders): WriteConditions | undefined {
  const ifMatch = headerOf(headers, 'if-match');
  const ifNoneMatch = headerOf(headers, 'if-none-match');
  if (ifMatch === undefined && ifNoneMatch === undefined) {
    return undefined;
  }
  if (ifMatch !== undefined && ifNoneMatch !== undefined) {
    throw new S3Error('NotImplemented', undefined, {
      Header: 'If-Match,If-None-Match',
      additionalMessage: 'Multiple conditional request headers present in the request',
    });
  }
  if (ifNoneMatch !== undefined && ifNoneMatch.trim() !== '*') {
    throw new S3Error('NotImplemented', undefined, {
      Header: 'If-None-Match',
      additionalMessage: "We don't accept the provided value of If-None-Match header for this API",
    });
  }
  return {
    ifMatch: ifMatch === undefined ? undefined : unquoted(ifMatch),
    ifNoneMatchAny: ifNoneMatch === undefined ? undefined : true,
  };
}

/** The one range of a Range header; undefined, which means the whole object, when it is malformed or names several. */
export function requestedRange(headers: IncomingHttpHeaders): RangeRequest | undefined {
  const match = headers.range === undefined ? null : RANGE.exec(headers.range.trim());
  if (match === null) {
    return undefined;
  }
  const [, first, last] = match as unknown as [string, string, string];
  if (first === '') {
    return last === '' ? undefined : { kind: 'suffix', length: Number(last) };
  }
  if (last === '') {
    return { kind: 'from', first: Number(first) };
  }
  return Number(last) < Number(first) ? undefined : { kind: 'from', first: Number(first), last: Number(last) };
}

/** x-amz-copy-source-range, which must name both ends. @throws S3Error InvalidArgument */
export function copySourceRange(
  headers: IncomingHttpHeaders,
): { readonly first: number; readonly last: number } | undefined {
  const value = headerOf(headers, 'x-amz-copy-source-range');
  if (value === undefined) {
    return undefined;
  }
  const match = COPY_RANGE.exec(value);
  const first = Number(match?.[1]);
  const last = Number(match?.[2]);
  if (match === null || last < first) {
    throw invalidArgument(
      'The x-amz-copy-source-range value must be of the form bytes=first-last where first and last are the zero-based offsets of the first and last bytes to copy',
      'x-amz-copy-source-range',
      value,
    );
  }
  return { first, last };
}

/** The partNumber parameter: 1 to 10000. @throws S3Error InvalidArgument */
export function partNumberOf(query: ReadonlyMap<string, string>): number | undefined {
  const value = query.get('partNumber');
  if (value === undefined) {
    return undefined;
  }
  const number = /^\d{1,5}$/.test(value) ? Number(value) : 0;
  if (number < 1 || number > MAX_PART_NUMBER) {
    throw invalidArgument('Part number must be an integer between 1 and 10000, inclusive', 'partNumber', value);
  }
  return number;
}

/** An entity tag without quotes and weakness mark. */
export function unquoted(etag: string): string {
  const strong = etag.trim().replace(/^W\//, '');
  return strong.length >= 2 && strong.startsWith('"') && strong.endsWith('"') ? strong.slice(1, -1) : strong;
}

function etagList(value: string | undefined): readonly string[] | undefined {
  return value?.split(',').map(unquoted);
}

/** A date that cannot be read counts as not sent, as RFC 9110 has it. */
function httpDate(value: string | undefined): Date | undefined {
  const date = value === undefined ? undefined : new Date(value);
  return date === undefined || Number.isNaN(date.getTime()) ? undefined : date;
}
