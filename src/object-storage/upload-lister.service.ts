import { Injectable } from '@nestjs/common';
import { BucketRepository } from './bucket.repository';
import { justAfter, startAfter } from './key-bounds';
import { type ListedUploadRow, ListingRepository } from './listing.repository';
import { assertPossibleBucket, assertText } from './names';
import type { ListUploadsCommand, ListUploadsResult, MultipartUploadInfo } from './object-storage.types';
import { cutPage } from './page';
import type { ScanRow } from './skip-scan';
import { invalidArgument, storageError } from './storage-error';

const MAX_PAGE = 1000;

/** Lists uploads in progress by key, and by the time they began within a key. */
@Injectable()
export class UploadLister {
  constructor(
    private readonly listing: ListingRepository,
    private readonly buckets: BucketRepository,
  ) {}

  /**
   * Lists one page. An upload id marker counts only together with a key marker.
   * @throws StorageError `NoSuchBucket`; `InvalidArgument` for a marker that is an upload of another key
   */
  async list(command: ListUploadsCommand): Promise<ListUploadsResult> {
    const { prefix, delimiter, keyMarker, uploadIdMarker } = command;
    for (const [name, text] of Object.entries({ prefix, delimiter, 'key-marker': keyMarker, uploadIdMarker })) {
      assertText(text ?? '', name);
    }
    assertPossibleBucket(command.bucket);
    const bucket = await this.buckets.find(command.bucket);
    if (bucket === undefined) {
      throw storageError('NoSuchBucket', { BucketName: command.bucket });
    }
    await this.assertMarkers(bucket.id, keyMarker, uploadIdMarker);
    const limit = Math.min(command.maxUploads, MAX_PAGE);
    if (limit === 0) {
      return { uploads: [], commonPrefixes: [], truncated: false };
    }
    const behind = startAfter(keyMarker, prefix, delimiter);
    const inKey = keyMarker !== undefined && keyMarker !== '' && uploadIdMarker && behind === justAfter(keyMarker);
    const start = inKey ? { from: keyMarker, afterTie: uploadIdMarker } : { from: behind };
    const rows = await this.listing.uploads({ bucketId: bucket.id, prefix, delimiter, ...start, limit: limit + 1 });
    const page = cutPage(rows, limit);
    return {
      uploads: page.entries.map((row) => uploadInfo(command.bucket, row)),
      commonPrefixes: page.commonPrefixes,
      truncated: page.truncated,
      nextKeyMarker: page.last,
      nextUploadIdMarker: page.lastEntry?.id,
    };
  }

  /** An upload that ended between two pages is no fault of the client's, so only one of another key is refused. */
  private async assertMarkers(bucketId: number, keyMarker?: string, uploadIdMarker?: string): Promise<void> {
    if (!keyMarker || !uploadIdMarker) {
      return;
    }
    const key = await this.listing.keyOfUpload(bucketId, uploadIdMarker);
    if (key !== undefined && key !== keyMarker) {
      throw invalidArgument('Invalid uploadId marker', 'upload-id-marker', uploadIdMarker);
    }
  }
}

function uploadInfo(bucket: string, row: ScanRow<ListedUploadRow>): MultipartUploadInfo {
  return {
    bucket,
    key: row.key,
    uploadId: row.id,
    initiatedAt: row.initiated_at,
    owner: row.owner,
    initiator: row.initiator ?? row.owner,
    storageClass: row.storage_class ?? 'STANDARD',
    encryption: {
      mode: row.mode,
      kms: row.kms ?? undefined,
      keyId: row.kms_key_id ?? undefined,
      keyVersion: row.kms_key_version ?? undefined,
      context: row.kms_context ?? undefined,
      bucketKey: row.bucket_key ?? undefined,
    },
    checksum:
      row.checksum_algorithm === null || row.checksum_type === null
        ? undefined
        : { algorithm: row.checksum_algorithm, type: row.checksum_type },
  };
}
