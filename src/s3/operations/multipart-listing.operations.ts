import { Injectable } from '@nestjs/common';
import { MultipartService } from '../../object-storage/multipart.service';
import type { ListedPart, MultipartUploadInfo } from '../../object-storage/object-storage.types';
import { checksumElement } from '../headers/checksum-headers';
import { commonPrefixesXml, entryLimit, listParameters, type ListParameters } from '../list-parameters';
import { LifecycleHeaders } from '../lifecycle-headers';
import { xmlAnswer, type S3Answer, type S3Call, type S3Handlers } from '../s3-call';
import { invalidArgument } from '../s3-error';
import { uploadIdOf } from '../upload-part';
import { etagXml, ownerXml } from '../xml-objects';
import { element, textElement, xmlDocument, timeElement } from '../xml-writer';

/** Uploads in progress and their parts, listed. */
@Injectable()
export class MultipartListingOperations {
  readonly handlers: S3Handlers = {
    ListParts: (call) => this.listParts(call),
    ListMultipartUploads: (call) => this.listUploads(call),
  };

  constructor(
    private readonly uploads: MultipartService,
    private readonly lifecycle: LifecycleHeaders,
  ) {}

  private async listParts(call: S3Call): Promise<S3Answer> {
    const { name, encodingType } = listParameters(call);
    const marker = partNumberMarker(call);
    const maxParts = entryLimit(call, 'max-parts');
    const page = await this.uploads.listParts(call.bucket, call.key, uploadIdOf(call), marker, maxParts);
    const { upload } = page;
    return xmlAnswer(
      xmlDocument(
        'ListPartsResult',
        textElement('Bucket', call.bucket) +
          name('Key', call.key) +
          textElement('UploadId', upload.uploadId) +
          ownerXml('Initiator', upload.initiator) +
          ownerXml('Owner', upload.owner) +
          textElement('StorageClass', upload.storageClass) +
          textElement('PartNumberMarker', marker) +
          textElement('NextPartNumberMarker', page.nextPartNumberMarker) +
          textElement('MaxParts', maxParts) +
          textElement('EncodingType', encodingType) +
          textElement('IsTruncated', page.truncated) +
          textElement('ChecksumAlgorithm', upload.checksum?.algorithm) +
          textElement('ChecksumType', upload.checksum?.type) +
          page.parts.map(partXml).join(''),
      ),
      await this.lifecycle.ofUpload(call.bucket, upload),
    );
  }

  private async listUploads(call: S3Call): Promise<S3Answer> {
    const parameters = listParameters(call);
    const { prefix, delimiter, name, encodingType } = parameters;
    const keyMarker = call.query.get('key-marker') || undefined;
    // AWS ignores the marker of an upload where the key it belongs to is not named.
    const uploadIdMarker = keyMarker === undefined ? undefined : call.query.get('upload-id-marker') || undefined;
    const maxUploads = entryLimit(call, 'max-uploads');
    const page = await this.uploads.listUploads({
      bucket: call.bucket,
      prefix,
      delimiter,
      keyMarker,
      uploadIdMarker,
      maxUploads,
    });
    // Unlike other listings, this one says also at its end where it ended.
    const ended = page.truncated ? undefined : page.uploads.at(-1);
    return xmlAnswer(
      xmlDocument(
        'ListMultipartUploadsResult',
        textElement('Bucket', call.bucket) +
          name('KeyMarker', keyMarker ?? '') +
          textElement('UploadIdMarker', uploadIdMarker ?? '') +
          name('NextKeyMarker', page.nextKeyMarker ?? ended?.key ?? '') +
          textElement('NextUploadIdMarker', page.nextUploadIdMarker ?? ended?.uploadId ?? '') +
          name('Prefix', prefix || undefined) +
          name('Delimiter', delimiter) +
          textElement('EncodingType', encodingType) +
          textElement('MaxUploads', maxUploads) +
          textElement('IsTruncated', page.truncated) +
          page.uploads.map((upload) => uploadXml(upload, parameters)).join('') +
          commonPrefixesXml(page.commonPrefixes, parameters),
      ),
    );
  }
}

function partXml(part: ListedPart): string {
  return element(
    'Part',
    textElement('PartNumber', part.partNumber) +
      timeElement('LastModified', part.lastModified) +
      etagXml(part.etag) +
      textElement('Size', part.size) +
      (part.checksum === undefined ? '' : textElement(checksumElement(part.checksum.algorithm), part.checksum.value)),
  );
}

function uploadXml(upload: MultipartUploadInfo, { name }: ListParameters): string {
  return element(
    'Upload',
    name('Key', upload.key) +
      textElement('UploadId', upload.uploadId) +
      ownerXml('Initiator', upload.initiator) +
      ownerXml('Owner', upload.owner) +
      textElement('StorageClass', upload.storageClass) +
      timeElement('Initiated', upload.initiatedAt) +
      textElement('ChecksumAlgorithm', upload.checksum?.algorithm) +
      textElement('ChecksumType', upload.checksum?.type),
  );
}

function partNumberMarker(call: S3Call): number {
  const value = call.query.get('part-number-marker');
  if (value === undefined || value === '') {
    return 0;
  }
  if (!/^\d{1,9}$/.test(value)) {
    throw invalidArgument(
      'Provided part-number-marker not an integer or within integer range',
      'part-number-marker',
      value,
    );
  }
  return Number(value);
}
