import { Injectable } from '@nestjs/common';
import { ObjectCipher } from '../crypto/object-cipher.service';
import { type EncryptedMode, sealingStage } from '../crypto/object-stages';
import type { EncryptionRecord, EncryptionRequest, ObjectLocation, SealingStage } from '../crypto/encryption.types';
import { Settings } from '../settings/settings';
import { BlobStore } from './blob-store';
import { BodyVerifier, type VerifiedBody } from './body-verifier';
import { BlobSink, type ContentSink, InlineSink, type StoredContent } from './content-sink';
import type { ChecksumAlgorithm, ObjectBody } from './object-storage.types';
import { countStored } from './object-storage.metrics';
import { storageError } from './storage-error';

/** How one body is to be stored. */
export interface WritePlan {
  readonly body: ObjectBody;
  /** Algorithm of the checksum to be stored. */
  readonly checksum: ChecksumAlgorithm;
  readonly wantsMd5: boolean;
  /** Largest plaintext to be kept with the row, in bytes; -1 for always a blob. */
  readonly inlineLimit: number;
}

/** A body that is verified, sealed and durable, and waits for its metadata to be committed. */
export interface WrittenBody {
  readonly verified: VerifiedBody;
  readonly content: StoredContent;
  /** Removes the content again; only when its metadata has certainly not been committed. Never rejects. */
  undo(): Promise<void>;
}

export interface WrittenObject extends WrittenBody {
  /** Undefined when the object is not encrypted. */
  readonly record?: EncryptionRecord;
}

/** Takes bodies in: verifies, encrypts and stores them in one pass, with memory that does not grow with the body. */
@Injectable()
export class ObjectWriter {
  constructor(
    private readonly cipher: ObjectCipher,
    private readonly blobs: BlobStore,
    private readonly settings: Settings,
  ) {}

  /**
   * Stores a whole object under a fresh object key; the KMS seals that key while the body is read.
   * @throws as {@link writeBody}, and KmsError
   */
  async writeObject(plan: WritePlan, request: EncryptionRequest, location: ObjectLocation): Promise<WrittenObject> {
    if (request.mode === 'none') {
      return this.store(plan, undefined, 'none', undefined);
    }
    const pending = this.cipher.begin(request, location);
    try {
      const stage = sealingStage(
        request.mode,
        pending.objectKey,
        undefined,
        exactSize(plan.body),
        this.settings.dareCipher,
      );
      return await this.store(plan, stage, request.mode, pending.record);
    } finally {
      pending.discard();
    }
  }

  /**
   * Stores one part of an object whose key is known already.
   *
   * @param objectKey 32 bytes, undefined for an object that is not encrypted
   * @throws DomainError of the body's stream, of its verification, or of the cipher
   */
  async writePart(
    plan: WritePlan,
    mode: EncryptedMode | 'none',
    objectKey: Buffer | undefined,
    part: number,
  ): Promise<WrittenBody> {
    const stage =
      mode === 'none' || objectKey === undefined
        ? undefined
        : sealingStage(mode, objectKey, part, exactSize(plan.body), this.settings.dareCipher);
    return this.store(plan, stage, mode, undefined);
  }

  private async store(
    plan: WritePlan,
    stage: SealingStage | undefined,
    mode: EncryptedMode | 'none',
    seal: Promise<EncryptionRecord> | undefined,
  ): Promise<WrittenObject> {
    const { stream, expectation } = plan.body;
    let sink: ContentSink | undefined;
    try {
      const verifier = new BodyVerifier(expectation, plan.checksum, plan.wantsMd5);
      sink = expectation.length <= plan.inlineLimit ? new InlineSink() : await BlobSink.create(this.blobs);
      const opened = sink;
      for await (const chunk of stream as AsyncIterable<Buffer>) {
        verifier.update(chunk);
        await opened.write(stage === undefined ? [chunk] : stage.update(chunk));
      }
      const verified = verifier.finish();
      if (stage !== undefined) {
        await opened.write(stage.final());
      }
      // Both to their end, so that a failing seal does not undo a commit that is still under way.
      const [content, record] = await Promise.allSettled([opened.commit(), seal]);
      if (record.status === 'rejected') {
        throw record.reason;
      }
      if (content.status === 'rejected') {
        throw content.reason;
      }
      countStored(mode, content.value.kind, verified.size);
      return { verified, content: content.value, record: record.value, undo: () => opened.abort() };
    } catch (error) {
      await sink?.abort();
      throw isCutOff(error) ? storageError('IncompleteBody', {}, { cause: error }) : error;
    } finally {
      stream.destroy();
    }
  }
}

function exactSize({ expectation }: ObjectBody): number | undefined {
  return expectation.lengthIsLimit === true ? undefined : expectation.length;
}

/** Whether a stream failed because its peer went away. */
function isCutOff(error: unknown): boolean {
  const { code } = error as NodeJS.ErrnoException;
  return code === 'ECONNRESET' || code === 'ERR_STREAM_PREMATURE_CLOSE';
}
