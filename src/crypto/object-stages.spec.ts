import { randomBytes } from 'node:crypto';
import fc from 'fast-check';
import { CiphertextError, sealedSize } from './dare';
import { DareOpener } from './dare-opener';
import { deriveLayerKeys, derivePartKey } from './key-derivation';
import {
  openingStage,
  planRead,
  sameDataLayout,
  sealingStage,
  storedSize,
  type EncryptedMode,
  type ReadPlan,
} from './object-stages';

const KIB_64 = 65536;
const SIZE = 4 * KIB_64 + 321;
const objectKey = randomBytes(32);
const material = randomBytes(SIZE);

function seal(mode: EncryptedMode, plaintext: Buffer, part?: number): Buffer {
  const stage = sealingStage(mode, objectKey, part, plaintext.length);
  const head = stage.update(plaintext.subarray(0, 70_000));
  return Buffer.concat([...head, ...stage.update(plaintext.subarray(70_000)), ...stage.final()]);
}

function open(mode: EncryptedMode, stored: Buffer, size: number, part?: number, plan?: ReadPlan): Buffer {
  const stage = openingStage(mode, objectKey, part, size, plan);
  const head = stage.update(stored.subarray(0, 70_000));
  const opened = Buffer.concat([...head, ...stage.update(stored.subarray(70_000))]);
  stage.final();
  return opened;
}

describe.each<EncryptedMode>(['sse-s3', 'sse-kms', 'sse-c', 'dsse-kms'])('stages of %s', (mode) => {
  it.each([0, 1, KIB_64 - 32, KIB_64 - 1, KIB_64, KIB_64 + 1, SIZE])('round-trip %d bytes', (size) => {
    const plaintext = material.subarray(0, size);
    const stored = seal(mode, plaintext);
    expect(stored.length).toBe(storedSize(mode, size));
    expect(open(mode, stored, size).equals(plaintext)).toBe(true);
  });

  it.each([0, 1, KIB_64 - 32, KIB_64, KIB_64 + 1, 2 * KIB_64, SIZE])(
    'round-trip %d bytes whose number was not known beforehand',
    (size) => {
      const plaintext = material.subarray(0, size);
      const stage = sealingStage(mode, objectKey, undefined, undefined);
      const sealed: Buffer[] = [];
      for (let at = 0; at < size; at += 50_001) {
        const chunk = Buffer.from(plaintext.subarray(at, at + 50_001));
        sealed.push(...stage.update(chunk));
        chunk.fill(0);
      }
      const stored = Buffer.concat([...sealed, ...stage.final()]);
      expect(stored.length).toBe(storedSize(mode, size));
      expect(open(mode, stored, size).equals(plaintext)).toBe(true);
    },
  );

  it('open any range from the planned bytes alone', () => {
    const stored = seal(mode, material, 7);
    const edge = fc.oneof(
      fc.integer({ min: 0, max: SIZE }),
      fc.constantFrom(0, KIB_64 - 32, KIB_64 - 1, KIB_64, KIB_64 + 1, SIZE - 1, SIZE),
    );
    fc.assert(
      fc.property(edge, edge, (one, other) => {
        const first = Math.min(one, other);
        const length = Math.max(one, other) - first;
        const plan = planRead(mode, SIZE, first, length);
        const read = stored.subarray(plan.offset, plan.offset + plan.length);
        expect(open(mode, read, SIZE, 7, plan).equals(material.subarray(first, first + length))).toBe(true);
      }),
      { numRuns: 80 },
    );
  });

  it('tell parts from each other and from whole objects', () => {
    const stored = seal(mode, material, 1);
    expect(() => open(mode, stored, SIZE, 2)).toThrow(CiphertextError);
    expect(() => open(mode, stored, SIZE)).toThrow(CiphertextError);
  });

  it('survive the object key being zeroed', () => {
    const fleeting = Buffer.from(objectKey);
    const stage = sealingStage(mode, fleeting, undefined, SIZE);
    fleeting.fill(0);
    const stored = Buffer.concat([...stage.update(material), ...stage.final()]);
    expect(open(mode, stored, SIZE).equals(material)).toBe(true);
  });

  it('notice truncation and alteration', () => {
    const stored = seal(mode, material);
    expect(() => open(mode, stored.subarray(0, -1), SIZE)).toThrow(CiphertextError);
    stored[stored.length - 20] = stored.readUInt8(stored.length - 20) ^ 1;
    expect(() => open(mode, stored, SIZE)).toThrow(CiphertextError);
  });

  it('seal with the other cipher on request', () => {
    const stage = sealingStage(mode, objectKey, undefined, SIZE, 'CHACHA20-POLY1305');
    const stored = Buffer.concat([...stage.update(material), ...stage.final()]);
    expect(stored[1]).toBe(1);
    expect(open(mode, stored, SIZE).equals(material)).toBe(true);
  });
});

it('seals the parts of single-layer modes under the part key itself', () => {
  const opener = new DareOpener(derivePartKey(objectKey, 3), { plaintextSize: SIZE });
  const opened = Buffer.concat(opener.update(seal('sse-kms', material, 3)));
  opener.final();
  expect(opened.equals(material)).toBe(true);
});

it('wraps two independent layers around dual-layer objects', () => {
  const { inner, outer } = deriveLayerKeys(objectKey);
  const stored = seal('dsse-kms', material);
  const outerOpener = new DareOpener(outer, { plaintextSize: sealedSize(SIZE) });
  const middle = Buffer.concat(outerOpener.update(stored));
  outerOpener.final();
  expect(middle.length).toBe(sealedSize(SIZE));
  const innerOpener = new DareOpener(inner, { plaintextSize: SIZE });
  expect(Buffer.concat(innerOpener.update(middle)).equals(material)).toBe(true);
  innerOpener.final();
});

it('knows which modes can pass into each other without touching data', () => {
  expect(sameDataLayout('sse-c', 'sse-kms')).toBe(true);
  expect(sameDataLayout('dsse-kms', 'dsse-kms')).toBe(true);
  expect(sameDataLayout('sse-kms', 'dsse-kms')).toBe(false);
});
