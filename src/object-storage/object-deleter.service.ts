import { Injectable } from '@nestjs/common';
import { DomainError } from '../common/domain-error';
import { assertAddress, assertPossibleBucket } from './names';
import type { DeleteEntry, DeleteFailure, DeleteResult, WriteConditions } from './object-storage.types';
import { type DeleteOutcome, ObjectRepository } from './object.repository';
import { assertOutcome, StorageError, storageError } from './storage-error';

/** Deletes objects and versions. Their bytes follow when the reaper comes by. */
@Injectable()
export class ObjectDeleter {
  constructor(private readonly objects: ObjectRepository) {}

  /**
   * Deletes one object or version; one that is missing counts as deleted.
   * @throws StorageError `NoSuchBucket`, `InvalidArgument`; with conditions `NoSuchKey`, `PreconditionFailed`;
   *   `AccessDenied` for a version under object lock
   */
  async delete(
    bucket: string,
    entry: DeleteEntry,
    conditions: WriteConditions = {},
    bypass = false,
  ): Promise<DeleteResult> {
    assertAddress({ bucket, ...entry });
    const [outcome] = await this.objects.delete(bucket, [{ ...entry, ifMatch: conditions.ifMatch }], bypass);
    if (outcome === undefined) {
      throw storageError('NoSuchBucket', { BucketName: bucket });
    }
    return deleteResult(bucket, entry, outcome);
  }

  /**
   * Deletes many in one transaction. Entries that cannot exist at all, are locked, or do not match fail one by one.
   * @throws StorageError `NoSuchBucket`
   */
  async deleteMany(
    bucket: string,
    entries: readonly DeleteEntry[],
    bypass = false,
  ): Promise<{ deleted: DeleteResult[]; failed: DeleteFailure[] }> {
    assertPossibleBucket(bucket);
    const failed: DeleteFailure[] = [];
    const possible = entries.filter((entry) => settled(entry, failed, () => assertAddress({ bucket, ...entry })));
    const outcomes = possible.length === 0 ? [] : await this.objects.delete(bucket, possible, bypass);
    if (possible.length > 0 && (outcomes[0]?.outcome ?? 'NoSuchBucket') === 'NoSuchBucket') {
      throw storageError('NoSuchBucket', { BucketName: bucket });
    }
    const deleted: DeleteResult[] = [];
    possible.forEach((entry, index) => {
      settled(entry, failed, () => deleted.push(deleteResult(bucket, entry, outcomes[index] as DeleteOutcome)));
    });
    return { deleted, failed };
  }
}

/** Whether the work succeeds; an expected failure is added to the list. */
function settled({ key, versionId }: DeleteEntry, failed: DeleteFailure[], work: () => void): boolean {
  try {
    work();
    return true;
  } catch (error) {
    if (!(error instanceof DomainError)) {
      throw error;
    }
    failed.push({ key, versionId, error });
    return false;
  }
}

function deleteResult(bucket: string, entry: DeleteEntry, outcome: DeleteOutcome): DeleteResult {
  if (outcome.outcome === 'AccessDenied') {
    throw new StorageError('AccessDenied', 'Access Denied because object protected by object lock.');
  }
  assertOutcome(outcome.outcome, { BucketName: bucket, Key: entry.key });
  const marker = outcome.marker_version ?? (outcome.removed_marker ? entry.versionId : undefined);
  return {
    key: entry.key,
    versionId: entry.versionId,
    deleteMarker: marker === undefined ? undefined : true,
    deleteMarkerVersionId: marker,
    deletedAt: outcome.deleted_at,
  };
}
