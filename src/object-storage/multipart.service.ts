import { decideOwnership } from './access-control';
import { Injectable } from '@nestjs/common';
import type { Queryable } from '../database/statement';
import { ObjectCipher } from '../crypto/object-cipher.service';
import type { EncryptionRecord, EncryptionRequest, ObjectLocation } from '../crypto/encryption.types';
import { Settings } from '../settings/settings';
import { lockedMetadata } from './object-lock';
import { BucketRepository, type StoredBucket } from './bucket.repository';
import { chooseEncryption } from './encryption-choice';
import { encryptionInfo, encryptionRecord } from './encryption-columns';
import { guardUpload } from './key-guard';
import {
  assemble,
  type AssembledObject,
  assertChecksumType,
  partsFingerprint,
  type UploadChecksum,
} from './multipart-completion';
import { type Completion, MultipartRepository, type UploadRow } from './multipart.repository';
import { assertAddress } from './names';
import { DEFAULT_CHECKSUM } from './object-putter.service';
import type {
  CompleteMultipartCommand,
  CreateMultipartCommand,
  ListPartsResult,
  ListUploadsCommand,
  ListUploadsResult,
  MultipartServiceContract,
  MultipartUploadInfo,
  PartResult,
  UploadPartCommand,
  UploadPartCopyCommand,
  WriteResult,
} from './object-storage.types';
import { type ObjectCommit, ObjectRepository } from './object.repository';
import { PartUploader, requireOpen, requireUpload } from './part-uploader.service';
import { assertOutcome, StorageError, storageError } from './storage-error';
import { UploadLister } from './upload-lister.service';

const MAX_PARTS = 10_000;
const MAX_PARTS_PAGE = 1000;

/** Multipart uploads: the public face. */
@Injectable()
export class MultipartService implements MultipartServiceContract {
  constructor(
    private readonly uploads: MultipartRepository,
    private readonly buckets: BucketRepository,
    private readonly objects: ObjectRepository,
    private readonly cipher: ObjectCipher,
    private readonly parts: PartUploader,
    private readonly lister: UploadLister,
    private readonly settings: Settings,
  ) {}

  /**
   * Begins an upload. Its object key is sealed now, by one KMS call, and serves all parts.
   * @throws StorageError `NoSuchBucket`, `InvalidRequest` for an impossible checksum type; KmsError
   */
  async create(command: CreateMultipartCommand): Promise<MultipartUploadInfo> {
    assertAddress(command);
    if (command.checksum !== undefined) {
      assertChecksumType(command.checksum);
    }
    const bucket = await this.requireBucket(command.bucket);
    const ownership = decideOwnership(bucket, command.owner, command.acl);
    const request = chooseEncryption(command.encryption, bucket, this.settings.autoEncryption);
    await guardUpload(command.authorizeKey, request, command);
    const metadata = lockedMetadata(command.metadata, command.lock, bucket.objectLock, new Date());
    const record = await this.seal(request, { bucket: bucket.name, key: command.key });
    const { id, initiatedAt } = await this.uploads.insert({
      ...command,
      ...ownership,
      initiator: command.owner,
      metadata,
      bucketId: bucket.id,
      record,
    });
    return {
      bucket: command.bucket,
      key: command.key,
      uploadId: id,
      initiatedAt,
      owner: ownership.owner,
      initiator: command.owner,
      storageClass: command.metadata.storageClass ?? 'STANDARD',
      encryption: encryptionInfo(record),
      checksum: command.checksum,
    };
  }

  /** The headers an upload was begun with, as `create` was given them; undefined when there are none, or no upload. */
  async requestHeaders(
    bucket: string,
    key: string,
    uploadId: string,
  ): Promise<Readonly<Record<string, string>> | undefined> {
    return (await this.uploads.requestHeaders(bucket, key, uploadId)) ?? undefined;
  }

  /** See {@link PartUploader.upload}. */
  async uploadPart(command: UploadPartCommand): Promise<PartResult> {
    return this.parts.upload(command);
  }

  /** See {@link PartUploader.copy}. */
  async uploadPartCopy(command: UploadPartCopyCommand): Promise<PartResult> {
    return this.parts.copy(command);
  }

  /**
   * Makes the object of the uploaded parts visible, in one transaction and without moving a byte. Repeating it with the
   * same parts gives the same answer again.
   *
   * @throws StorageError `NoSuchUpload`, `PreconditionFailed`, `NoSuchKey`, `InvalidRequest` for a missing or wrong customer
   *   key, and as `assemble`
   */
  async complete(command: CompleteMultipartCommand): Promise<WriteResult> {
    assertAddress({ bucket: command.bucket, key: command.key });
    const upload = requireUpload(await this.uploads.find(command.bucket, command.key, command.uploadId), command);
    // As on AWS, who has asked for a checksum of what only a customer key opens has to send that key once more.
    if (upload.mode === 'sse-c' && (upload.checksum_algorithm !== null || command.customerKey !== undefined)) {
      await this.parts.proveKey(command, upload, command.customerKey);
    }
    const fingerprint = partsFingerprint(command.parts);
    return this.uploads.ending(upload, async (on, completion, seal) => {
      if (completion !== undefined) {
        return repeated(upload, completion, fingerprint);
      }
      const uploaded = await this.uploads.parts(upload.id, 0, MAX_PARTS, on);
      const assembled = assemble(command, uploaded, checksumOf(upload));
      const checksum = keepsChecksum(upload, command, assembled) ? assembled.checksum : undefined;
      const commit: ObjectCommit = {
        bucketId: upload.bucket_id,
        key: upload.key,
        conditions: command.conditions,
        size: assembled.size,
        etag: assembled.etag,
        owner: upload.owner,
        acl: upload.acl ?? undefined,
        metadata: upload.metadata,
        tags: upload.tags ?? undefined,
        checksum,
        record: encryptionRecord(seal),
        content: { kind: 'parts', parts: assembled.parts },
      };
      await this.assertUndisturbed(upload, command, on);
      const outcome = await this.objects.commit(commit, on);
      assertOutcome(outcome.outcome, { BucketName: command.bucket, Key: command.key }, command.conditions);
      const unversioned = upload.versioning === 'unversioned' && outcome.committed_version === 'null';
      const done: Completion = {
        fingerprint,
        etag: assembled.etag,
        versionId: unversioned ? undefined : outcome.committed_version,
        size: assembled.size,
        lastModified: outcome.committed_at.toISOString(),
        checksum,
      };
      const used = assembled.parts.map((part) => part.b);
      await this.uploads.finish(upload.id, used, done, on);
      return writeResult(upload, done);
    });
  }

  /**
   * Ends an upload and queues its parts for deletion.
   * @throws StorageError `NoSuchUpload`
   */
  async abort(bucket: string, key: string, uploadId: string): Promise<void> {
    assertAddress({ bucket, key });
    const upload = requireOpen(await this.uploads.find(bucket, key, uploadId), { bucket, uploadId });
    await this.uploads.ending(upload, async (on, completion) => {
      if (completion !== undefined) {
        throw storageError('NoSuchUpload', { UploadId: uploadId });
      }
      await this.uploads.abort(uploadId, on);
    });
  }

  /**
   * Lists parts from the number behind `after`, at most 1000.
   * @throws StorageError `NoSuchUpload`
   */
  async listParts(
    bucket: string,
    key: string,
    uploadId: string,
    after: number,
    maxParts: number,
  ): Promise<ListPartsResult> {
    assertAddress({ bucket, key });
    const upload = requireOpen(await this.uploads.find(bucket, key, uploadId), { bucket, uploadId });
    const limit = Math.min(maxParts, MAX_PARTS_PAGE);
    const rows = await this.uploads.parts(uploadId, after, limit + 1);
    const page = rows.slice(0, limit);
    const algorithm = upload.checksum_algorithm;
    const truncated = limit > 0 && rows.length > limit;
    return {
      upload: uploadInfo(bucket, upload),
      parts: page.map((part) => ({
        partNumber: part.number,
        etag: part.etag,
        size: Number(part.size),
        lastModified: part.last_modified,
        checksum: algorithm === null ? undefined : { algorithm, value: part.checksum },
      })),
      truncated,
      nextPartNumberMarker: truncated ? page.at(-1)?.number : undefined,
    };
  }

  /** See {@link UploadLister.list}. */
  async listUploads(command: ListUploadsCommand): Promise<ListUploadsResult> {
    return this.lister.list(command);
  }

  /**
   * A condition that holds says nothing when the key was written after the upload began: AWS answers a conflict then, and
   * wants the upload done anew. A version that was deleted without a trace is not noticed.
   */
  private async assertUndisturbed(
    upload: UploadRow,
    { bucket, key, conditions }: CompleteMultipartCommand,
    on: Queryable,
  ): Promise<void> {
    if (conditions === undefined) {
      return;
    }
    const current = await this.objects.head(bucket, key, undefined, on);
    if (current?.found !== true || current.last_modified <= upload.initiated_at) {
      return;
    }
    const { ifMatch, ifNoneMatchAny } = conditions;
    const matches = !current.delete_marker && (ifMatch === '*' || ifMatch === current.etag);
    if (matches || (current.delete_marker && ifNoneMatchAny === true)) {
      throw new StorageError(
        'ConditionalRequestConflict',
        'The conditional request cannot succeed due to a conflicting operation against this resource.',
        { details: { Condition: ifNoneMatchAny === true ? 'If-None-Match' : 'If-Match', Key: key } },
      );
    }
  }

  private async seal(request: EncryptionRequest, location: ObjectLocation): Promise<EncryptionRecord | undefined> {
    if (request.mode === 'none') {
      return undefined;
    }
    const pending = this.cipher.begin(request, location, { multipart: true });
    try {
      return await pending.record;
    } finally {
      pending.discard();
    }
  }

  private async requireBucket(name: string): Promise<StoredBucket> {
    const bucket = await this.buckets.find(name);
    if (bucket === undefined) {
      throw storageError('NoSuchBucket', { BucketName: name });
    }
    return bucket;
  }
}

/** As on AWS, an object of parts under a customer key has no checksum that nobody chose. */
function keepsChecksum(
  upload: UploadRow,
  { checksum }: CompleteMultipartCommand,
  assembled: Pick<AssembledObject, 'checksum'>,
): boolean {
  const chosen = upload.checksum_algorithm !== null || checksum?.algorithm === assembled.checksum.algorithm;
  return chosen || upload.mode !== 'sse-c';
}

function checksumOf(upload: UploadRow): UploadChecksum {
  return upload.checksum_algorithm === null || upload.checksum_type === null
    ? { algorithm: DEFAULT_CHECKSUM, type: 'FULL_OBJECT', requested: false }
    : { algorithm: upload.checksum_algorithm, type: upload.checksum_type, requested: true };
}

function repeated(upload: UploadRow, completion: Completion | null, fingerprint: string): WriteResult {
  if (completion?.fingerprint !== fingerprint) {
    throw storageError('NoSuchUpload', { UploadId: upload.id });
  }
  return writeResult(upload, completion);
}

function writeResult(upload: UploadRow, completion: Completion): WriteResult {
  return {
    etag: completion.etag,
    versionId: completion.versionId,
    size: completion.size,
    lastModified: new Date(completion.lastModified),
    encryption: encryptionInfo(encryptionRecord(upload)),
    checksum: completion.checksum,
    tags: upload.tags ?? undefined,
  };
}

function uploadInfo(bucket: string, upload: UploadRow): MultipartUploadInfo {
  return {
    bucket,
    key: upload.key,
    uploadId: upload.id,
    initiatedAt: upload.initiated_at,
    owner: upload.owner,
    initiator: upload.initiator ?? upload.owner,
    storageClass: upload.metadata.storageClass ?? 'STANDARD',
    encryption: encryptionInfo(encryptionRecord(upload)),
    checksum: upload.checksum_algorithm === null ? undefined : checksumOf(upload),
  };
}
