import { invalidRequest } from './storage-error';
import type { BucketObjectLock, ObjectLock, ObjectMetadata } from './object-storage.types';

/**
 * Adds to the metadata of a new version the lock it was sent with, or else the default of its bucket.
 * @throws StorageError `InvalidRequest` when the bucket has no object lock
 */
export function lockedMetadata(
  metadata: ObjectMetadata,
  requested: ObjectLock | undefined,
  bucket: BucketObjectLock | undefined,
  now: Date,
): ObjectMetadata {
  const { lock: _, ...plain } = metadata;
  if (bucket === undefined) {
    if (requested !== undefined) {
      throw invalidRequest('Bucket is missing ObjectLockConfiguration');
    }
    return plain;
  }
  const byDefault = requested?.mode === undefined && bucket.rule !== undefined ? retention(bucket.rule, now) : {};
  const lock: ObjectLock = { ...byDefault, ...requested };
  return lock.mode === undefined && lock.legalHold === undefined ? plain : { ...plain, lock };
}

/** Whether a retention may take the place of another; governance yields to who may bypass it. */
export function mayReplaceRetention(
  current: ObjectLock | undefined,
  next: ObjectLock,
  bypass: boolean,
  now: Date,
): boolean {
  if (current?.mode === undefined || current.until === undefined || Date.parse(current.until) <= now.getTime()) {
    return true;
  }
  const longer = next.until !== undefined && Date.parse(next.until) >= Date.parse(current.until);
  if (longer && next.mode === current.mode) {
    return true;
  }
  return current.mode === 'GOVERNANCE' && bypass;
}

/** The refusal of everything about locks on a bucket without them, but for writes, for which AWS has other words. */
export function lockMissing(): Error {
  return invalidRequest('Bucket is missing Object Lock Configuration');
}

function retention(rule: NonNullable<BucketObjectLock['rule']>, now: Date): ObjectLock {
  const until = new Date(now);
  until.setUTCDate(until.getUTCDate() + (rule.days ?? 0));
  until.setUTCFullYear(until.getUTCFullYear() + (rule.years ?? 0));
  return { mode: rule.mode, until: until.toISOString() };
}
