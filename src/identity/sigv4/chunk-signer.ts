import { createHash, type Hash } from 'node:crypto';
import { signatureOf, signaturesEqual } from './signing-key';
import type { VerifiedSignature } from './signature-verifier';

const EMPTY_SHA256 = 'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855';

/**
 * Verifies the chained signatures of a `STREAMING-AWS4-HMAC-SHA256-PAYLOAD` body: each chunk's covers the one before it,
 * starting from the signature of the request's headers.
 */
export class ChunkSignatureVerifier {
  readonly #seed: Pick<VerifiedSignature, 'signature' | 'timestamp' | 'scope' | 'signingKey'>;
  #previous: string;
  #hash: Hash = createHash('sha256');

  constructor(seed: Pick<VerifiedSignature, 'signature' | 'timestamp' | 'scope' | 'signingKey'>) {
    this.#seed = seed;
    this.#previous = seed.signature;
  }

  /** Takes bytes of the chunk being read. */
  update(bytes: Buffer): void {
    this.#hash.update(bytes);
  }

  /** Ends the chunk; false when its signature is not the expected one. */
  endChunk(signature: string): boolean {
    const digest = this.#hash.digest('hex');
    this.#hash = createHash('sha256');
    const { timestamp, scope, signingKey } = this.#seed;
    const expected = signatureOf(
      signingKey,
      `AWS4-HMAC-SHA256-PAYLOAD\n${timestamp}\n${scope}\n${this.#previous}\n${EMPTY_SHA256}\n${digest}`,
    );
    this.#previous = expected;
    return signaturesEqual(expected, signature);
  }

  /** Checks x-amz-trailer-signature over the trailer lines, each `name:value\n`. */
  endTrailer(lines: string, signature: string): boolean {
    const digest = createHash('sha256').update(lines, 'latin1').digest('hex');
    const { timestamp, scope, signingKey } = this.#seed;
    const expected = signatureOf(
      signingKey,
      `AWS4-HMAC-SHA256-TRAILER\n${timestamp}\n${scope}\n${this.#previous}\n${digest}`,
    );
    return signaturesEqual(expected, signature);
  }
}
