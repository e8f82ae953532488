import { decideOwnership, storedAcl } from './access-control';
import type { AccessControlList } from './access-control.types';
import { Injectable } from '@nestjs/common';
import { Settings } from '../settings/settings';
import { assertRestored } from './archive';
import { BucketRepository } from './bucket.repository';
import { chooseEncryption } from './encryption-choice';
import { guardRead, guardWrite } from './key-guard';
import { assertAddress } from './names';
import { ObjectCopier } from './object-copier.service';
import { ObjectDeleter } from './object-deleter.service';
import { ObjectFinder } from './object-finder.service';
import { lockedMetadata } from './object-lock';
import { ObjectPutter } from './object-putter.service';
import { select } from './object-range';
import { assertCustomerKeyFits, ObjectReader } from './object-reader.service';
import type {
  CopyObjectCommand,
  CopyResult,
  DeleteEntry,
  DeleteFailure,
  DeleteResult,
  GetObjectCommand,
  NamedVersion,
  ObjectInfo,
  ObjectServiceContract,
  OpenedObject,
  PutObjectCommand,
  WriteConditions,
  WriteResult,
} from './object-storage.types';
import { ObjectRepository } from './object.repository';
import { assertReadable } from './read-conditions';
import { storageError } from './storage-error';

const MAX_PUT_BYTES = 5 * 1024 ** 3;

/** Objects: the public face of reading and writing them whole. */
@Injectable()
export class ObjectService implements ObjectServiceContract {
  constructor(
    private readonly finder: ObjectFinder,
    private readonly reader: ObjectReader,
    private readonly putter: ObjectPutter,
    private readonly copier: ObjectCopier,
    private readonly deleter: ObjectDeleter,
    private readonly objects: ObjectRepository,
    private readonly buckets: BucketRepository,
    private readonly settings: Settings,
  ) {}

  /**
   * Stores an object. It becomes visible, whole and durable, when this resolves; when it rejects nothing has changed. The
   * body's stream is consumed or destroyed in every case.
   *
   * @throws StorageError with the S3 code; KmsError
   */
  async put(command: PutObjectCommand): Promise<WriteResult> {
    try {
      assertAddress(command);
      if (command.body.expectation.length > MAX_PUT_BYTES) {
        throw storageError('EntityTooLarge', { MaxSizeAllowed: String(MAX_PUT_BYTES) });
      }
      const bucket = await this.buckets.find(command.bucket);
      if (bucket === undefined) {
        throw storageError('NoSuchBucket', { BucketName: command.bucket });
      }
      const ownership = decideOwnership(bucket, command.owner, command.acl);
      const encryption = chooseEncryption(command.encryption, bucket, this.settings.autoEncryption);
      await guardWrite(command.authorizeKey, encryption, command);
      const metadata = lockedMetadata(command.metadata, command.lock, bucket.objectLock, new Date());
      return await this.putter.put({ ...command, ...ownership, metadata, bucket, encryption });
    } finally {
      command.body.stream.destroy();
    }
  }

  /**
   * Opens an object, a range or a part of it for reading.
   *
   * @throws StorageError `NoSuchBucket`, `NoSuchKey`, `NoSuchVersion`, `MethodNotAllowed`, `PreconditionFailed`,
   *   `NotModified`, `InvalidObjectState`, `InvalidRange`, `InvalidPartNumber`, `InvalidRequest`; DomainError `AccessDenied`; KmsError
   */
  async open(command: GetObjectCommand): Promise<OpenedObject> {
    const object = await this.finder.find(command);
    await guardRead(command.authorizeKey, object);
    assertCustomerKeyFits(object, command.customerKey);
    assertReadable(command.conditions, object.info);
    assertRestored(object.info);
    const { range, first, length } = select(command, object.info.size, object.info.parts);
    const key = await this.reader.unlock(object, command.customerKey);
    return { info: object.info, range, length, body: await this.reader.read(object, key, first, length) };
  }

  /** Describes what {@link open} would give. Only for SSE-C is the key tried; no KMS is asked. */
  async head(command: GetObjectCommand): Promise<Omit<OpenedObject, 'body'>> {
    const object = await this.finder.head(command);
    await guardRead(command.authorizeKey, object);
    assertCustomerKeyFits(object, command.customerKey);
    assertReadable(command.conditions, object.info);
    const { range, length } = select(command, object.info.size, object.info.parts);
    if (command.customerKey !== undefined) {
      const key = await this.reader.unlock(object, command.customerKey);
      key?.objectKey.fill(0);
    }
    return { info: object.info, range, length };
  }

  /** See {@link ObjectCopier.copy}. */
  async copy(command: CopyObjectCommand): Promise<CopyResult> {
    return this.copier.copy(command);
  }

  /** See {@link ObjectDeleter.delete}. */
  async delete(
    bucket: string,
    entry: DeleteEntry,
    conditions?: WriteConditions,
    bypass?: boolean,
  ): Promise<DeleteResult> {
    return this.deleter.delete(bucket, entry, conditions, bypass);
  }

  /** See {@link ObjectDeleter.deleteMany}. */
  async deleteMany(
    bucket: string,
    entries: readonly DeleteEntry[],
    bypass?: boolean,
  ): Promise<{ deleted: DeleteResult[]; failed: DeleteFailure[] }> {
    return this.deleter.deleteMany(bucket, entries, bypass);
  }

  /** Says what is stored of an object, whatever it is encrypted with. @throws as {@link head} */
  async describe(bucket: string, entry: DeleteEntry): Promise<ObjectInfo> {
    return (await this.finder.head({ bucket, ...entry })).info;
  }

  /** The same for what is stored beside the content. @throws as {@link ObjectFinder.headState} */
  async describeState(bucket: string, entry: DeleteEntry): Promise<ObjectInfo> {
    return (await this.finder.headState({ bucket, ...entry })).info;
  }

  /** Returns an object's tags, none when it has none. @throws as {@link head} */
  async getTags(
    bucket: string,
    entry: DeleteEntry,
  ): Promise<NamedVersion & { readonly tags: Readonly<Record<string, string>> }> {
    const { versionId, versioned, tags } = await this.describeState(bucket, entry);
    return { versionId, versioned, tags: tags ?? {} };
  }

  /** Replaces an object's tags. @throws as {@link head} */
  async setTags(bucket: string, entry: DeleteEntry, tags: Readonly<Record<string, string>>): Promise<NamedVersion> {
    const { versionId, versioned } = await this.describeState(bucket, entry);
    if (!(await this.objects.setTags(bucket, { key: entry.key, versionId }, tags))) {
      throw storageError('NoSuchKey', { Key: entry.key });
    }
    return { versionId, versioned };
  }
  /** Replaces an object's access list. @throws as {@link head} */
  async setAcl(bucket: string, entry: DeleteEntry, acl: AccessControlList): Promise<{ versionId: string }> {
    const { versionId, owner } = await this.describe(bucket, entry);
    if (!(await this.objects.setAcl(bucket, { key: entry.key, versionId }, storedAcl(acl, owner)))) {
      throw storageError('NoSuchKey', { Key: entry.key });
    }
    return { versionId };
  }
}
