import { Readable } from 'node:stream';

/** Something that gives bytes on demand and must be closed in every case. */
export interface ByteSource {
  /** The next buffers, possibly none, or undefined at the end. */
  next(): Promise<readonly Buffer[] | undefined>;
  /** Never rejects. */
  close(): Promise<void>;
}

/** Buffered before a slow consumer stops the reading. */
const HIGH_WATER_MARK = 512 * 1024;

/**
 * A stream over a byte source. Unlike a stream made from a generator it closes its source even when it is destroyed before
 * anything was read from it.
 */
export class PulledReadable extends Readable {
  private pulling: Promise<void> | undefined;

  constructor(private readonly source: ByteSource) {
    super({ highWaterMark: HIGH_WATER_MARK });
  }

  override _read(): void {
    this.pulling = this.pull();
  }

  override _destroy(error: Error | null, callback: (error?: Error | null) => void): void {
    const pulling = this.pulling ?? Promise.resolve();
    void pulling.then(() => this.source.close()).then(() => callback(error));
  }

  /** Never rejects: a failure destroys the stream. */
  private async pull(): Promise<void> {
    try {
      let buffers: readonly Buffer[] | undefined = [];
      while (buffers?.length === 0 && !this.destroyed) {
        buffers = await this.source.next();
      }
      if (this.destroyed) {
        return;
      }
      if (buffers === undefined) {
        this.push(null);
        return;
      }
      for (const buffer of buffers) {
        this.push(buffer);
      }
    } catch (error) {
      this.destroy(error as Error);
    }
  }
}
