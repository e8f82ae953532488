import type { RangeRequest } from './object-storage.types';
import { invalidArgument, invalidRequest, storageError } from './storage-error';

/** Absolute first and last byte. */
export interface ByteRange {
  readonly first: number;
  readonly last: number;
}

/**
 * Resolves a client's range against the size of the object; a last byte past the end is cut to the end.
 * @throws StorageError `InvalidRange` when no byte of the object is in the range
 */
export function resolveRange(range: RangeRequest, size: number): ByteRange {
  const first = range.kind === 'from' ? range.first : Math.max(0, size - range.length);
  const last = range.kind === 'from' ? Math.min(range.last ?? size - 1, size - 1) : size - 1;
  if (size === 0 || first > last || (range.kind === 'suffix' && range.length === 0)) {
    throw storageError('InvalidRange', { ActualObjectSize: String(size), RangeRequested: describe(range) });
  }
  return { first, last };
}

/**
 * Resolves a part number: the n-th part of a multipart object, or the whole object for part 1 of any other.
 *
 * @returns undefined for an empty part, which has no first byte
 * @throws StorageError `InvalidPartNumber`
 */
export function resolvePart(
  partNumber: number,
  size: number,
  parts: readonly { readonly size: number }[] | undefined,
): ByteRange | undefined {
  const sizes = parts?.map((part) => part.size) ?? [size];
  const length = sizes[partNumber - 1];
  if (length === undefined) {
    throw storageError('InvalidPartNumber', {
      PartNumberRequested: String(partNumber),
      ActualPartCount: String(sizes.length),
    });
  }
  const first = sizes.slice(0, partNumber - 1).reduce((sum, part) => sum + part, 0);
  return length === 0 ? undefined : { first, last: first + length - 1 };
}

/**
 * Checks the range of a part copy, which unlike a read must lie inside the source.
 * @throws StorageError `InvalidArgument`
 */
export function assertInside(range: ByteRange, size: number): void {
  if (range.last >= size || range.first > range.last) {
    throw invalidArgument(
      `Range specified is not valid for source object of size: ${size}`,
      'x-amz-copy-source-range',
      `bytes=${range.first}-${range.last}`,
    );
  }
}

/** The bytes of an object that a read gives. */
export interface Selection {
  /** Set when a range or part was asked for that has at least one byte. */
  readonly range?: ByteRange;
  readonly first: number;
  readonly length: number;
}

/**
 * Finds the bytes that a read asks for.
 * @throws StorageError `InvalidRange`, `InvalidPartNumber`; `InvalidRequest` when both a range and a part are named
 */
export function select(
  asked: { readonly range?: RangeRequest; readonly partNumber?: number },
  size: number,
  parts: readonly { readonly size: number }[] | undefined,
): Selection {
  if (asked.range !== undefined && asked.partNumber !== undefined) {
    throw invalidRequest('Cannot specify both Range header and partNumber query parameter');
  }
  // Nothing has a last byte: a suffix of it is the whole of it.
  const suffixOfNothing = size === 0 && asked.range?.kind === 'suffix' && asked.range.length > 0;
  if (suffixOfNothing || (asked.range === undefined && asked.partNumber === undefined)) {
    return { first: 0, length: size };
  }
  const range =
    asked.range === undefined ? resolvePart(asked.partNumber ?? 1, size, parts) : resolveRange(asked.range, size);
  return range === undefined
    ? { first: 0, length: 0 }
    : { range, first: range.first, length: range.last - range.first + 1 };
}

function describe(range: RangeRequest): string {
  return range.kind === 'suffix' ? `bytes=-${range.length}` : `bytes=${range.first}-${range.last ?? ''}`;
}
