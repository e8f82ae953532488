import { Injectable } from '@nestjs/common';
import { BucketRepository } from './bucket.repository';
import { lockMissing, mayReplaceRetention } from './object-lock';
import type { BucketObjectLock, DeleteEntry, ObjectLock } from './object-storage.types';
import { ObjectFinder } from './object-finder.service';
import { ObjectRepository } from './object.repository';
import { StorageError, storageError } from './storage-error';

/** Name of the bucket's document; its presence is what enables object lock. */
export const OBJECT_LOCK_DOCUMENT = 'object-lock';

/** How often a change of a lock is made anew because others changed the same lock meanwhile. */
const MAX_TRIES = 10;

/** Object lock: of buckets as a whole, and retention and legal hold of single versions. */
@Injectable()
export class ObjectLockService {
  constructor(
    private readonly buckets: BucketRepository,
    private readonly finder: ObjectFinder,
    private readonly objects: ObjectRepository,
  ) {}

  /** @throws StorageError `NoSuchBucket` */
  async ofBucket(bucket: string): Promise<BucketObjectLock | undefined> {
    const found = await this.buckets.find(bucket);
    if (found === undefined) {
      throw storageError('NoSuchBucket', { BucketName: bucket });
    }
    return found.objectLock;
  }

  /**
   * Enables object lock or changes its default. Versioning must be enabled, and can then no more be suspended.
   * @throws StorageError `NoSuchBucket`, `InvalidBucketState`
   */
  async setOfBucket(bucket: string, lock: BucketObjectLock): Promise<void> {
    const found = await this.buckets.find(bucket);
    if (found === undefined) {
      throw storageError('NoSuchBucket', { BucketName: bucket });
    }
    if (found.versioning !== 'enabled') {
      throw new StorageError(
        'InvalidBucketState',
        "Versioning must be 'Enabled' on the bucket to apply a Object Lock configuration",
      );
    }
    await this.buckets.putDocument(bucket, OBJECT_LOCK_DOCUMENT, JSON.stringify(lock));
  }

  /**
   * Returns what locks a version.
   * @throws StorageError `InvalidRequest` on a bucket without object lock; `NoSuchKey` and the like
   */
  async ofObject(
    bucket: string,
    entry: DeleteEntry,
  ): Promise<{ readonly lock: ObjectLock; readonly versionId: string }> {
    if ((await this.ofBucket(bucket)) === undefined) {
      throw lockMissing();
    }
    const { info } = await this.finder.headState({ bucket, ...entry });
    return { lock: info.metadata.lock ?? {}, versionId: info.versionId };
  }

  /**
   * Sets retention or legal hold of a version; the one that is not given stays, also when it is set at the same time.
   *
   * @param bypass the caller may shorten or lift governance retention
   * @throws StorageError `AccessDenied`, `OperationAborted` when others never cease to change it, as {@link ofObject}
   */
  async setOfObject(bucket: string, entry: DeleteEntry, change: ObjectLock, bypass: boolean): Promise<void> {
    for (let attempt = 0; attempt < MAX_TRIES; attempt++) {
      if (await this.trySetOfObject(bucket, entry, change, bypass)) {
        return;
      }
    }
    throw new StorageError('OperationAborted', 'The lock of the object was changed at the same time. Try again.');
  }

  /** Returns false when the lock was changed between being read and being written. */
  private async trySetOfObject(
    bucket: string,
    entry: DeleteEntry,
    change: ObjectLock,
    bypass: boolean,
  ): Promise<boolean> {
    const { lock: current, versionId } = await this.ofObject(bucket, entry);
    const changesRetention = change.legalHold === undefined;
    if (changesRetention && !mayReplaceRetention(current, change, bypass, new Date())) {
      throw new StorageError('AccessDenied', 'Access Denied because object protected by object lock.');
    }
    const next: ObjectLock = changesRetention
      ? { ...change, legalHold: current.legalHold }
      : { ...current, legalHold: change.legalHold };
    return this.objects.setLock(bucket, { key: entry.key, versionId }, current, next);
  }
}
