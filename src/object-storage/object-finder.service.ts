import { Injectable } from '@nestjs/common';
import { assertAddress } from './names';
import { type StoredObject, storedObject } from './object-row';
import { type FoundObject, ObjectRepository } from './object.repository';
import { invalidRequest, storageError } from './storage-error';

/** Names an object, or one version of it. */
export interface ObjectAddress {
  readonly bucket: string;
  readonly key: string;
  readonly versionId?: string;
}

/** Finds objects for reading, with the errors that S3 has for every way of not finding one. */
@Injectable()
export class ObjectFinder {
  constructor(private readonly objects: ObjectRepository) {}

  /**
   * Finds an object with its inlined bytes.
   * @throws StorageError `NoSuchBucket`, `NoSuchKey`, `NoSuchVersion`, `InvalidArgument`; `MethodNotAllowed` for a delete
   *   marker named by its id. For delete markers the details carry `deleteMarker`, `versionId` and `lastModified`.
   */
  async find(address: ObjectAddress): Promise<StoredObject> {
    assertAddress(address);
    return this.resolve(address, await this.objects.find(address.bucket, address.key, address.versionId));
  }

  /**
   * Finds the source of a copy, with its inlined bytes.
   * @throws StorageError as {@link find}, but `InvalidRequest` for a delete marker named by its id
   */
  async findSource(address: ObjectAddress): Promise<StoredObject> {
    assertAddress(address);
    const row = await this.objects.find(address.bucket, address.key, address.versionId);
    if (address.versionId !== undefined && row?.found === true && row.delete_marker) {
      throw invalidRequest('The source of a copy request may not specifically refer to a delete marker by version id.');
    }
    return this.resolve(address, row);
  }

  /** The same as {@link find} without the inlined bytes. */
  async head(address: ObjectAddress): Promise<StoredObject> {
    assertAddress(address);
    return this.resolve(address, await this.objects.head(address.bucket, address.key, address.versionId));
  }

  /**
   * The same for what is stored beside the content, as tags and access lists are: a delete marker has none of it, also as
   * the current version.
   */
  async headState(address: ObjectAddress): Promise<StoredObject> {
    assertAddress(address);
    const row = await this.objects.head(address.bucket, address.key, address.versionId);
    return this.resolve(address, row, true);
  }

  private resolve(address: ObjectAddress, row: FoundObject | undefined, ofState = false): StoredObject {
    const { bucket, key, versionId } = address;
    if (row === undefined) {
      throw storageError('NoSuchBucket', { BucketName: bucket });
    }
    if (!row.found) {
      throw versionId === undefined
        ? storageError('NoSuchKey', { Key: key })
        : storageError('NoSuchVersion', { Key: key, VersionId: versionId });
    }
    if (row.delete_marker) {
      const marker = {
        deleteMarker: 'true',
        versionId: row.version_id,
        lastModified: row.last_modified.toISOString(),
      };
      throw versionId === undefined && !ofState
        ? storageError('NoSuchKey', { Key: key, ...marker })
        : storageError('MethodNotAllowed', { ResourceType: 'DeleteMarker', ...marker });
    }
    return storedObject(bucket, key, row);
  }
}
