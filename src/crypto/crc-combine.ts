/** CRCs of whole objects that can be computed from the CRCs of their parts. */
export type CrcAlgorithm = 'CRC32' | 'CRC32C' | 'CRC64NVME';

/**
 * A polynomial over GF(2) in the reflected order that CRCs use: the top bit of `high` is the constant term. 32-bit
 * polynomials leave `low` at 0.
 */
interface Polynomial {
  readonly high: number;
  readonly low: number;
}

/** Lengths below 2^53 bytes need the powers x^(2^k) up to k = 56. */
const POWERS = 57;
const ZERO: Polynomial = { high: 0, low: 0 };
const ONE: Polynomial = { high: 0x80000000, low: 0 };

/** The ring of polynomials modulo a CRC's generator. */
class CrcField {
  private readonly powers: Polynomial[];
  private lastShift: { readonly length: number; readonly factor: Polynomial } | undefined;

  constructor(
    readonly bytes: 4 | 8,
    private readonly generator: Polynomial,
  ) {
    let power: Polynomial = { high: 0x40000000, low: 0 };
    this.powers = Array.from({ length: POWERS }, () => {
      const current = power;
      power = this.multiply(power, power);
      return current;
    });
  }

  /** Returns the CRC of two byte strings in a row from their CRCs and the length of the second. */
  combine(left: Polynomial, right: Polynomial, rightLength: number): Polynomial {
    const shifted = this.multiply(this.shift(rightLength), left);
    return { high: (shifted.high ^ right.high) >>> 0, low: (shifted.low ^ right.low) >>> 0 };
  }

  /** x^(8·length); remembered, as the parts of one object mostly have one size. */
  private shift(length: number): Polynomial {
    if (this.lastShift?.length !== length) {
      let factor = ONE;
      let rest = length;
      for (let exponent = 3; rest > 0; exponent += 1) {
        if (rest % 2 === 1) {
          factor = this.multiply(factor, this.powers[exponent] ?? ZERO);
        }
        rest = Math.floor(rest / 2);
      }
      this.lastShift = { length, factor };
    }
    return this.lastShift.factor;
  }

  private multiply(left: Polynomial, right: Polynomial): Polynomial {
    let { high, low } = right;
    let productHigh = 0;
    let productLow = 0;
    for (let bit = 0; bit < this.bytes * 8; bit += 1) {
      const coefficient = bit < 32 ? left.high >>> (31 - bit) : left.low >>> (63 - bit);
      if ((coefficient & 1) === 1) {
        productHigh ^= high;
        productLow ^= low;
      }
      const overflow = this.bytes === 4 ? high & 1 : low & 1;
      low = this.bytes === 4 ? 0 : (low >>> 1) | (high << 31);
      high >>>= 1;
      if (overflow === 1) {
        high ^= this.generator.high;
        low ^= this.generator.low;
      }
    }
    return { high: productHigh >>> 0, low: productLow >>> 0 };
  }
}

const FIELDS: Readonly<Record<CrcAlgorithm, CrcField>> = {
  CRC32: new CrcField(4, { high: 0xedb88320, low: 0 }),
  CRC32C: new CrcField(4, { high: 0x82f63b78, low: 0 }),
  CRC64NVME: new CrcField(8, { high: 0x9a6c9329, low: 0xac4bc9b5 }),
};

/**
 * Computes the CRC of a whole object from the CRCs of its parts, by shifting polynomials over GF(2).
 *
 * @param parts in order; digests big endian, of 4 or 8 bytes
 * @throws RangeError when there is no part or a digest has the wrong length
 */
export function combineCrcs(
  algorithm: CrcAlgorithm,
  parts: readonly { readonly digest: Buffer; readonly size: number }[],
): Buffer {
  const field = FIELDS[algorithm];
  const [first, ...rest] = parts;
  if (first === undefined) {
    throw new RangeError('There is no checksum without parts');
  }
  const combined = rest.reduce(
    (left, { digest, size }) => field.combine(left, decode(field, digest), size),
    decode(field, first.digest),
  );
  return encode(field, combined);
}

function decode(field: CrcField, digest: Buffer): Polynomial {
  if (digest.length !== field.bytes) {
    throw new RangeError('The checksum of a part has the wrong length');
  }
  return { high: digest.readUInt32BE(0), low: field.bytes === 8 ? digest.readUInt32BE(4) : 0 };
}

function encode(field: CrcField, crc: Polynomial): Buffer {
  const digest = Buffer.alloc(field.bytes);
  digest.writeUInt32BE(crc.high, 0);
  if (field.bytes === 8) {
    digest.writeUInt32BE(crc.low, 4);
  }
  return digest;
}
