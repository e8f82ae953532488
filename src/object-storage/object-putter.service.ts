import { Injectable } from '@nestjs/common';
import type { AccessControlList } from './access-control.types';
import type { EncryptionRequest } from '../crypto/encryption.types';
import type { StoredBucket } from './bucket.repository';
import { encryptionInfo } from './encryption-columns';
import { hasMd5Etag } from './encryption-choice';
import { randomEtag } from './etag';
import type {
  ChecksumAlgorithm,
  ObjectBody,
  ObjectMetadata,
  StoredChecksum,
  WriteConditions,
  WriteResult,
} from './object-storage.types';
import { ObjectWriter } from './object-writer.service';
import { type CommitOutcome, type ObjectCommit, ObjectRepository } from './object.repository';
import { Settings } from '../settings/settings';
import { assertOutcome } from './storage-error';

/** What AWS computes by itself when the client sends no checksum. */
export const DEFAULT_CHECKSUM: ChecksumAlgorithm = 'CRC64NVME';

/** A whole object on its way in, with everything decided. */
export interface ObjectPut {
  readonly bucket: StoredBucket;
  readonly key: string;
  readonly body: ObjectBody;
  readonly metadata: ObjectMetadata;
  readonly tags?: Readonly<Record<string, string>>;
  readonly encryption: EncryptionRequest;
  readonly conditions?: WriteConditions;
  readonly owner: string;
  /** Undefined when the owner alone is granted anything. */
  readonly acl?: AccessControlList;
}

/** Stores whole objects: bytes first, then the metadata that makes them visible. */
@Injectable()
export class ObjectPutter {
  constructor(
    private readonly writer: ObjectWriter,
    private readonly objects: ObjectRepository,
    private readonly settings: Settings,
  ) {}

  /**
   * Stores an object.
   * @throws StorageError of the body's verification; `PreconditionFailed`, `NoSuchKey`, `NoSuchBucket`; KmsError
   */
  async put(put: ObjectPut): Promise<WriteResult> {
    const { bucket, key, encryption, body } = put;
    const written = await this.writer.writeObject(
      {
        body,
        checksum: body.expectation.checksum?.algorithm ?? DEFAULT_CHECKSUM,
        wantsMd5: hasMd5Etag(encryption.mode),
        inlineLimit: this.settings.inlineLimit,
      },
      encryption,
      { bucket: bucket.name, key },
    );
    const { verified, content, record } = written;
    const checksum: StoredChecksum = { ...verified.checksum, type: 'FULL_OBJECT' };
    const commit: ObjectCommit = {
      bucketId: bucket.id,
      key,
      conditions: put.conditions,
      size: verified.size,
      etag: hasMd5Etag(encryption.mode) && verified.md5 !== undefined ? verified.md5 : randomEtag(),
      owner: put.owner,
      acl: put.acl,
      metadata: put.metadata,
      tags: put.tags,
      checksum,
      record,
      content,
    };
    // A commit that fails without an answer may have happened, so its bytes stay until the sweep knows better.
    const outcome = await this.objects.commit(commit);
    if (outcome.outcome !== 'ok') {
      await written.undo();
    }
    return writeResult(commit, outcome, bucket);
  }
}

/**
 * Turns the outcome of a commit into the result of the write.
 * @throws StorageError when it is not `ok`
 */
export function writeResult(commit: ObjectCommit, outcome: CommitOutcome, bucket: StoredBucket): WriteResult {
  assertOutcome(outcome.outcome, { BucketName: bucket.name, Key: commit.key }, commit.conditions);
  const version = outcome.committed_version;
  return {
    etag: commit.etag,
    versionId: bucket.versioning === 'unversioned' && version === 'null' ? undefined : version,
    size: commit.size,
    lastModified: outcome.committed_at,
    encryption: encryptionInfo(commit.record),
    checksum: commit.checksum,
    tags: commit.tags,
  };
}
