/** A blob that is durable on its medium but not yet referred to by any metadata. */
export interface StoredBlob {
  /** Random id, lower-case hex; says nothing of bucket or key. */
  readonly id: string;
  /** Bytes. */
  readonly size: number;
  /** CRC-32C over all bytes, for scrubbing. */
  readonly crc32c: number;
}

/** One blob being written. Exactly one of {@link commit} and {@link abort} must be called. */
export interface BlobWriter {
  /**
   * Takes over the buffers, which must not be changed afterwards. Resolves when the writer can take more: awaiting it is
   * the back-pressure.
   */
  write(buffers: readonly Buffer[]): Promise<void>;
  /** Makes the blob durable. When it rejects, nothing is left behind except what a sweep removes. */
  commit(): Promise<StoredBlob>;
  /** Removes what was written so far. Never rejects; safe to call twice and after a failed commit. */
  abort(): Promise<void>;
}

/** A byte range of one blob, in order. Close it in every case. */
export interface BlobReader {
  /** The next bytes, or undefined at the end. @throws BlobTruncatedError when the blob ends early */
  next(): Promise<Buffer | undefined>;
  /** Never rejects; safe to call twice and while {@link next} is under way. */
  close(): Promise<void>;
}

/** The blob is not in the store. */
export class BlobNotFoundError extends Error {
  override name = 'BlobNotFoundError';
}

/** The blob is shorter than what was asked of it. */
export class BlobTruncatedError extends Error {
  override name = 'BlobTruncatedError';
}

/**
 * The port to where object bytes lie: immutable blobs under random ids. Serves as injection token; every implementation
 * passes `blob-store.contract.ts`.
 */
export abstract class BlobStore {
  /** Starts a new blob. */
  abstract create(): Promise<BlobWriter>;

  /**
   * Opens a range for reading; the blob may be deleted afterwards without harm to the reader where the medium allows it.
   * @throws BlobNotFoundError
   */
  abstract open(id: string, offset: number, length: number): Promise<BlobReader>;

  /** Deletes blobs; those already gone count as deleted. Returns the ids that are certainly gone. */
  abstract delete(ids: readonly string[]): Promise<string[]>;

  /** Ids of committed blobs older than the age, in batches, for the search of orphans. */
  abstract listOlderThan(ageMs: number): AsyncIterable<readonly string[]>;

  /** Removes what dead writers left behind, and anything uncommitted that has not been written to for this long. */
  abstract removeAbandoned(ageMs: number): Promise<number>;

  /** Proves that the store can be written and read; for health checks. Rejects with the reason. */
  abstract probe(): Promise<void>;
}
