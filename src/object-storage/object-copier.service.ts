import { decideOwnership } from './access-control';
import { Injectable } from '@nestjs/common';
import { Readable } from 'node:stream';
import type { EncryptionRecord, EncryptionRequest } from '../crypto/encryption.types';
import { ObjectCipher } from '../crypto/object-cipher.service';
import { sameDataLayout } from '../crypto/object-stages';
import { Settings } from '../settings/settings';
import { assertRestored } from './archive';
import { BucketRepository, type StoredBucket } from './bucket.repository';
import { chooseEncryption, hasMd5Etag } from './encryption-choice';
import { guardRead, guardWrite } from './key-guard';
import { assertAddress, NULL_VERSION } from './names';
import { lockedMetadata } from './object-lock';
import { ObjectFinder } from './object-finder.service';
import { DEFAULT_CHECKSUM, ObjectPutter, writeResult } from './object-putter.service';
import { assertCustomerKeyFits, ObjectReader } from './object-reader.service';
import type { StoredObject } from './object-row';
import type { CopyObjectCommand, CopyResult, ObjectInfo, ObjectMetadata, WriteResult } from './object-storage.types';
import { type ObjectCommit, ObjectRepository } from './object.repository';
import { assertCopyable } from './read-conditions';
import { invalidRequest, storageError } from './storage-error';

type Ownership = ReturnType<typeof decideOwnership>;

const MAX_COPY_BYTES = 5 * 1024 ** 3;

/** Copies objects, through the plaintext between different keys, or by sealing the key anew where the bytes can stay. */
@Injectable()
export class ObjectCopier {
  constructor(
    private readonly finder: ObjectFinder,
    private readonly reader: ObjectReader,
    private readonly putter: ObjectPutter,
    private readonly cipher: ObjectCipher,
    private readonly objects: ObjectRepository,
    private readonly buckets: BucketRepository,
    private readonly settings: Settings,
  ) {}

  /**
   * Copies an object. The encryption of the source is never carried over: the request, the rule of the destination's
   * bucket or the server's default decides.
   *
   * @throws StorageError as reading the source and writing the destination; `InvalidRequest` for a source over 5 GiB and
   *   for a copy onto itself that changes nothing
   */
  async copy(command: CopyObjectCommand): Promise<CopyResult> {
    assertAddress(command);
    const source = await this.finder.findSource(command.source);
    await guardRead(command.authorizeKey, source);
    assertCustomerKeyFits(source, command.sourceCustomerKey);
    assertCopyable(command.sourceConditions, source.info);
    assertRestored(source.info);
    if (source.info.size > MAX_COPY_BYTES) {
      throw invalidRequest(
        'The specified copy source is larger than the maximum allowable size for a copy source: 5368709120',
      );
    }
    const bucket = await this.buckets.find(command.bucket);
    if (bucket === undefined) {
      throw storageError('NoSuchBucket', { BucketName: command.bucket });
    }
    assertChangesSomething(command, bucket);
    const ownership = decideOwnership(bucket, command.owner, command.acl);
    const request = chooseEncryption(command.encryption, bucket, this.settings.autoEncryption);
    await guardWrite(command.authorizeKey, request, command);
    const result =
      (await this.resealInPlace(command, source, bucket, request, ownership)) ??
      (await this.stream(command, source, bucket, request, ownership));
    const { versionId } = source.info;
    return { ...result, sourceVersionId: versionId === NULL_VERSION ? command.source.versionId : versionId };
  }

  private async stream(
    command: CopyObjectCommand,
    source: StoredObject,
    bucket: StoredBucket,
    encryption: EncryptionRequest,
    ownership: Ownership,
  ): Promise<WriteResult> {
    const { info } = source;
    const key = await this.reader.unlock(source, command.sourceCustomerKey);
    const content = await this.reader.read(source, key, 0, info.size);
    return this.putter.put({
      bucket,
      key: command.key,
      body: {
        stream: Buffer.isBuffer(content) ? Readable.from([content]) : content,
        expectation: {
          length: info.size,
          checksum: { algorithm: command.checksumAlgorithm ?? info.checksum?.algorithm ?? DEFAULT_CHECKSUM },
        },
      },
      metadata: lockedMetadata(metadataOf(command, info), command.lock, bucket.objectLock, new Date()),
      tags: command.tags ?? info.tags,
      encryption,
      conditions: command.conditions,
      ...ownership,
    });
  }

  /**
   * Copies an object onto itself without touching its bytes, where that is possible.
   * @returns undefined when the bytes have to be written anew
   */
  private async resealInPlace(
    command: CopyObjectCommand,
    source: StoredObject,
    bucket: StoredBucket,
    request: EncryptionRequest,
    ownership: Ownership,
  ): Promise<WriteResult | undefined> {
    const content = keptContent(source);
    if (content === undefined || bucket.versioning === 'enabled' || !canStay(command, source, request)) {
      return undefined;
    }
    const { info } = source;
    const commit: ObjectCommit = {
      bucketId: bucket.id,
      key: command.key,
      conditions: command.conditions,
      size: info.size,
      etag: info.etag,
      ...ownership,
      metadata: metadataOf(command, info),
      tags: command.tags ?? info.tags,
      checksum: info.checksum,
      record: await this.reseal(command, source.record, request),
      content,
    };
    const outcome = await this.objects.commit(commit);
    return outcome.outcome === 'changed' ? undefined : writeResult(commit, outcome, bucket);
  }

  private async reseal(
    command: CopyObjectCommand,
    record: EncryptionRecord | undefined,
    request: EncryptionRequest,
  ): Promise<EncryptionRecord | undefined> {
    if (record === undefined || request.mode === 'none') {
      return undefined;
    }
    const location = { bucket: command.bucket, key: command.key };
    return this.cipher.reseal(record, location, location, request, command.sourceCustomerKey);
  }
}

function keptContent(source: StoredObject): ObjectCommit['content'] | undefined {
  switch (source.content.kind) {
    case 'inline':
      return undefined;
    case 'blob':
      return { kind: 'kept-blob', id: source.content.id };
    case 'parts':
      return { kind: 'kept-parts', parts: source.content.parts };
  }
}

/** Whether bytes, ETag and checksum of the source also fit the copy. */
function canStay(command: CopyObjectCommand, source: StoredObject, request: EncryptionRequest): boolean {
  const { info, record, content } = source;
  const sameObject = isSelf(command) && info.isLatest && info.versionId === NULL_VERSION;
  const sameChecksum =
    command.checksumAlgorithm === undefined || command.checksumAlgorithm === info.checksum?.algorithm;
  const sameForm =
    record === undefined || request.mode === 'none'
      ? record === undefined && request.mode === 'none'
      : sameDataLayout(record.mode, request.mode);
  const etagFits = content.kind === 'parts' || !hasMd5Etag(request.mode) || hasMd5Etag(info.encryption.mode);
  return sameObject && sameChecksum && sameForm && etagFits;
}

function metadataOf({ metadata, placement }: CopyObjectCommand, source: ObjectInfo): ObjectMetadata {
  const { storageClass, websiteRedirectLocation } = placement ?? {};
  return metadata ?? { ...source.metadata, restoredUntil: undefined, storageClass, websiteRedirectLocation };
}

function isSelf(command: CopyObjectCommand): boolean {
  return command.source.bucket === command.bucket && command.source.key === command.key;
}

/** Where a bucket has a rule of encryption, that counts as a change, as on AWS. */
function assertChangesSomething(command: CopyObjectCommand, bucket: StoredBucket): void {
  const changes =
    command.source.versionId !== undefined ||
    command.metadata !== undefined ||
    command.tags !== undefined ||
    command.placement?.storageClass !== undefined ||
    command.placement?.websiteRedirectLocation !== undefined ||
    command.encryption !== undefined ||
    command.sourceCustomerKey !== undefined ||
    (bucket.encryption ?? undefined) !== undefined ||
    command.checksumAlgorithm !== undefined;
  if (isSelf(command) && !changes) {
    throw invalidRequest(
      "This copy request is illegal because it is trying to copy an object to itself without changing the object's metadata, storage class, website redirect location or encryption attributes.",
    );
  }
}
