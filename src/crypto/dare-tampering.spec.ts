import { randomBytes } from 'node:crypto';
import fc from 'fast-check';
import { CiphertextError, planRange, sealedSize } from './dare';
import { DareOpener } from './dare-opener';
import { DareSealer } from './dare-sealer';
import { derivePartKey } from './key-derivation';
import type { DareCipher, DareRange } from './encryption.types';

const KIB_64 = 65536;
const PACKAGE = KIB_64 + 32;
const SIZE = 3 * KIB_64 + 100;
const key = randomBytes(32);
const plaintext = randomBytes(SIZE);

function seal(bytes: Buffer, cipher: DareCipher, sealingKey: Buffer = key, nonce?: Buffer): Buffer {
  const sealer = new DareSealer(sealingKey, { cipher, nonce, plaintextSize: bytes.length });
  return Buffer.concat([...sealer.update(bytes), ...sealer.final()]);
}

/** Opens as a reader would, in 1000-byte chunks, and returns what it had been given when the error came. */
function openUntilError(ciphertext: Buffer, range?: DareRange, size = SIZE): { given: Buffer; error: unknown } {
  const opener = new DareOpener(key, { plaintextSize: size, range });
  const given: Buffer[] = [];
  try {
    for (let offset = 0; offset < ciphertext.length; offset += 1000) {
      given.push(...opener.update(ciphertext.subarray(offset, offset + 1000)));
    }
    opener.final();
  } catch (error) {
    return { given: Buffer.concat(given), error };
  }
  return { given: Buffer.concat(given), error: undefined };
}

/** Expects an error, and that everything given out before it was right and came from packages before the bad one. */
function expectRefused(ciphertext: Buffer, firstBadPackage: number, range?: DareRange): void {
  const { given, error } = openUntilError(ciphertext, range);
  expect(error).toBeInstanceOf(CiphertextError);
  const first = range === undefined ? 0 : range.firstSequence * KIB_64 + range.skip;
  expect(given.equals(plaintext.subarray(first, first + given.length))).toBe(true);
  expect(first + given.length).toBeLessThanOrEqual(Math.max(first, firstBadPackage * KIB_64));
}

function packages(ciphertext: Buffer): Buffer[] {
  const result: Buffer[] = [];
  for (let offset = 0; offset < ciphertext.length; offset += PACKAGE) {
    result.push(ciphertext.subarray(offset, offset + PACKAGE));
  }
  return result;
}

function flipped(ciphertext: Buffer, offset: number, mask: number): Buffer {
  const copy = Buffer.from(ciphertext);
  copy[offset] = copy.readUInt8(offset) ^ mask;
  return copy;
}

const FIELDS: [name: string, from: number, to: number][] = [
  ['version', 0, 0],
  ['cipher', 1, 1],
  ['length', 2, 3],
  ['final flag and nonce', 4, 15],
  ['payload', 16, 16 + 99],
  ['tag', -16, -1],
];

describe.each<DareCipher>(['AES-256-GCM', 'CHACHA20-POLY1305'])('tampering with %s', (cipher) => {
  const sealed = seal(plaintext, cipher);
  const parts = packages(sealed);

  it.each(FIELDS)('notices any bit of the %s of any package', (_name, from, to) => {
    fc.assert(
      fc.property(
        fc.integer({ min: 0, max: 3 }),
        fc.integer({ min: from, max: to }),
        fc.integer({ min: 0, max: 7 }),
        (index, byte, bit) => {
          const start = index * PACKAGE;
          const end = start + (parts[index] as Buffer).length;
          expectRefused(flipped(sealed, byte < 0 ? end + byte : start + byte, 1 << bit), index);
        },
      ),
      { numRuns: 60 },
    );
  });

  it.each(FIELDS)('notices it in ranged reads as well: %s', (_name, from, to) => {
    const range = planRange(SIZE, KIB_64 + 10, KIB_64 + 10);
    const stored = sealed.subarray(range.ciphertextOffset, range.ciphertextOffset + range.ciphertextLength);
    fc.assert(
      fc.property(
        fc.integer({ min: 0, max: 1 }),
        fc.integer({ min: from, max: to }),
        fc.integer({ min: 0, max: 7 }),
        (index, byte, bit) => {
          const at = byte < 0 ? (index + 1) * PACKAGE + byte : index * PACKAGE + byte;
          expectRefused(flipped(stored, at, 1 << bit), range.firstSequence + index, range);
        },
      ),
      { numRuns: 40 },
    );
  });

  it('notices a flipped final flag', () => {
    expectRefused(flipped(sealed, 4, 0x80), 0);
    expectRefused(flipped(sealed, 3 * PACKAGE + 4, 0x80), 3);
  });

  it('notices every truncation', () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: sealed.length - 1 }), (length) => {
        expectRefused(sealed.subarray(0, length), Math.floor(length / PACKAGE));
      }),
      { numRuns: 60 },
    );
    for (const whole of [0, 1, 2, 3]) {
      expectRefused(sealed.subarray(0, whole * PACKAGE), whole);
    }
  });

  it('notices a truncation that looks like a shorter object', () => {
    const shorter = seal(plaintext.subarray(0, 2 * KIB_64), cipher);
    expectRefused(shorter, 1);
    expectRefused(seal(plaintext.subarray(0, SIZE - 1), cipher), 3);
    expectRefused(Buffer.alloc(0), 0);
  });

  it('notices extension, by garbage and by genuine packages', () => {
    for (const extra of [Buffer.of(0), randomBytes(16), parts[0] as Buffer, parts[3] as Buffer, sealed]) {
      expect(openUntilError(Buffer.concat([sealed, extra])).error).toBeInstanceOf(CiphertextError);
    }
    expectRefused(seal(Buffer.concat([plaintext, Buffer.of(0)]), cipher), 3);
    expect(openUntilError(sealed.subarray(0, 33), undefined, 0).error).toBeInstanceOf(CiphertextError);
  });

  it('notices duplication, reordering and omission', () => {
    const [a, b, c, d] = parts as [Buffer, Buffer, Buffer, Buffer];
    expectRefused(Buffer.concat([a, a, c, d]), 1);
    expectRefused(Buffer.concat([a, a, b, c, d]), 1);
    expectRefused(Buffer.concat([b, a, c, d]), 0);
    expectRefused(Buffer.concat([a, c, b, d]), 1);
    expectRefused(Buffer.concat([a, b, d]), 2);
    expectRefused(Buffer.concat([d, a, b, c]), 0);
  });

  it('notices packages of another object, another part and another attempt', () => {
    const otherObject = packages(seal(plaintext, cipher, randomBytes(32)));
    const otherPart = packages(seal(plaintext, cipher, derivePartKey(key, 2)));
    const otherAttempt = packages(seal(plaintext, cipher));
    for (const other of [otherObject, otherPart, otherAttempt]) {
      const mixed = parts.map((own, index) => (index === 2 ? (other[index] as Buffer) : own));
      expectRefused(Buffer.concat(mixed), 2);
    }
    expectRefused(seal(plaintext, cipher, derivePartKey(key, 2)), 0);
  });

  it('notices a change of nonce or cipher in the middle of a ranged read', () => {
    const range = planRange(SIZE, KIB_64, 2 * KIB_64);
    const otherAttempt = packages(seal(plaintext, cipher));
    const otherName = cipher === 'AES-256-GCM' ? 'CHACHA20-POLY1305' : 'AES-256-GCM';
    const otherCipher = packages(seal(plaintext, otherName, key, sealed.subarray(4, 16)));
    for (const other of [otherAttempt, otherCipher]) {
      expectRefused(Buffer.concat([parts[1] as Buffer, other[2] as Buffer]), 1);
      expectRefused(Buffer.concat([parts[1] as Buffer, other[2] as Buffer]), 2, range);
    }
  });

  it('notices swapped, missing and surplus packages in a ranged read', () => {
    const range = planRange(SIZE, KIB_64, 2 * KIB_64);
    const [a, b, c, d] = parts as [Buffer, Buffer, Buffer, Buffer];
    expect(openUntilError(Buffer.concat([b, c]), range).error).toBeUndefined();
    expectRefused(Buffer.concat([c, b]), 1, range);
    expectRefused(Buffer.concat([a, b]), 1, range);
    expectRefused(Buffer.concat([b, b]), 2, range);
    expectRefused(Buffer.concat([b, d]), 2, range);
    expectRefused(b, 2, range);
    expectRefused(Buffer.concat([b, c, d]), 3, range);
    expectRefused(Buffer.concat([b, c, Buffer.of(0x20)]), 3, range);
  });

  it('stays broken after an error', () => {
    const opener = new DareOpener(key, { plaintextSize: SIZE });
    expect(() => opener.update(flipped(sealed, PACKAGE - 1, 1))).toThrow(CiphertextError);
    expect(() => opener.update(sealed)).toThrow(CiphertextError);
    expect(() => opener.final()).toThrow(CiphertextError);
  });
});

it('knows the size of what it tests', () => {
  expect(sealedSize(SIZE)).toBe(3 * PACKAGE + 132);
});
