import type { ReadConditions } from './object-storage.types';
import { notModified, storageError } from './storage-error';

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
  if (failsPrecondition(conditions, subject)) {
    throw storageError('PreconditionFailed');
  }
  if (isUnmodified(conditions, subject)) {
    throw notModified(subject.etag, subject.lastModified);
  }
}

/**
 * The same for the source of a copy, where every failed condition is a failed precondition.
 * @throws StorageError `PreconditionFailed`
 */
export function assertCopyable(conditions: ReadConditions | undefined, subject: Subject): void {
  if (failsPrecondition(conditions, subject) || isUnmodified(conditions, subject)) {
    throw storageError('PreconditionFailed');
  }
}

function failsPrecondition(conditions: ReadConditions | undefined, subject: Subject): boolean {
  if (conditions?.ifMatch !== undefined) {
    return !matches(conditions.ifMatch, subject.etag);
  }
  return (
    conditions?.ifUnmodifiedSince !== undefined && seconds(subject.lastModified) > seconds(conditions.ifUnmodifiedSince)
  );
}

function isUnmodified(conditions: ReadConditions | undefined, subject: Subject): boolean {
  if (conditions?.ifNoneMatch !== undefined) {
    return matches(conditions.ifNoneMatch, subject.etag);
  }
  return (
    conditions?.ifModifiedSince !== undefined && seconds(subject.lastModified) <= seconds(conditions.ifModifiedSince)
  );
}

function matches(etags: readonly string[], etag: string): boolean {
  return etags.includes('*') || etags.includes(etag);
}

function seconds(date: Date): number {
  return Math.floor(date.getTime() / 1000);
}
