import type { BlobStore, BlobWriter, StoredBlob } from './blob-store';

/** Bytes that are stored but not yet visible to anybody. */
export type StoredContent =
  { readonly kind: 'inline'; readonly data: Buffer } | { readonly kind: 'blob'; readonly blob: StoredBlob };

/** Where a body goes, already sealed. Exactly one of commit and abort ends it. */
export interface ContentSink {
  write(buffers: readonly Buffer[]): Promise<void>;
  commit(): Promise<StoredContent>;
  /** Never rejects; also undoes a commit. */
  abort(): Promise<void>;
}

/** Gathers a small body in memory, to be stored with its row. */
export class InlineSink implements ContentSink {
  private readonly gathered: Buffer[] = [];

  async write(buffers: readonly Buffer[]): Promise<void> {
    this.gathered.push(...buffers);
  }

  async commit(): Promise<StoredContent> {
    return { kind: 'inline', data: Buffer.concat(this.gathered) };
  }

  async abort(): Promise<void> {
    this.gathered.length = 0;
  }
}

/** Writes a body to the blob store. */
export class BlobSink implements ContentSink {
  private committed: StoredBlob | undefined;

  private constructor(
    private readonly store: BlobStore,
    private readonly writer: BlobWriter,
  ) {}

  static async create(store: BlobStore): Promise<BlobSink> {
    return new BlobSink(store, await store.create());
  }

  write(buffers: readonly Buffer[]): Promise<void> {
    return this.writer.write(buffers);
  }

  async commit(): Promise<StoredContent> {
    this.committed = await this.writer.commit();
    return { kind: 'blob', blob: this.committed };
  }

  async abort(): Promise<void> {
    if (this.committed === undefined) {
      await this.writer.abort();
    } else {
      // What cannot be deleted now is an orphan that the reaper's sweep finds.
      await this.store.delete([this.committed.id]).catch(() => undefined);
    }
  }
}
