import type { ObjectInfo } from './object-storage.types';
import { StorageError } from './storage-error';

/** Storage classes whose objects must be restored before they can be read. */
const ARCHIVES: ReadonlySet<string | undefined> = new Set(['GLACIER', 'DEEP_ARCHIVE']);

/** Whether an object lies in an archive, restored or not. */
export function isArchived({ metadata }: Pick<ObjectInfo, 'metadata'>): boolean {
  return ARCHIVES.has(metadata.storageClass);
}

/** Until when an archived object can be read; undefined when it cannot be now. */
export function restoredUntil({ metadata }: Pick<ObjectInfo, 'metadata'>, now: Date): Date | undefined {
  const until = metadata.restoredUntil === undefined ? undefined : new Date(metadata.restoredUntil);
  return until !== undefined && until > now ? until : undefined;
}

/**
 * Refuses to read what is archived and not restored.
 * @throws StorageError `InvalidObjectState`
 */
export function assertRestored(info: Pick<ObjectInfo, 'metadata'>): void {
  if (isArchived(info) && restoredUntil(info, new Date()) === undefined) {
    throw invalidState("The operation is not valid for the object's storage class", info);
  }
}

/** The refusal of what an object's storage class does not allow. */
export function invalidState(message: string, { metadata }: Pick<ObjectInfo, 'metadata'>): StorageError {
  return new StorageError('InvalidObjectState', message, {
    details: { StorageClass: metadata.storageClass ?? 'STANDARD' },
  });
}
