import { Injectable } from '@nestjs/common';
import { Readable } from 'node:stream';
import { DomainError } from '../common/domain-error';
import type { CustomerKey } from '../crypto/encryption.types';
import { ObjectCipher } from '../crypto/object-cipher.service';
import { assertRestored } from './archive';
import { encryptionInfo, encryptionRecord } from './encryption-columns';
import { hasMd5Etag } from './encryption-choice';
import { randomPartEtag } from './etag';
import { guardRead } from './key-guard';
import { MultipartRepository, type UploadRow } from './multipart.repository';
import { assertAddress } from './names';
import { ObjectFinder } from './object-finder.service';
import { DEFAULT_CHECKSUM } from './object-putter.service';
import { assertInside } from './object-range';
import { assertCustomerKeyFits, ObjectReader } from './object-reader.service';
import type { ObjectBody, PartResult, UploadPartCommand, UploadPartCopyCommand } from './object-storage.types';
import { ObjectWriter } from './object-writer.service';
import { assertCopyable } from './read-conditions';
import { assertOutcome, invalidArgument, invalidRequest, storageError } from './storage-error';

const MAX_PARTS = 10_000;
const MAX_PART_BYTES = 5 * 1024 ** 3;

/** The part of a part upload that is the same for bodies and copies. */
type PartTarget = Pick<UploadPartCommand, 'bucket' | 'key' | 'uploadId' | 'partNumber' | 'customerKey'>;

/** Stores parts, each as a blob of its own under its own part key, in any order and at the same time. */
@Injectable()
export class PartUploader {
  constructor(
    private readonly uploads: MultipartRepository,
    private readonly writer: ObjectWriter,
    private readonly cipher: ObjectCipher,
    private readonly finder: ObjectFinder,
    private readonly reader: ObjectReader,
  ) {}

  /**
   * Stores a part; a number that was sent before is replaced. The body's stream is consumed or destroyed in every case.
   * @throws StorageError `NoSuchUpload`, `InvalidArgument`, `EntityTooLarge`, of the body's verification; KmsError
   */
  async upload(command: UploadPartCommand): Promise<PartResult> {
    try {
      const upload = await this.openUpload(command);
      assertChecksumAlgorithm(upload, command.body);
      return await this.store(command, upload, command.body);
    } finally {
      command.body.stream.destroy();
    }
  }

  /**
   * Stores a range of another object as a part.
   * @throws StorageError as {@link upload} and as reading the source
   */
  async copy(command: UploadPartCopyCommand): Promise<PartResult> {
    const upload = await this.openUpload(command);
    const source = await this.finder.findSource(command.source);
    await guardRead(command.authorizeKey, source);
    assertCustomerKeyFits(source, command.sourceCustomerKey);
    assertCopyable(command.sourceConditions, source.info);
    assertRestored(source.info);
    const { size, versionId } = source.info;
    if (command.range !== undefined) {
      assertInside(command.range, size);
    }
    const first = command.range?.first ?? 0;
    const length = command.range === undefined ? size : command.range.last - first + 1;
    assertPartSize(length);
    const key = await this.reader.unlock(source, command.sourceCustomerKey);
    const content = await this.reader.read(source, key, first, length);
    const stream = Buffer.isBuffer(content) ? Readable.from([content]) : content;
    try {
      const result = await this.store(command, upload, { stream, expectation: { length } });
      return { ...result, sourceVersionId: versionId === 'null' ? command.source.versionId : versionId };
    } finally {
      stream.destroy();
    }
  }

  private async openUpload(target: PartTarget): Promise<UploadRow> {
    assertAddress({ bucket: target.bucket, key: target.key });
    if (!Number.isInteger(target.partNumber) || target.partNumber < 1 || target.partNumber > MAX_PARTS) {
      throw invalidArgument(
        `Part number must be an integer between 1 and ${MAX_PARTS}, inclusive`,
        'partNumber',
        String(target.partNumber),
      );
    }
    return requireOpen(await this.uploads.find(target.bucket, target.key, target.uploadId), target);
  }

  private async store(target: PartTarget, upload: UploadRow, body: ObjectBody): Promise<PartResult> {
    assertPartSize(body.expectation.length);
    const objectKey = await this.openKey(target, upload, target.customerKey);
    try {
      const written = await this.writer.writePart(
        {
          body,
          checksum: upload.checksum_algorithm ?? DEFAULT_CHECKSUM,
          wantsMd5: hasMd5Etag(upload.mode),
          inlineLimit: -1,
        },
        upload.mode,
        objectKey,
        target.partNumber,
      );
      const { verified, content } = written;
      if (content.kind !== 'blob') {
        throw new Error('A part was not stored as a blob');
      }
      const etag = hasMd5Etag(upload.mode) && verified.md5 !== undefined ? verified.md5 : randomPartEtag();
      const outcome = await this.uploads.commitPart({
        uploadId: upload.id,
        number: target.partNumber,
        size: verified.size,
        etag,
        checksum: verified.checksum.value,
        blob: content.blob,
      });
      if (outcome.outcome !== 'ok') {
        await written.undo();
      }
      assertOutcome(outcome.outcome, { UploadId: upload.id });
      return {
        etag,
        lastModified: outcome.committed_at,
        encryption: encryptionInfo(encryptionRecord(upload)),
        // As on AWS, a part tells of a checksum that the client has sent or that the upload was begun with.
        checksum: verified.sent ?? (upload.checksum_algorithm === null ? undefined : verified.checksum),
      };
    } finally {
      objectKey?.fill(0);
    }
  }

  /**
   * Proves that a customer key is that of an upload.
   * @throws StorageError `InvalidRequest` when it is missing, wrong or out of place
   */
  async proveKey(
    target: Pick<PartTarget, 'bucket' | 'key'>,
    upload: UploadRow,
    customerKey: CustomerKey | undefined,
  ): Promise<void> {
    (await this.openKey(target, upload, customerKey))?.fill(0);
  }

  private async openKey(
    target: Pick<PartTarget, 'bucket' | 'key'>,
    upload: UploadRow,
    customerKey: CustomerKey | undefined,
  ): Promise<Buffer | undefined> {
    const record = encryptionRecord(upload);
    if ((upload.mode === 'sse-c') !== (customerKey !== undefined)) {
      throw mismatchedKey();
    }
    if (record === undefined) {
      return undefined;
    }
    try {
      return await this.cipher.open(record, { bucket: target.bucket, key: target.key }, customerKey);
    } catch (error) {
      throw error instanceof DomainError && error.kind === 'AccessDenied'
        ? invalidRequest('The provided encryption parameters did not match the ones used originally.')
        : error;
    }
  }
}

/**
 * Turns what was found into an upload that takes parts.
 * @throws StorageError `NoSuchBucket`, `NoSuchUpload`
 */
export function requireOpen(
  upload: UploadRow | null | undefined,
  target: { readonly bucket: string; readonly uploadId: string },
): UploadRow {
  const found = requireUpload(upload, target);
  if (found.completion !== null) {
    throw storageError('NoSuchUpload', { UploadId: target.uploadId });
  }
  return found;
}

/** The same for an upload that may have been completed. */
export function requireUpload(
  upload: UploadRow | null | undefined,
  target: { readonly bucket: string; readonly uploadId: string },
): UploadRow {
  if (upload === undefined) {
    throw storageError('NoSuchBucket', { BucketName: target.bucket });
  }
  if (upload === null) {
    throw storageError('NoSuchUpload', { UploadId: target.uploadId });
  }
  return upload;
}

function mismatchedKey(): DomainError {
  return invalidRequest(
    'The multipart upload initiate requested encryption. Subsequent part requests must include the appropriate encryption parameters.',
  );
}

function assertPartSize(length: number): void {
  if (length > MAX_PART_BYTES) {
    throw storageError('EntityTooLarge', { MaxSizeAllowed: String(MAX_PART_BYTES) });
  }
}

/** Parts bring the checksum that was announced for the upload; only one of the full object can be computed without them. */
function assertChecksumAlgorithm(upload: UploadRow, body: ObjectBody): void {
  const sent = body.expectation.checksum?.algorithm;
  const { checksum_algorithm: expected, checksum_type: type } = upload;
  const missing = sent === undefined && type === 'COMPOSITE';
  if (expected !== null && (missing || (sent !== undefined && sent !== expected))) {
    throw invalidRequest(
      `Checksum Type mismatch occurred, expected checksum Type: ${expected.toLowerCase()}, actual checksum Type: ${sent?.toLowerCase() ?? 'null'}`,
    );
  }
}
