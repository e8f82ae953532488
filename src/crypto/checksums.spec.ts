import { createHash, randomBytes } from 'node:crypto';
import fc from 'fast-check';
import { compositeChecksum, createChecksum, digestBytes, loadChecksums, type DigestAlgorithm } from './checksums';
import { combineCrcs, type CrcAlgorithm } from './crc-combine';

const CRCS: CrcAlgorithm[] = ['CRC32', 'CRC32C', 'CRC64NVME'];

function digest(algorithm: DigestAlgorithm, ...chunks: Buffer[]): Buffer {
  const checksum = createChecksum(algorithm);
  for (const chunk of chunks) {
    checksum.update(chunk);
  }
  return checksum.digest();
}

it('wants CRC64NVME to be loaded first', async () => {
  expect(() => createChecksum('CRC64NVME')).toThrow('not been loaded');
  await loadChecksums();
  expect(createChecksum('CRC64NVME')).toBeDefined();
});

describe('checksums', () => {
  beforeAll(loadChecksums);

  // The `check` values of the catalogue of parametrised CRC algorithms (reveng.sourceforge.io): CRC-32/ISO-HDLC,
  // CRC-32/ISCSI, CRC-64/NVME; the hashes are those `sha1sum`, `sha256sum`,
  // `sha512sum`, `md5sum` and `xxhsum` print.
  it.each<[DigestAlgorithm, string]>([
    ['CRC32', 'cbf43926'],
    ['CRC32C', 'e3069283'],
    ['CRC64NVME', 'ae8b14860a799888'],
    ['SHA1', 'f7c3bc1d808e04732adf679965ccc34ca7ae3441'],
    ['SHA256', '15e2b0d3c33891ebb0f1ef609ec419420c20e320ce94c65fbc8c3312448eb225'],
    [
      'SHA512',
      'd9e6762dd1c8eaf6d61b3c6192fc408d4d6d5f1176d0c29169bc24e71c3f274ad27fcd5811b313d681f7e55ec02d73d499c95455b6b5bb503acf574fba8ffe85',
    ],
    ['MD5', '25f9e794323b453885f5181f1b624d0b'],
    ['XXHASH64', '8cb841db40e6ae83'],
    ['XXHASH3', '72dcb18b67a17dff'],
    ['XXHASH128', '33119477ede5dcd5e9716427681d5860'],
  ])('%s of 123456789 is %s', (algorithm, expected) => {
    expect(digest(algorithm, Buffer.from('123456789')).toString('hex')).toBe(expected);
    expect(digest(algorithm, Buffer.from('1234'), Buffer.alloc(0), Buffer.from('56789')).toString('hex')).toBe(
      expected,
    );
    expect(digestBytes(algorithm)).toBe(expected.length / 2);
  });

  it.each<[DigestAlgorithm, string]>([
    ['CRC32', '00000000'],
    ['CRC32C', '00000000'],
    ['CRC64NVME', '0000000000000000'],
    ['MD5', 'd41d8cd98f00b204e9800998ecf8427e'],
  ])('%s of nothing is %s', (algorithm, expected) => {
    expect(digest(algorithm).toString('hex')).toBe(expected);
  });

  it('CRC64NVME agrees with the values of the NVMe specification for 4 KiB', () => {
    // NVM Express NVM Command Set Specification, 64b CRC test cases: all zero and all ones bytes.
    expect(digest('CRC64NVME', Buffer.alloc(4096)).toString('hex')).toBe('6482d367eb22b64e');
    expect(digest('CRC64NVME', Buffer.alloc(4096, 0xff)).toString('hex')).toBe('c0ddba7302eca3ac');
  });

  it('keeps interleaved hashers apart', () => {
    const left = createChecksum('CRC64NVME');
    const right = createChecksum('CRC64NVME');
    left.update(Buffer.from('12345'));
    right.update(Buffer.from('abc'));
    left.update(Buffer.from('6789'));
    const other = right.digest();
    expect(left.digest().toString('hex')).toBe('ae8b14860a799888');
    expect(other.equals(digest('CRC64NVME', Buffer.from('abc')))).toBe(true);
  });

  it('composes multipart checksums', () => {
    const parts = [Buffer.from('one'), Buffer.from('two')].map((part) => createHash('sha256').update(part).digest());
    const expected = createHash('sha256').update(Buffer.concat(parts)).digest('base64');
    expect(compositeChecksum('SHA256', parts)).toBe(`${expected}-2`);
    expect(compositeChecksum('CRC32', [Buffer.from('cbf43926', 'hex')])).toMatch(/^[A-Za-z0-9+/]{6}==-1$/);
  });
});

describe('combined CRCs', () => {
  beforeAll(loadChecksums);

  it.each(CRCS)('%s of parts is that of the whole', (algorithm) => {
    fc.assert(
      fc.property(fc.array(fc.uint8Array({ maxLength: 3000 }), { minLength: 1, maxLength: 8 }), (arrays) => {
        const parts = arrays.map((bytes) => Buffer.from(bytes));
        const combined = combineCrcs(
          algorithm,
          parts.map((part) => ({ digest: digest(algorithm, part), size: part.length })),
        );
        expect(combined.equals(digest(algorithm, Buffer.concat(parts)))).toBe(true);
      }),
      { numRuns: 200 },
    );
  });

  it.each(CRCS)('%s of large parts is that of the whole', (algorithm) => {
    const whole = randomBytes(17 * 2 ** 20 + 3);
    const parts = [
      whole.subarray(0, 5 * 2 ** 20),
      whole.subarray(5 * 2 ** 20, 17 * 2 ** 20),
      whole.subarray(17 * 2 ** 20),
    ];
    const combined = combineCrcs(
      algorithm,
      parts.map((part) => ({ digest: digest(algorithm, part), size: part.length })),
    );
    expect(combined.equals(digest(algorithm, whole))).toBe(true);
  });

  it('knows sizes beyond 32 bits', () => {
    // Associativity: a + (b + c) = (a + b) + c, with an imagined c of 6 GiB and b of 5 GiB.
    for (const algorithm of CRCS) {
      const [a, b, c] = [1, 2, 3].map((seed) => digest(algorithm, Buffer.of(seed))) as [Buffer, Buffer, Buffer];
      const [sizeB, sizeC] = [5 * 2 ** 30, 6 * 2 ** 30 + 1];
      const right = combineCrcs(algorithm, [
        { digest: b, size: sizeB },
        { digest: c, size: sizeC },
      ]);
      expect(
        combineCrcs(algorithm, [
          { digest: a, size: 1 },
          { digest: right, size: sizeB + sizeC },
        ]).equals(
          combineCrcs(algorithm, [
            { digest: a, size: 1 },
            { digest: b, size: sizeB },
            { digest: c, size: sizeC },
          ]),
        ),
      ).toBe(true);
    }
  });

  it('refuses no parts and digests of another length', () => {
    expect(() => combineCrcs('CRC32', [])).toThrow(RangeError);
    expect(() => combineCrcs('CRC32', [{ digest: Buffer.alloc(8), size: 1 }])).toThrow(RangeError);
  });
});
