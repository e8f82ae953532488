import { createDecipheriv, createSecretKey, type DecipherGCM, type KeyObject } from 'node:crypto';
import {
  ASSOCIATED_BYTES,
  CiphertextError,
  DARE_CIPHERS,
  DARE_VERSION,
  FINAL_FLAG,
  HEADER_BYTES,
  KEY_BYTES,
  NONCE_BYTES,
  NONCE_OFFSET,
  PAYLOAD_BYTES,
  TAG_BYTES,
  packageCount,
  planRange,
  writePackageNonce,
} from './dare';
import type { DareRange, OpeningStage } from './encryption.types';

export interface DareOpenerOptions {
  /** Plaintext bytes of the whole stream, from trusted metadata: this is what makes a cut or longer stream detectable. */
  readonly plaintextSize: number;
  /** The packages that will be given, from `planRange`; the whole stream when left out. */
  readonly range?: DareRange;
}

const ALGORITHMS = new Map(Object.values(DARE_CIPHERS).map(({ id, algorithm }) => [id, algorithm]));

/**
 * Opens DARE 2.0 packages of either cipher.
 *
 * The size is known beforehand, so version, length and final flag of every package follow from its place, and anything else
 * is refused before it is decrypted. Plaintext of a package is handed out only after its tag has matched.
 */
export class DareOpener implements OpeningStage {
  private readonly key: KeyObject;
  private readonly lastSequence: number;
  private readonly lastPayload: number;
  private readonly endSequence: number;
  private readonly header = Buffer.alloc(HEADER_BYTES);
  private readonly tag = Buffer.alloc(TAG_BYTES);
  private readonly packageNonce = Buffer.alloc(NONCE_BYTES);
  private streamNonce: Buffer | undefined;
  private cipherId: number | undefined;
  private sequence: number;
  /** Bytes of the current package received, header and tag included. */
  private received = 0;
  private payload = 0;
  private decipher: DecipherGCM | undefined;
  private unverified: Buffer[] = [];
  private skip: number;
  private wanted: number;
  private failure: CiphertextError | undefined;

  /**
   * @param key 32 bytes, copied: it may be zeroed as soon as the constructor has returned
   * @throws RangeError when the key has another length or the size is impossible
   */
  constructor(key: Buffer, { plaintextSize, range }: DareOpenerOptions) {
    if (key.length !== KEY_BYTES) {
      throw new RangeError('DARE needs a key of 32 bytes');
    }
    const { firstSequence, skip, length } = range ?? planRange(plaintextSize, 0, plaintextSize);
    this.key = createSecretKey(key);
    this.lastSequence = packageCount(plaintextSize) - 1;
    this.lastPayload = plaintextSize - this.lastSequence * PAYLOAD_BYTES;
    this.sequence = firstSequence;
    this.endSequence = firstSequence + Math.ceil((skip + length) / PAYLOAD_BYTES);
    this.skip = skip;
    this.wanted = length;
  }

  update(chunk: Buffer): Buffer[] {
    if (this.failure !== undefined) {
      throw this.failure;
    }
    try {
      return this.consume(chunk);
    } catch (error) {
      this.failure =
        error instanceof CiphertextError ? error : new CiphertextError('The ciphertext cannot be decrypted', error);
      this.decipher = undefined;
      this.unverified = [];
      throw this.failure;
    }
  }

  final(): void {
    if (this.failure !== undefined) {
      throw this.failure;
    }
    if (this.received > 0 || this.sequence < this.endSequence) {
      throw new CiphertextError('The ciphertext ends too early');
    }
  }

  private consume(chunk: Buffer): Buffer[] {
    const opened: Buffer[] = [];
    let offset = 0;
    while (offset < chunk.length) {
      if (this.sequence >= this.endSequence) {
        throw new CiphertextError('The ciphertext continues behind its end');
      }
      if (this.received < HEADER_BYTES) {
        offset += this.collect(this.header, this.received, chunk, offset);
        if (this.received === HEADER_BYTES) {
          this.startPackage();
        }
      } else if (this.received < HEADER_BYTES + this.payload) {
        offset += this.decrypt(chunk, offset);
      } else {
        offset += this.collect(this.tag, this.received - HEADER_BYTES - this.payload, chunk, offset);
        if (this.received === HEADER_BYTES + this.payload + TAG_BYTES) {
          this.finishPackage(opened);
        }
      }
    }
    return opened;
  }

  private collect(target: Buffer, filled: number, chunk: Buffer, offset: number): number {
    const copied = chunk.copy(target, filled, offset);
    this.received += copied;
    return copied;
  }

  private startPackage(): void {
    const final = this.sequence === this.lastSequence;
    this.payload = final ? this.lastPayload : PAYLOAD_BYTES;
    const algorithm = ALGORITHMS.get(this.header.readUInt8(1));
    if (this.header[0] !== DARE_VERSION || algorithm === undefined) {
      throw new CiphertextError('The ciphertext is not of a known version and cipher');
    }
    if (this.header.readUInt16LE(2) !== this.payload - 1) {
      throw new CiphertextError('A package of the ciphertext has the wrong length');
    }
    const nonce = this.header.subarray(NONCE_OFFSET, HEADER_BYTES);
    if ((nonce.readUInt8(0) & FINAL_FLAG) !== (final ? FINAL_FLAG : 0)) {
      throw new CiphertextError('The ciphertext ends at another place than it should');
    }
    nonce[0] = nonce.readUInt8(0) & ~FINAL_FLAG;
    if (this.streamNonce === undefined) {
      this.streamNonce = Buffer.from(nonce);
      this.cipherId = this.header.readUInt8(1);
    } else if (!this.streamNonce.equals(nonce) || this.cipherId !== this.header.readUInt8(1)) {
      throw new CiphertextError('The packages of the ciphertext do not belong together');
    }
    writePackageNonce(this.packageNonce, this.streamNonce, this.sequence, final);
    this.decipher = createDecipheriv(algorithm as 'aes-256-gcm', this.key, this.packageNonce, {
      authTagLength: TAG_BYTES,
    });
    this.decipher.setAAD(this.header.subarray(0, ASSOCIATED_BYTES));
  }

  private decrypt(chunk: Buffer, offset: number): number {
    const missing = HEADER_BYTES + this.payload - this.received;
    const piece = chunk.subarray(offset, offset + missing);
    this.unverified.push(this.currentDecipher().update(piece));
    this.received += piece.length;
    return piece.length;
  }

  private finishPackage(opened: Buffer[]): void {
    const decipher = this.currentDecipher();
    decipher.setAuthTag(this.tag);
    try {
      decipher.final();
    } catch (cause) {
      throw new CiphertextError('The ciphertext does not authenticate', cause);
    }
    for (const piece of this.unverified) {
      this.cut(piece, opened);
    }
    this.unverified = [];
    this.decipher = undefined;
    this.received = 0;
    this.sequence += 1;
  }

  private cut(piece: Buffer, opened: Buffer[]): void {
    const dropped = Math.min(this.skip, piece.length);
    const kept = piece.subarray(dropped, dropped + Math.min(this.wanted, piece.length - dropped));
    this.skip -= dropped;
    this.wanted -= kept.length;
    if (kept.length > 0) {
      opened.push(kept);
    }
  }

  private currentDecipher(): DecipherGCM {
    if (this.decipher === undefined) {
      throw new CiphertextError('A package of the ciphertext has no header');
    }
    return this.decipher;
  }
}
