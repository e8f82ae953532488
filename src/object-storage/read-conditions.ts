import type { ReadConditions } from './object-storage.types';
import { notModified, preconditionFailed } from './storage-error';

interface Subject {
  readonly etag: string;
  readonly lastModified: Date;
}

/**
 * Decides the `If-*` conditions of a read by RFC 9110 section 13.2.2: a true If-Match silences If-Unmodified-Since, a false
 * If-None-Match silences If-Modified-Since. Dates count whole seconds, as they do on the wire.
 *
 * @throws StorageError `PreconditionFailed`, `NotModified`
 */
export function assertReadable(conditions: ReadConditions | undefined, subject: Subject): void {
  const failed = failedPrecondition(conditions, subject);
  if (failed !== undefined) {
    throw preconditionFailed(failed);
  }
  if (unmodified(conditions, subject) !== undefined) {
    throw notModified(subject.etag, subject.lastModified);
  }
}

/**
 * The same for the source of a copy, where every failed condition is a failed precondition.
 * @throws StorageError `PreconditionFailed`
 */
export function assertCopyable(conditions: ReadConditions | undefined, subject: Subject): void {
  const failed = failedPrecondition(conditions, subject) ?? unmodified(conditions, subject);
  if (failed !== undefined) {
    throw preconditionFailed(`x-amz-copy-source-${failed}`);
  }
}

/** The header of the precondition that does not hold. */
function failedPrecondition(conditions: ReadConditions | undefined, subject: Subject): string | undefined {
  if (conditions?.ifMatch !== undefined) {
    return matches(conditions.ifMatch, subject.etag) ? undefined : 'If-Match';
  }
  const limit = conditions?.ifUnmodifiedSince;
  return limit !== undefined && seconds(subject.lastModified) > seconds(limit) ? 'If-Unmodified-Since' : undefined;
}

/** The header by which the object counts as known already. A time that is still to come says nothing. */
function unmodified(conditions: ReadConditions | undefined, subject: Subject): string | undefined {
  if (conditions?.ifNoneMatch !== undefined) {
    return matches(conditions.ifNoneMatch, subject.etag) ? 'If-None-Match' : undefined;
  }
  const since = conditions?.ifModifiedSince;
  const known = since !== undefined && since <= new Date() && seconds(subject.lastModified) <= seconds(since);
  return known ? 'If-Modified-Since' : undefined;
}

function matches(etags: readonly string[], etag: string): boolean {
  return etags.includes('*') || etags.includes(etag);
}

function seconds(date: Date): number {
  return Math.floor(date.getTime() / 1000);
}
