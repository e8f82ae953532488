import { createDecipheriv, randomBytes } from 'node:crypto';
import fc from 'fast-check';
import { CiphertextError, packageCount, planRange, sealedSize } from './dare';
import { DareOpener } from './dare-opener';
import { DareSealer } from './dare-sealer';
import type { DareCipher, OpeningStage, SealingStage } from './encryption.types';

const KIB_64 = 65536;
const PACKAGE = KIB_64 + 32;
const MIB_5 = 5 * 2 ** 20;
const CIPHERS: DareCipher[] = ['AES-256-GCM', 'CHACHA20-POLY1305'];
const key = randomBytes(32);
const material = randomBytes(MIB_5 + 1);

/** Feeds bytes in pieces of the given sizes, repeated as needed; everything at once when there are none. */
function feed(stage: SealingStage | OpeningStage, bytes: Buffer, sizes: readonly number[] = []): Buffer {
  const out: Buffer[] = [];
  let offset = 0;
  for (let turn = 0; offset < bytes.length; turn += 1) {
    const size = sizes[turn % sizes.length] ?? bytes.length;
    out.push(...stage.update(bytes.subarray(offset, offset + size)));
    offset += size;
  }
  out.push(...(stage.final() ?? []));
  return Buffer.concat(out);
}

function seal(plaintext: Buffer, cipher: DareCipher, sizes?: readonly number[]): Buffer {
  return feed(new DareSealer(key, { cipher, plaintextSize: plaintext.length }), plaintext, sizes);
}

function open(ciphertext: Buffer, plaintextSize: number, sizes?: readonly number[]): Buffer {
  return feed(new DareOpener(key, { plaintextSize }), ciphertext, sizes);
}

describe('sizes and ranges', () => {
  it.each([
    // encryptedSizeTests of github.com/minio/sio, sio_test.go
    [0, 0],
    [1, 33],
    [KIB_64 + 1, KIB_64 + 1 + 64],
    [2 * KIB_64, 2 * KIB_64 + 64],
    [2 * KIB_64 + 17, 2 * KIB_64 + 17 + 96],
    [2 ** 32 * KIB_64, 2 ** 32 * PACKAGE],
  ])('seals %d bytes into %d', (plain, sealed) => {
    expect(sealedSize(plain)).toBe(sealed);
  });

  it('refuses impossible sizes and ranges', () => {
    expect(() => sealedSize(2 ** 32 * KIB_64 + 1)).toThrow(RangeError);
    expect(() => sealedSize(-1)).toThrow(RangeError);
    expect(() => planRange(10, 5, 6)).toThrow(RangeError);
    expect(() => planRange(10, -1, 2)).toThrow(RangeError);
    expect(() => planRange(10, 0.5, 2)).toThrow(RangeError);
  });

  it('reads just the packages that a range touches', () => {
    const size = 3 * KIB_64 + 5;
    expect(planRange(size, 0, size)).toEqual({
      ciphertextOffset: 0,
      ciphertextLength: sealedSize(size),
      firstSequence: 0,
      skip: 0,
      length: size,
    });
    expect(planRange(size, KIB_64 - 1, 2)).toMatchObject({ ciphertextOffset: 0, ciphertextLength: 2 * PACKAGE });
    expect(planRange(size, KIB_64, KIB_64)).toMatchObject({ ciphertextOffset: PACKAGE, ciphertextLength: PACKAGE });
    expect(planRange(size, size - 1, 1)).toMatchObject({
      ciphertextOffset: 3 * PACKAGE,
      ciphertextLength: 5 + 32,
      firstSequence: 3,
      skip: 4,
    });
    expect(planRange(size, 7, 0)).toMatchObject({ ciphertextLength: 0, length: 0 });
  });
});

describe.each(CIPHERS)('DARE 2.0 with %s', (cipher) => {
  it.each([0, 1, KIB_64 - 1, KIB_64, KIB_64 + 1, MIB_5 - 1, MIB_5, MIB_5 + 1])('round-trips %d bytes', (size) => {
    const plaintext = material.subarray(0, size);
    const sealed = seal(plaintext, cipher);
    expect(sealed.length).toBe(sealedSize(size));
    expect(open(sealed, size).equals(plaintext)).toBe(true);
    expect(open(sealed, size, [64 * 1024]).equals(plaintext)).toBe(true);
  });

  it('round-trips random sizes in random chunks', () => {
    const size = fc.oneof(
      fc.integer({ min: 0, max: 300 }),
      fc.integer({ min: 0, max: 4 * KIB_64 }),
      fc.constantFrom(KIB_64 - 1, KIB_64, KIB_64 + 1, 2 * KIB_64, 2 * KIB_64 + 1),
    );
    const chunks = fc.array(
      fc.oneof(fc.integer({ min: 100, max: 3 * PACKAGE }), fc.constantFrom(KIB_64, PACKAGE, 16, 97)),
      { minLength: 1, maxLength: 6 },
    );
    fc.assert(
      fc.property(size, chunks, chunks, (bytes, sealing, opening) => {
        const plaintext = material.subarray(0, bytes);
        const sealed = seal(plaintext, cipher, sealing);
        expect(sealed.length).toBe(sealedSize(bytes));
        expect(open(sealed, bytes, opening).equals(plaintext)).toBe(true);
      }),
      { numRuns: 60 },
    );
  });

  it('takes single bytes', () => {
    const plaintext = material.subarray(0, KIB_64 + 3);
    expect(open(seal(plaintext, cipher, [1]), plaintext.length, [1]).equals(plaintext)).toBe(true);
  });

  it('opens random ranges from nothing but their packages', () => {
    const size = 5 * KIB_64 + 1234;
    const plaintext = material.subarray(0, size);
    const sealed = seal(plaintext, cipher);
    const edges = fc.oneof(
      fc.integer({ min: 0, max: size }),
      fc.constantFrom(0, 1, KIB_64 - 1, KIB_64, KIB_64 + 1, 5 * KIB_64, size - 1, size),
    );
    fc.assert(
      fc.property(edges, edges, fc.integer({ min: 17, max: 2 * PACKAGE }), (one, other, chunk) => {
        const first = Math.min(one, other);
        const length = Math.max(one, other) - first;
        const range = planRange(size, first, length);
        const stored = sealed.subarray(range.ciphertextOffset, range.ciphertextOffset + range.ciphertextLength);
        const opened = feed(new DareOpener(key, { plaintextSize: size, range }), stored, [chunk]);
        expect(opened.equals(plaintext.subarray(first, first + length))).toBe(true);
      }),
      { numRuns: 100 },
    );
  });

  it('writes the documented package layout', () => {
    const nonce = Buffer.from('ff0102030405060708090a0b', 'hex');
    const plaintext = material.subarray(0, KIB_64 + 2);
    const sealed = feed(new DareSealer(key, { cipher, nonce, plaintextSize: plaintext.length }), plaintext);
    const id = cipher === 'AES-256-GCM' ? '00' : '01';
    expect(sealed.subarray(0, 16).toString('hex')).toBe(`20${id}ffff7f0102030405060708090a0b`);
    expect(sealed.subarray(PACKAGE, PACKAGE + 16).toString('hex')).toBe(`20${id}0100ff0102030405060708090a0b`);
    // The second package, opened by hand: sequence number 1 is mixed into the last four bytes of the nonce.
    const algorithm = (cipher === 'AES-256-GCM' ? 'aes-256-gcm' : 'chacha20-poly1305') as 'aes-256-gcm';
    const decipher = createDecipheriv(algorithm, key, Buffer.from('ff0102030405060709090a0b', 'hex'), {
      authTagLength: 16,
    });
    decipher.setAAD(sealed.subarray(PACKAGE, PACKAGE + 4));
    decipher.setAuthTag(sealed.subarray(-16));
    const opened = Buffer.concat([decipher.update(sealed.subarray(PACKAGE + 16, PACKAGE + 18)), decipher.final()]);
    expect(opened.equals(plaintext.subarray(KIB_64))).toBe(true);
  });

  it('never repeats a nonce between two attempts', () => {
    const nonces = Array.from({ length: 50 }, () => seal(Buffer.of(1), cipher).subarray(4, 16).toString('hex'));
    expect(new Set(nonces).size).toBe(50);
  });

  it('keeps nothing of a chunk that its owner overwrites later', () => {
    const sealer = new DareSealer(key, { cipher, plaintextSize: 1000 });
    const chunk = Buffer.from(material.subarray(0, 1000));
    const first = sealer.update(chunk);
    chunk.fill(0);
    const sealed = Buffer.concat([...first, ...sealer.final()]);
    expect(open(sealed, 1000).equals(material.subarray(0, 1000))).toBe(true);
  });

  it('survives the key being zeroed after construction', () => {
    const fleeting = Buffer.from(key);
    const sealer = new DareSealer(fleeting, { cipher, plaintextSize: 5 });
    const opener = new DareOpener(fleeting, { plaintextSize: 5 });
    fleeting.fill(0);
    expect(feed(opener, feed(sealer, Buffer.from('hello'))).toString()).toBe('hello');
  });
});

it('refuses keys and nonces of another length, and other sizes than announced', () => {
  expect(() => new DareSealer(Buffer.alloc(31), { plaintextSize: 1 })).toThrow(RangeError);
  expect(() => new DareSealer(key, { nonce: Buffer.alloc(11), plaintextSize: 1 })).toThrow(RangeError);
  expect(() => new DareOpener(Buffer.alloc(33), { plaintextSize: 1 })).toThrow(RangeError);
  const sealer = new DareSealer(key, { plaintextSize: 3 });
  sealer.update(Buffer.of(1, 2));
  expect(() => sealer.final()).toThrow('Fewer bytes');
  expect(() => sealer.update(Buffer.of(3, 4))).toThrow('More bytes');
  sealer.update(Buffer.of(3));
  expect(sealer.final()).toEqual([]);
  expect(packageCount(0)).toBe(0);
  expect(new CiphertextError('x').kind).toBe('ObjectTampered');
});
