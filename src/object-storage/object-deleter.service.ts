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
    const outcome = await this.objects.delete(bucket, entry, conditions.ifMatch, bypass);
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
    const possible = entries.filter((entry) => {
      try {
        assertAddress({ bucket, ...entry });
        return true;
      } catch (error) {
        failed.push({ key: entry.key, versionId: entry.versionId, error: error as DomainError });
        return false;
      }
    });
    const outcomes = possible.length === 0 ? [] : await this.objects.deleteMany(bucket, possible, bypass);
    const deleted: DeleteResult[] = [];
    possible.forEach((entry, index) => {
      try {
        deleted.push(deleteResult(bucket, entry, outcomes[index] as DeleteOutcome));
      } catch (error) {
        if (!(error instanceof DomainError) || error.kind === 'NoSuchBucket') {
          throw error;
        }
        failed.push({ key: entry.key, versionId: entry.versionId, error });
      }
    });
    return { deleted, failed };
  }
}

function locked(): StorageError {
  return new StorageError('AccessDenied', 'Access Denied because object protected by object lock.');
}

function deleteResult(bucket: string, entry: DeleteEntry, outcome: DeleteOutcome): DeleteResult {
  if (outcome.outcome === 'AccessDenied') {
    throw locked();
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
