import { createCipheriv, createSecretKey, randomBytes, type CipherGCM, type KeyObject } from 'node:crypto';
import {
  ASSOCIATED_BYTES,
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
  writePackageNonce,
  type AeadAlgorithm,
} from './dare';
import type { DareCipher, SealingStage } from './encryption.types';

export interface DareSealerOptions {
  /** Bytes that will be sealed, exactly. */
  readonly plaintextSize: number;
  /** AES-256-GCM when left out. */
  readonly cipher?: DareCipher;
  /** 12 bytes for known-answer tests; fresh random bytes otherwise, so that no two attempts ever share a nonce. */
  readonly nonce?: Buffer;
}

/**
 * Seals a stream of plaintext as DARE 2.0 packages (https://github.com/minio/sio/blob/master/DARE.md).
 *
 * Synchronous on purpose: at 64 KiB a package the cipher runs at several GB/s, and handing the bytes to a thread costs more
 * than it saves. The size is known beforehand, so each byte is encrypted as it comes, with neither a copy nor a wait for
 * the end of its package. Chunks are not kept after {@link update} returns, so callers may reuse them.
 */
export class DareSealer implements SealingStage {
  private readonly key: KeyObject;
  private readonly algorithm: AeadAlgorithm;
  private readonly cipherId: number;
  private readonly streamNonce: Buffer;
  private readonly packageNonce = Buffer.alloc(NONCE_BYTES);
  private lastSequence: number;
  /** Plaintext bytes that no package has been started for. */
  private remaining: number;
  /** Plaintext bytes that the current package still takes. */
  private missing = 0;
  private sequence = 0;
  private cipher: CipherGCM | undefined;

  /**
   * @param key 32 bytes, copied: it may be zeroed as soon as the constructor has returned
   * @throws RangeError when key or nonce have another length, or the size is impossible
   */
  constructor(key: Buffer, options: DareSealerOptions) {
    const nonce = options.nonce ?? randomBytes(NONCE_BYTES);
    if (key.length !== KEY_BYTES || nonce.length !== NONCE_BYTES) {
      throw new RangeError('DARE needs a key of 32 and a nonce of 12 bytes');
    }
    const cipher = DARE_CIPHERS[options.cipher ?? 'AES-256-GCM'];
    this.key = createSecretKey(key);
    this.algorithm = cipher.algorithm;
    this.cipherId = cipher.id;
    this.streamNonce = Buffer.from(nonce);
    this.streamNonce[0] = nonce.readUInt8(0) & ~FINAL_FLAG;
    this.remaining = options.plaintextSize;
    this.lastSequence = packageCount(options.plaintextSize) - 1;
  }

  /** @throws RangeError when more bytes come than were announced; nothing of them is encrypted */
  update(chunk: Buffer): Buffer[] {
    if (chunk.length > this.missing + this.remaining) {
      throw new RangeError('More bytes to seal than were announced');
    }
    const sealed: Buffer[] = [];
    let offset = 0;
    while (offset < chunk.length) {
      const cipher = this.cipher ?? this.startPackage(sealed);
      const piece = chunk.subarray(offset, offset + this.missing);
      sealed.push(cipher.update(piece));
      offset += piece.length;
      this.missing -= piece.length;
      if (this.missing === 0) {
        cipher.final();
        sealed.push(cipher.getAuthTag());
        this.cipher = undefined;
        this.sequence += 1;
      }
    }
    return sealed;
  }

  /**
   * Corrects the announced size: this many bytes are still to come. Only between packages.
   * @param bytes at most one package
   * @throws RangeError when a package has been begun, or they do not fit into one
   */
  endAfter(bytes: number): void {
    if (this.cipher !== undefined || bytes > PAYLOAD_BYTES) {
      throw new RangeError('The size can only be corrected between packages, and to one package at most');
    }
    this.remaining = bytes;
    this.lastSequence = this.sequence;
  }

  /** @throws RangeError when fewer bytes have come than were announced */
  final(): Buffer[] {
    if (this.missing + this.remaining > 0) {
      throw new RangeError('Fewer bytes to seal than were announced');
    }
    return [];
  }

  private startPackage(sealed: Buffer[]): CipherGCM {
    const final = this.sequence === this.lastSequence;
    this.missing = Math.min(PAYLOAD_BYTES, this.remaining);
    this.remaining -= this.missing;
    const header = Buffer.allocUnsafe(HEADER_BYTES);
    header[0] = DARE_VERSION;
    header[1] = this.cipherId;
    header.writeUInt16LE(this.missing - 1, 2);
    this.streamNonce.copy(header, NONCE_OFFSET);
    if (final) {
      header[NONCE_OFFSET] = header.readUInt8(NONCE_OFFSET) | FINAL_FLAG;
    }
    sealed.push(header);
    writePackageNonce(this.packageNonce, this.streamNonce, this.sequence, final);
    this.cipher = createCipheriv(this.algorithm as 'aes-256-gcm', this.key, this.packageNonce, {
      authTagLength: TAG_BYTES,
    });
    this.cipher.setAAD(header.subarray(0, ASSOCIATED_BYTES));
    return this.cipher;
  }
}
