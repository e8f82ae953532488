import { createCipheriv, createSecretKey, randomBytes, type KeyObject } from 'node:crypto';
import {
  ASSOCIATED_BYTES,
  DARE_CIPHERS,
  DARE_VERSION,
  FINAL_FLAG,
  HEADER_BYTES,
  KEY_BYTES,
  MAX_PACKAGES,
  NONCE_BYTES,
  NONCE_OFFSET,
  OVERHEAD_BYTES,
  PACKAGE_BYTES,
  PAYLOAD_BYTES,
  TAG_BYTES,
  writePackageNonce,
  type AeadAlgorithm,
} from './dare';
import type { DareCipher, SealingStage } from './encryption.types';

/** Blobs are written about 1 MiB at a time. */
const PACKAGES_PER_BUFFER = 16;

export interface DareSealerOptions {
  /** AES-256-GCM when left out. */
  readonly cipher?: DareCipher;
  /** 12 bytes for known-answer tests; fresh random bytes otherwise, so that no two attempts ever share a nonce. */
  readonly nonce?: Buffer;
}

/**
 * Seals a stream of plaintext as DARE 2.0 packages (https://github.com/minio/sio/blob/master/DARE.md).
 *
 * Synchronous on purpose: at 64 KiB a package the cipher runs at several GB/s, and handing the bytes to a thread costs more
 * than it saves. Chunks are not kept after {@link update} returns, so callers may reuse them.
 */
export class DareSealer implements SealingStage {
  private readonly key: KeyObject;
  private readonly algorithm: AeadAlgorithm;
  private readonly streamNonce: Buffer;
  private readonly header = Buffer.alloc(HEADER_BYTES);
  private readonly packageNonce = Buffer.alloc(NONCE_BYTES);
  /** The last bytes seen: a package can only be sealed once it is known whether another follows. */
  private held: Buffer | undefined;
  private heldLength = 0;
  private sequence = 0;
  private ended = false;

  /**
   * @param key 32 bytes, copied: it may be zeroed as soon as the constructor has returned
   * @throws RangeError when key or nonce have another length
   */
  constructor(key: Buffer, options: DareSealerOptions = {}) {
    const nonce = options.nonce ?? randomBytes(NONCE_BYTES);
    if (key.length !== KEY_BYTES || nonce.length !== NONCE_BYTES) {
      throw new RangeError('DARE needs a key of 32 and a nonce of 12 bytes');
    }
    const cipher = DARE_CIPHERS[options.cipher ?? 'AES-256-GCM'];
    this.key = createSecretKey(key);
    this.algorithm = cipher.algorithm;
    this.streamNonce = Buffer.from(nonce);
    this.streamNonce[0] = nonce.readUInt8(0) & ~FINAL_FLAG;
    this.header[0] = DARE_VERSION;
    this.header[1] = cipher.id;
  }

  update(chunk: Buffer): Buffer[] {
    if (this.ended) {
      throw new Error('The stream has been sealed already');
    }
    const available = this.heldLength + chunk.length;
    let due = Math.max(0, Math.ceil(available / PAYLOAD_BYTES) - 1);
    const sealed: Buffer[] = [];
    let consumed = 0;
    while (due > 0) {
      const batch = Math.min(due, PACKAGES_PER_BUFFER);
      const target = Buffer.allocUnsafe(batch * PACKAGE_BYTES);
      for (let offset = 0; offset < target.length; offset += PACKAGE_BYTES) {
        const fresh = PAYLOAD_BYTES - this.heldLength;
        this.sealPackage(target, offset, chunk.subarray(consumed, consumed + fresh), false);
        consumed += fresh;
      }
      sealed.push(target);
      due -= batch;
    }
    this.hold(consumed === 0 ? chunk : chunk.subarray(consumed));
    return sealed;
  }

  final(): Buffer[] {
    if (this.ended) {
      throw new Error('The stream has been sealed already');
    }
    this.ended = true;
    if (this.heldLength === 0) {
      return [];
    }
    const target = Buffer.allocUnsafe(this.heldLength + OVERHEAD_BYTES);
    this.sealPackage(target, 0, Buffer.alloc(0), true);
    this.held = undefined;
    return [target];
  }

  private hold(rest: Buffer): void {
    if (rest.length === 0) {
      return;
    }
    this.held = this.roomFor(this.heldLength + rest.length);
    rest.copy(this.held, this.heldLength);
    this.heldLength += rest.length;
  }

  /** Small objects get a small buffer; it grows to a whole package at most. */
  private roomFor(length: number): Buffer {
    if (this.held !== undefined && this.held.length >= length) {
      return this.held;
    }
    const grown = Buffer.allocUnsafe(this.held === undefined && this.sequence === 0 ? length : PAYLOAD_BYTES);
    this.held?.copy(grown, 0, 0, this.heldLength);
    return grown;
  }

  /** Seals what is held followed by `fresh` as one package at `offset` of `target`, and forgets what was held. */
  private sealPackage(target: Buffer, offset: number, fresh: Buffer, final: boolean): void {
    if (this.sequence >= MAX_PACKAGES) {
      throw new RangeError('A DARE stream ends at 256 TiB');
    }
    this.header.writeUInt16LE(this.heldLength + fresh.length - 1, 2);
    this.streamNonce.copy(this.header, NONCE_OFFSET);
    if (final) {
      this.header[NONCE_OFFSET] = this.header.readUInt8(NONCE_OFFSET) | FINAL_FLAG;
    }
    writePackageNonce(this.packageNonce, this.streamNonce, this.sequence, final);
    const cipher = createCipheriv(this.algorithm as 'aes-256-gcm', this.key, this.packageNonce, {
      authTagLength: TAG_BYTES,
    });
    cipher.setAAD(this.header.subarray(0, ASSOCIATED_BYTES));
    let position = offset + this.header.copy(target, offset);
    if (this.held !== undefined && this.heldLength > 0) {
      position += cipher.update(this.held.subarray(0, this.heldLength)).copy(target, position);
    }
    if (fresh.length > 0) {
      position += cipher.update(fresh).copy(target, position);
    }
    cipher.final();
    cipher.getAuthTag().copy(target, position);
    this.heldLength = 0;
    this.sequence += 1;
  }
}
