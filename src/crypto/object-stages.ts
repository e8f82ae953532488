import { planRange, sealedSize } from './dare';
import { DareOpener } from './dare-opener';
import { DareSealer } from './dare-sealer';
import { deriveLayerKeys, derivePartKey } from './key-derivation';
import { OpenEndedSealer } from './open-ended-sealer';
import type { DareCipher, DareRange, EncryptionMode, OpeningStage, SealingStage } from './encryption.types';

export type EncryptedMode = Exclude<EncryptionMode, 'none'>;

/** The stored bytes to read for a range of plaintext of one object or part. */
export interface ReadPlan {
  /** Offset from the start of the object's or part's ciphertext. */
  readonly offset: number;
  readonly length: number;
  /** One range per layer of encryption, the outermost first. */
  readonly layers: readonly DareRange[];
}

/**
 * Returns whether two modes store their data in the same form, so that an object can pass from one to the other by sealing
 * its object key anew: all but `dsse-kms`, which has two layers of packages.
 */
export function sameDataLayout(left: EncryptedMode, right: EncryptedMode): boolean {
  return layersOf(left) === layersOf(right);
}

/** Returns the bytes that an object or part of this size takes in the blob store. */
export function storedSize(mode: EncryptedMode, plaintextSize: number): number {
  let size = plaintextSize;
  for (let layer = 0; layer < layersOf(mode); layer += 1) {
    size = sealedSize(size);
  }
  return size;
}

/**
 * Plans the reading of a range of one object, or of one part of a multipart object.
 *
 * @param plaintextSize bytes of that object or part
 * @param first offset of the first byte wanted, counted from its start
 * @param length bytes wanted
 * @throws RangeError when the range does not lie inside
 */
export function planRead(mode: EncryptedMode, plaintextSize: number, first: number, length: number): ReadPlan {
  const layers: DareRange[] = [];
  let size = plaintextSize;
  let offset = first;
  let count = length;
  for (let layer = 0; layer < layersOf(mode); layer += 1) {
    const range = planRange(size, offset, count);
    layers.unshift(range);
    size = sealedSize(size);
    offset = range.ciphertextOffset;
    count = range.ciphertextLength;
  }
  return { offset, length: count, layers };
}

/**
 * Starts the encryption of one object or part. Every call uses a fresh random nonce, so a part may be tried again.
 *
 * @param objectKey 32 bytes; copied, so it may be zeroed afterwards
 * @param part part number when the object is uploaded in parts
 * @param plaintextSize bytes of the object or part, exactly; undefined when only the end will tell
 * @param cipher AES-256-GCM when left out
 */
export function sealingStage(
  mode: EncryptedMode,
  objectKey: Buffer,
  part: number | undefined,
  plaintextSize: number | undefined,
  cipher?: DareCipher,
): SealingStage {
  return withDataKeys(mode, objectKey, part, (keys) => {
    const [outermost, ...inner] = keys.map((key, layer): SealingStage => {
      if (plaintextSize === undefined) {
        return new OpenEndedSealer(key, cipher);
      }
      const size = layer === keys.length - 1 ? plaintextSize : sealedSize(plaintextSize);
      return new DareSealer(key, { cipher, plaintextSize: size });
    });
    return inner.reduce<SealingStage>((outer, layer) => new LayeredSealer(layer, outer), outermost as SealingStage);
  });
}

/**
 * Starts the decryption of one object or part.
 *
 * @param objectKey 32 bytes; copied, so it may be zeroed afterwards
 * @param part part number when the object was uploaded in parts
 * @param plaintextSize bytes of the whole object or part, from its metadata
 * @param plan what is read, from {@link planRead}; everything when left out
 */
export function openingStage(
  mode: EncryptedMode,
  objectKey: Buffer,
  part: number | undefined,
  plaintextSize: number,
  plan: ReadPlan = planRead(mode, plaintextSize, 0, plaintextSize),
): OpeningStage {
  return withDataKeys(mode, objectKey, part, (keys) => {
    const openers = keys.map((key, layer) => {
      const size = layer === keys.length - 1 ? plaintextSize : sealedSize(plaintextSize);
      return new DareOpener(key, { plaintextSize: size, range: plan.layers[layer] });
    });
    const [outermost, ...inner] = openers;
    return inner.reduce<OpeningStage>((outer, layer) => new LayeredOpener(outer, layer), outermost as OpeningStage);
  });
}

function layersOf(mode: EncryptedMode): 1 | 2 {
  return mode === 'dsse-kms' ? 2 : 1;
}

/** Runs `use` with the keys of each layer, the outermost first, and zeroes every derived key afterwards. */
function withDataKeys<T>(
  mode: EncryptedMode,
  objectKey: Buffer,
  part: number | undefined,
  use: (keys: readonly Buffer[]) => T,
): T {
  const derived: Buffer[] = [];
  let key = objectKey;
  try {
    if (part !== undefined) {
      key = derivePartKey(objectKey, part);
      derived.push(key);
    }
    if (layersOf(mode) === 1) {
      return use([key]);
    }
    const { inner, outer } = deriveLayerKeys(key);
    derived.push(inner, outer);
    return use([outer, inner]);
  } finally {
    for (const buffer of derived) {
      buffer.fill(0);
    }
  }
}

/** Seals with one layer and hands its packages to the next one outwards. */
class LayeredSealer implements SealingStage {
  constructor(
    private readonly inner: SealingStage,
    private readonly outer: SealingStage,
  ) {}

  update(chunk: Buffer): Buffer[] {
    return this.inner.update(chunk).flatMap((packages) => this.outer.update(packages));
  }

  final(): Buffer[] {
    const last = this.inner.final().flatMap((packages) => this.outer.update(packages));
    return [...last, ...this.outer.final()];
  }
}

/** Opens the outer layer and hands what comes out to the inner one. */
class LayeredOpener implements OpeningStage {
  constructor(
    private readonly outer: OpeningStage,
    private readonly inner: OpeningStage,
  ) {}

  update(chunk: Buffer): Buffer[] {
    return this.outer.update(chunk).flatMap((packages) => this.inner.update(packages));
  }

  final(): void {
    this.outer.final();
    this.inner.final();
  }
}
