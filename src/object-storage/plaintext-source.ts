import { type EncryptedMode, openingStage, planRead } from '../crypto/object-stages';
import type { OpeningStage } from '../crypto/encryption.types';
import type { BlobReader, BlobStore } from './blob-store';
import type { ByteSource } from './pulled-readable';

/** A range of the plaintext in one blob. */
export interface Segment {
  readonly blobId: string;
  /** Part number when the blob is a part of a multipart object. */
  readonly part?: number;
  /** Plaintext bytes of the whole blob. */
  readonly size: number;
  readonly first: number;
  readonly length: number;
}

/** The key that a stored object was encrypted with. */
export interface ContentKey {
  readonly mode: EncryptedMode;
  /** 32 bytes; zeroed when the source is closed. */
  readonly objectKey: Buffer;
}

/** Reads segments one after the other, decrypting on the way. */
export class PlaintextSource implements ByteSource {
  private index = 0;
  private reader: BlobReader | undefined;
  private stage: OpeningStage | undefined;
  private closed = false;

  private constructor(
    private readonly store: BlobStore,
    private readonly segments: readonly Segment[],
    private readonly key: ContentKey | undefined,
  ) {}

  /**
   * Opens the first blob at once, so that a missing one shows before an answer has begun. Empty segments are left out by
   * the caller.
   * @throws BlobNotFoundError
   */
  static async open(
    store: BlobStore,
    segments: readonly Segment[],
    key: ContentKey | undefined,
  ): Promise<PlaintextSource> {
    const source = new PlaintextSource(store, segments, key);
    await source.openSegment();
    return source;
  }

  async next(): Promise<readonly Buffer[] | undefined> {
    if (this.reader === undefined || this.closed) {
      return undefined;
    }
    const bytes = await this.reader.next();
    if (bytes !== undefined) {
      return this.stage === undefined ? [bytes] : this.stage.update(bytes);
    }
    this.stage?.final();
    await this.reader.close();
    this.reader = undefined;
    this.index += 1;
    await this.openSegment();
    return [];
  }

  async close(): Promise<void> {
    this.closed = true;
    this.key?.objectKey.fill(0);
    await this.reader?.close();
  }

  private async openSegment(): Promise<void> {
    const segment = this.segments[this.index];
    if (segment === undefined) {
      return;
    }
    const { blobId, part, size, first, length } = segment;
    if (this.key === undefined) {
      this.stage = undefined;
      this.reader = await this.store.open(blobId, first, length);
      return;
    }
    const plan = planRead(this.key.mode, size, first, length);
    this.stage = openingStage(this.key.mode, this.key.objectKey, part, size, plan);
    this.reader = await this.store.open(blobId, plan.offset, plan.length);
  }
}
