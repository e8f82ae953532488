import { crc32c } from '@node-rs/crc32';
import { type FileHandle, open, rename, unlink } from 'node:fs/promises';
import { storageFull } from '../common/storage-full';
import type { BlobWriter, StoredBlob } from './blob-store';

/** Bytes gathered before one write: 16 DARE packages. Larger gains nothing, smaller costs a third of the rate. */
const WRITE_BYTES = 1024 * 1024;
/** A body that arrives byte by byte must not turn into a million buffers. */
const MAX_BUFFERS = 512;
/** The disk is full, or what a quota allows of it. */
const FULL_CODES: ReadonlySet<string | undefined> = new Set(['ENOSPC', 'EDQUOT']);

/** Where one blob is written and where it ends up. */
export interface BlobPaths {
  readonly id: string;
  readonly staged: string;
  readonly final: string;
  /** Makes the directory of `final` exist. */
  readonly prepare: () => Promise<void>;
  /** Makes the new name in the directory of `final` durable. */
  readonly syncDirectory: () => Promise<void>;
}

/**
 * Writes a staged file 1 MiB at a time and renames it when durable. One write is in flight while the next is gathered, so
 * the disk works while the caller encrypts; memory stays at two such batches.
 */
export class FilesystemBlobWriter implements BlobWriter {
  private pending: Buffer[] = [];
  private pendingBytes = 0;
  private size = 0;
  private checksum = 0;
  private inFlight: Promise<void> = Promise.resolve();
  private finished = false;

  private constructor(
    private readonly paths: BlobPaths,
    private readonly handle: FileHandle,
  ) {}

  static async create(paths: BlobPaths): Promise<FilesystemBlobWriter> {
    try {
      const [handle] = await Promise.all([open(paths.staged, 'wx', 0o600), paths.prepare()]);
      return new FilesystemBlobWriter(paths, handle);
    } catch (error) {
      throw failure(error);
    }
  }

  async write(buffers: readonly Buffer[]): Promise<void> {
    for (const buffer of buffers) {
      this.pending.push(buffer);
      this.pendingBytes += buffer.length;
    }
    if (this.pendingBytes >= WRITE_BYTES || this.pending.length >= MAX_BUFFERS) {
      await this.flush();
    }
  }

  async commit(): Promise<StoredBlob> {
    try {
      await this.flush();
      await this.inFlight;
      await this.handle.datasync();
      await this.close();
      await rename(this.paths.staged, this.paths.final);
      await this.paths.syncDirectory();
    } catch (error) {
      await this.abort();
      throw failure(error);
    }
    return { id: this.paths.id, size: this.size, crc32c: this.checksum };
  }

  async abort(): Promise<void> {
    this.pending = [];
    await this.inFlight.catch(ignore);
    await this.close().catch(ignore);
    await unlink(this.paths.staged).catch(ignore);
  }

  /** Waits for the write before this one, then starts it and returns. */
  private async flush(): Promise<void> {
    await this.inFlight;
    if (this.pendingBytes === 0) {
      return;
    }
    const batch = this.pending;
    const bytes = this.pendingBytes;
    this.pending = [];
    this.pendingBytes = 0;
    const position = this.size;
    this.size += bytes;
    for (const buffer of batch) {
      this.checksum = crc32c(buffer, this.checksum);
    }
    this.inFlight = this.writeAll(batch, bytes, position).catch((error: unknown) => {
      throw failure(error);
    });
    // The failure is seen by whoever awaits next; until then it must not count as unhandled.
    this.inFlight.catch(ignore);
  }

  private async writeAll(batch: readonly Buffer[], bytes: number, position: number): Promise<void> {
    const { bytesWritten } = await this.handle.writev(batch, position);
    if (bytesWritten === bytes) {
      return;
    }
    const rest = Buffer.concat(batch).subarray(bytesWritten);
    for (let done = 0; done < rest.length;) {
      const result = await this.handle.write(rest, done, rest.length - done, position + bytesWritten + done);
      done += result.bytesWritten;
    }
  }

  private async close(): Promise<void> {
    if (!this.finished) {
      this.finished = true;
      await this.handle.close();
    }
  }
}

function failure(error: unknown): unknown {
  return FULL_CODES.has((error as NodeJS.ErrnoException).code) ? storageFull(error) : error;
}

function ignore(): void {}
