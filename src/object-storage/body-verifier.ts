import { type Checksum, createChecksum, digestBytes } from '../crypto/checksums';
import type { BodyExpectation, ChecksumAlgorithm } from './object-storage.types';
import { StorageError, checksumMismatch, invalidRequest, storageError } from './storage-error';

/** What a body turned out to be, once everything that was announced has proved true. */
export interface VerifiedBody {
  /** Plaintext bytes. */
  readonly size: number;
  /** Lower-case hex, when it was asked for. */
  readonly md5?: string;
  /** The checksum to be stored, base64. */
  readonly checksum: { readonly algorithm: ChecksumAlgorithm; readonly value: string };
  /** The checksum the client sent, when it is another one than the stored. */
  readonly sent?: { readonly algorithm: ChecksumAlgorithm; readonly value: string };
}

/** Counts and hashes a body as it passes and compares it with what was announced. */
export class BodyVerifier {
  private size = 0;
  private readonly md5: Checksum | undefined;
  private readonly sha256: Checksum | undefined;
  private readonly checksums = new Map<ChecksumAlgorithm, Checksum>();
  private readonly hashes: readonly Checksum[];

  /**
   * @param stored algorithm of the checksum to be stored
   * @param wantsMd5 whether an MD5 is needed for the ETag
   * @throws StorageError `InvalidDigest`, `InvalidRequest` when what was announced cannot be a digest
   */
  constructor(
    private readonly expectation: BodyExpectation,
    private readonly stored: ChecksumAlgorithm,
    wantsMd5: boolean,
  ) {
    if (expectation.md5 !== undefined && expectation.md5.length !== digestBytes('MD5')) {
      throw storageError('InvalidDigest');
    }
    assertChecksumForm(expectation.checksum?.algorithm, expectation.checksum?.value);
    this.md5 = wantsMd5 || expectation.md5 !== undefined ? createChecksum('MD5') : undefined;
    this.checksums.set(stored, createChecksum(stored));
    const sent = expectation.checksum?.algorithm;
    if (sent !== undefined && sent !== stored) {
      this.checksums.set(sent, createChecksum(sent));
    }
    if (expectation.sha256 !== undefined && !this.checksums.has('SHA256')) {
      this.sha256 = createChecksum('SHA256');
    }
    this.hashes = [this.md5, this.sha256, ...this.checksums.values()].filter((hash) => hash !== undefined);
  }

  /** @throws StorageError `IncompleteBody` as soon as the body is longer than announced */
  update(chunk: Buffer): void {
    this.size += chunk.length;
    if (this.size > this.expectation.length) {
      throw storageError('IncompleteBody');
    }
    for (const hash of this.hashes) {
      hash.update(chunk);
    }
  }

  /**
   * Compares everything; to be called once, after the body and its trailers have arrived.
   * @throws StorageError `IncompleteBody`, `BadDigest`, `XAmzContentSHA256Mismatch`, `MalformedTrailerError`
   */
  finish(): VerifiedBody {
    if (this.size !== this.expectation.length && this.expectation.lengthIsLimit !== true) {
      throw storageError('IncompleteBody');
    }
    const md5 = this.md5?.digest();
    assertMd5(this.expectation.md5, md5);
    const digests = new Map([...this.checksums].map(([algorithm, hash]) => [algorithm, hash.digest()]));
    const sha256 = this.sha256?.digest() ?? digests.get('SHA256');
    if (this.expectation.sha256 !== undefined && sha256?.toString('hex') !== this.expectation.sha256) {
      throw storageError('XAmzContentSHA256Mismatch', {
        ClientComputedContentSHA256: this.expectation.sha256,
        S3ComputedContentSHA256: sha256?.toString('hex') ?? '',
      });
    }
    const encoded = (algorithm: ChecksumAlgorithm) => ({
      algorithm,
      value: digests.get(algorithm)?.toString('base64') ?? '',
    });
    const sent = this.expectation.checksum?.algorithm;
    if (sent !== undefined) {
      this.compareSent(encoded(sent).value);
    }
    return {
      size: this.size,
      md5: md5?.toString('hex'),
      checksum: encoded(this.stored),
      sent: sent === undefined || sent === this.stored ? undefined : encoded(sent),
    };
  }

  private compareSent(actual: string): void {
    const { checksum } = this.expectation;
    const trailer = checksum?.trailer?.();
    if (checksum?.trailer !== undefined && trailer === undefined) {
      throw new StorageError('MalformedTrailerError', 'The checksum announced as a trailer did not arrive.');
    }
    assertChecksumForm(checksum?.algorithm, trailer);
    for (const announced of [checksum?.value, trailer]) {
      if (announced !== undefined && announced !== actual) {
        throw checksumMismatch(checksum?.algorithm ?? '');
      }
    }
  }
}

function assertChecksumForm(algorithm: ChecksumAlgorithm | undefined, value: string | undefined): void {
  if (algorithm === undefined || value === undefined) {
    return;
  }
  const digest = Buffer.from(value, 'base64');
  if (digest.length !== digestBytes(algorithm) || digest.toString('base64') !== value) {
    throw invalidRequest(`Value for x-amz-checksum-${algorithm.toLowerCase()} header is invalid.`);
  }
}

function assertMd5(expected: Buffer | undefined, calculated: Buffer | undefined): void {
  if (expected !== undefined && calculated?.equals(expected) !== true) {
    throw storageError('BadDigest', {
      ExpectedDigest: expected.toString('base64'),
      CalculatedDigest: calculated?.toString('base64') ?? '',
    });
  }
}
