import { MAX_PACKAGES, PAYLOAD_BYTES } from './dare';
import { DareSealer } from './dare-sealer';
import type { DareCipher, SealingStage } from './encryption.types';

/**
 * Seals a stream whose length is not known beforehand, as that of a file in a browser's form. It holds back one package,
 * because only the end tells which one is the last.
 */
export class OpenEndedSealer implements SealingStage {
  private readonly sealer: DareSealer;
  private readonly held = Buffer.allocUnsafe(PAYLOAD_BYTES);
  private heldLength = 0;

  /** @param key 32 bytes, copied @param cipher AES-256-GCM when left out */
  constructor(key: Buffer, cipher?: DareCipher) {
    this.sealer = new DareSealer(key, { cipher, plaintextSize: MAX_PACKAGES * PAYLOAD_BYTES });
  }

  update(chunk: Buffer): Buffer[] {
    const sealed: Buffer[] = [];
    let offset = 0;
    while (offset < chunk.length) {
      if (this.heldLength === PAYLOAD_BYTES) {
        sealed.push(...this.sealer.update(this.held));
        this.heldLength = 0;
      }
      const copied = chunk.copy(this.held, this.heldLength, offset);
      this.heldLength += copied;
      offset += copied;
    }
    return sealed;
  }

  final(): Buffer[] {
    this.sealer.endAfter(this.heldLength);
    return [...this.sealer.update(this.held.subarray(0, this.heldLength)), ...this.sealer.final()];
  }
}
