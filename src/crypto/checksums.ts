import { createHash } from 'node:crypto';
import { crc32 } from 'node:zlib';
import { crc32c } from '@node-rs/crc32';
import { createCRC64, createXXHash128, createXXHash3, createXXHash64, type IHasher } from 'hash-wasm';
import type { CrcAlgorithm } from './crc-combine';

type WasmAlgorithm = 'CRC64NVME' | 'XXHASH64' | 'XXHASH3' | 'XXHASH128';

export type DigestAlgorithm = CrcAlgorithm | WasmAlgorithm | 'SHA1' | 'SHA256' | 'SHA512' | 'MD5';

/** A hash of bytes that arrive in pieces. */
export interface Checksum {
  update(chunk: Buffer): void;
  /** Returns the digest; CRCs and XXHASHes big endian, as S3 writes them. To be called once. */
  digest(): Buffer;
}

/** The NVMe polynomial 0xad93d23594c93659, bits reversed. */
const CRC64NVME_POLYNOMIAL = '9a6c9329ac4bc9b5';
const HASH_NAMES = { SHA1: 'sha1', SHA256: 'sha256', SHA512: 'sha512', MD5: 'md5' } as const;
const DIGEST_BYTES: Readonly<Record<DigestAlgorithm, number>> = {
  CRC32: 4,
  CRC32C: 4,
  CRC64NVME: 8,
  SHA1: 20,
  SHA256: 32,
  SHA512: 64,
  MD5: 16,
  XXHASH64: 8,
  XXHASH3: 8,
  XXHASH128: 16,
};

let engines: Readonly<Record<WasmAlgorithm, IHasher>> | undefined;

/** Compiles what needs compiling; to be awaited once before {@link createChecksum} may make CRC64NVME or XXHASH hashers. */
export async function loadChecksums(): Promise<void> {
  engines ??= {
    CRC64NVME: await createCRC64(CRC64NVME_POLYNOMIAL),
    XXHASH64: await createXXHash64(),
    XXHASH3: await createXXHash3(),
    XXHASH128: await createXXHash128(),
  };
}

/**
 * Starts a checksum.
 *
 * @throws Error for CRC64NVME and XXHASH when {@link loadChecksums} has not been awaited
 */
export function createChecksum(algorithm: DigestAlgorithm): Checksum {
  switch (algorithm) {
    case 'CRC32':
      return new Crc32Checksum(crc32);
    case 'CRC32C':
      return new Crc32Checksum(crc32c);
    case 'CRC64NVME':
    case 'XXHASH64':
    case 'XXHASH3':
    case 'XXHASH128':
      return new WasmChecksum(algorithm);
    case 'SHA1':
    case 'SHA256':
    case 'SHA512':
    case 'MD5':
      return createHash(HASH_NAMES[algorithm]);
  }
}

/** Returns how many bytes a digest of this algorithm has. */
export function digestBytes(algorithm: DigestAlgorithm): number {
  return DIGEST_BYTES[algorithm];
}

/**
 * Returns the COMPOSITE checksum of a multipart object: base64 of the hash over the parts' digests in a row, then `-N`.
 *
 * @param partDigests raw digests in part order
 */
export function compositeChecksum(algorithm: DigestAlgorithm, partDigests: readonly Buffer[]): string {
  const checksum = createChecksum(algorithm);
  for (const digest of partDigests) {
    checksum.update(digest);
  }
  return `${checksum.digest().toString('base64')}-${partDigests.length}`;
}

class Crc32Checksum implements Checksum {
  private value = 0;

  constructor(private readonly append: (chunk: Buffer, value: number) => number) {}

  update(chunk: Buffer): void {
    this.value = this.append(chunk, this.value);
  }

  digest(): Buffer {
    const digest = Buffer.alloc(4);
    digest.writeUInt32BE(this.value >>> 0);
    return digest;
  }
}

/**
 * All hashers of an algorithm share one WebAssembly instance: taking its state in and out costs under a microsecond a chunk, while an
 * instance of their own would have to be awaited.
 */
class WasmChecksum implements Checksum {
  private readonly engine: IHasher;
  private state: Uint8Array;

  constructor(algorithm: WasmAlgorithm) {
    if (engines === undefined) {
      throw new Error('The checksums have not been loaded');
    }
    this.engine = engines[algorithm];
    this.state = this.engine.init().save();
  }

  update(chunk: Buffer): void {
    this.state = this.engine.load(this.state).update(chunk).save();
  }

  digest(): Buffer {
    return Buffer.from(this.engine.load(this.state).digest('binary'));
  }
}
