import type { FileHandle } from 'node:fs/promises';
import { type BlobReader, BlobTruncatedError } from './blob-store';

/** Bytes of one read: large enough for full speed, small enough for many readers at once. */
const READ_BYTES = 512 * 1024;

/** Reads a range of a file with one read ahead, so that the disk works while the caller decrypts and sends. */
export class FilesystemBlobReader implements BlobReader {
  private position: number;
  private remaining: number;
  private ahead: Promise<Buffer> | undefined;
  private closing: Promise<void> | undefined;

  constructor(
    private readonly handle: FileHandle,
    offset: number,
    length: number,
  ) {
    this.position = offset;
    this.remaining = length;
  }

  async next(): Promise<Buffer | undefined> {
    const current = this.ahead ?? this.start();
    this.ahead = undefined;
    if (current === undefined) {
      return undefined;
    }
    const bytes = await current;
    this.ahead = this.start();
    return bytes;
  }

  close(): Promise<void> {
    this.closing ??= this.finish();
    return this.closing;
  }

  private start(): Promise<Buffer> | undefined {
    if (this.remaining <= 0 || this.closing !== undefined) {
      return undefined;
    }
    const length = Math.min(READ_BYTES, this.remaining);
    const read = this.readFully(length, this.position);
    this.position += length;
    this.remaining -= length;
    // Awaited by a later call, or by nobody when the reader is closed first.
    read.catch(() => undefined);
    return read;
  }

  private async readFully(length: number, position: number): Promise<Buffer> {
    const buffer = Buffer.allocUnsafeSlow(length);
    let done = 0;
    while (done < length) {
      const { bytesRead } = await this.handle.read(buffer, done, length - done, position + done);
      if (bytesRead === 0) {
        throw new BlobTruncatedError(`A blob ends ${length - done} bytes early`);
      }
      done += bytesRead;
    }
    return buffer;
  }

  private async finish(): Promise<void> {
    await this.ahead?.catch(() => undefined);
    await this.handle.close().catch(() => undefined);
  }
}
