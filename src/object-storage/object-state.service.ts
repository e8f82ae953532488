import { Injectable } from '@nestjs/common';
import { ObjectCipher } from '../crypto/object-cipher.service';
import { invalidState, isArchived, restoredUntil } from './archive';
import { BucketRepository } from './bucket.repository';
import { chooseEncryption } from './encryption-choice';
import { guardRead, guardWrite } from './key-guard';
import { ObjectFinder } from './object-finder.service';
import type { StoredObject } from './object-row';
import { ObjectStateRepository } from './object-state.repository';
import type { DeleteEntry, KeyGuard, ObjectLock } from './object-storage.types';
import { invalidRequest, StorageError, storageError } from './storage-error';

const DAY_MILLIS = 24 * 60 * 60 * 1000;

/** How the key of an object is to be sealed from now on. */
export interface EncryptionUpdate {
  readonly keyId: string;
  readonly bucketKey: boolean;
  /** Asked for the present key and for the new one. */
  readonly authorizeKey?: KeyGuard;
}

/** Changes to stored versions that leave their bytes, ETag and time as they are. */
@Injectable()
export class ObjectStateService {
  constructor(
    private readonly finder: ObjectFinder,
    private readonly states: ObjectStateRepository,
    private readonly buckets: BucketRepository,
    private readonly cipher: ObjectCipher,
  ) {}

  /**
   * Makes an archived version readable for some days, which takes no time here; again, to move the end.
   *
   * @returns whether it could be read before
   * @throws StorageError `InvalidObjectState` when it is not archived; as {@link ObjectFinder.head}
   */
  async restore(bucket: string, entry: DeleteEntry, days: number): Promise<{ readonly wasRestored: boolean }> {
    const { info } = await this.finder.head({ bucket, ...entry });
    if (!isArchived(info)) {
      throw invalidState("Restore is not allowed for the object's current storage class", info);
    }
    const now = new Date();
    // Copies end with a day, as those of S3 do.
    const until = new Date(Math.ceil((now.getTime() + days * DAY_MILLIS) / DAY_MILLIS) * DAY_MILLIS);
    if (!(await this.states.setRestored(bucket, { key: entry.key, versionId: info.versionId }, until))) {
      throw storageError('NoSuchKey', { Key: entry.key });
    }
    return { wasRestored: restoredUntil(info, now) !== undefined };
  }

  /**
   * Seals the key of a version by a KMS key, without touching its bytes. Only SSE-S3 and SSE-KMS can be changed.
   *
   * @throws StorageError `InvalidRequest`, `AccessDenied` for a locked version, `OperationAborted` when it was changed at
   *   the same time, as {@link ObjectFinder.head}; KmsError; what the guard rejects with
   */
  async updateEncryption(bucket: string, entry: DeleteEntry, update: EncryptionUpdate): Promise<void> {
    const object = await this.finder.head({ bucket, ...entry });
    const record = changeableRecord(object);
    assertUnlocked(object.info.metadata.lock, new Date());
    const { escrow } = (await this.buckets.find(bucket)) ?? {};
    const request = chooseEncryption(
      { mode: 'sse-kms', keyId: update.keyId, bucketKey: update.bucketKey, context: record.context },
      { escrow },
      'off',
    );
    await guardRead(update.authorizeKey, object);
    await guardWrite(update.authorizeKey, request, object.info);
    if (request.mode === 'none') {
      throw new Error('A request for encryption was turned into one for none');
    }
    const location = { bucket, key: entry.key };
    const sealed = await this.cipher.reseal(record, location, location, request);
    const version = { key: entry.key, versionId: object.info.versionId };
    if (!(await this.states.setEncryption(bucket, version, record, sealed))) {
      throw new StorageError('OperationAborted', 'The object was changed at the same time. Try again.');
    }
  }
}

function changeableRecord({ record }: StoredObject): NonNullable<StoredObject['record']> {
  if (record === undefined) {
    throw invalidRequest(
      'The UpdateObjectEncryption operation does not support unencrypted source objects. Only source objects encrypted with SSE-S3 or SSE-KMS are supported.',
    );
  }
  if (record.mode !== 'sse-s3' && record.mode !== 'sse-kms') {
    throw invalidRequest(
      'The UpdateObjectEncryption operation does not support source objects with the encryption type DSSE-KMS or SSE-C. Only source objects encrypted with SSE-S3 or SSE-KMS are supported.',
    );
  }
  return record;
}

function assertUnlocked(lock: ObjectLock | undefined, now: Date): void {
  const retained = lock?.until !== undefined && new Date(lock.until) > now;
  if (retained || lock?.legalHold === true) {
    throw new StorageError(
      'AccessDenied',
      'The encryption type for the specified object cannot be updated because that object is protected by S3 Object Lock.',
    );
  }
}
