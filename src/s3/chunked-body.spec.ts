import { createHash, createHmac } from 'node:crypto';
import * as fc from 'fast-check';
import { ChunkSignatureVerifier } from '../identity/sigv4/chunk-signer';
import { signingKey } from '../identity/sigv4/signing-key';
import { ChunkedBodyDecoder, type ChunkedBodyOptions } from './chunked-body';

const TIMESTAMP = '20130524T000000Z';
const SCOPE = '20130524/us-east-1/s3/aws4_request';
const KEY = signingKey('wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY', '20130524', 'us-east-1', 's3');
const SEED = '4f232c4386841ef735655705268965c44a0e4690baa4adea153f7db9fa80a0a9';

function sha256(data: Buffer | string): string {
  return createHash('sha256').update(data).digest('hex');
}

function hmac(text: string): string {
  return createHmac('sha256', KEY).update(text).digest('hex');
}

function encode(chunks: readonly Buffer[], options: { signed?: boolean; trailer?: string } = {}): Buffer {
  let previous = SEED;
  const parts: Buffer[] = [];
  for (const chunk of [...chunks, Buffer.alloc(0)]) {
    previous = hmac(`AWS4-HMAC-SHA256-PAYLOAD\n${TIMESTAMP}\n${SCOPE}\n${previous}\n${sha256('')}\n${sha256(chunk)}`);
    const signature = options.signed === true ? `;chunk-signature=${previous}` : '';
    parts.push(Buffer.from(`${chunk.length.toString(16)}${signature}\r\n`), chunk);
    if (chunk.length > 0) {
      parts.push(Buffer.from('\r\n'));
    }
  }
  if (options.trailer !== undefined) {
    parts.push(Buffer.from(`${options.trailer}\r\n`));
    if (options.signed === true) {
      const signature = hmac(
        `AWS4-HMAC-SHA256-TRAILER\n${TIMESTAMP}\n${SCOPE}\n${previous}\n${sha256(`${options.trailer}\n`)}`,
      );
      parts.push(Buffer.from(`x-amz-trailer-signature:${signature}\r\n`));
    }
  }
  parts.push(Buffer.from('\r\n'));
  return Buffer.concat(parts);
}

function decode(
  body: Buffer,
  options: Partial<ChunkedBodyOptions> & { signed?: boolean },
  cuts: readonly number[] = [],
): { payload: Buffer; decoder: ChunkedBodyDecoder } {
  const decoder = new ChunkedBodyDecoder({
    decodedLength: options.decodedLength ?? 0,
    trailers: options.trailers ?? [],
    signatures:
      options.signed === true
        ? new ChunkSignatureVerifier({ signature: SEED, timestamp: TIMESTAMP, scope: SCOPE, signingKey: KEY })
        : undefined,
  });
  const pieces: Buffer[] = [];
  const bounds = [...new Set([0, ...cuts.map((cut) => cut % (body.length + 1)), body.length])].sort((a, b) => a - b);
  for (let index = 1; index < bounds.length; index++) {
    decoder.decode(body.subarray(bounds[index - 1], bounds[index]), (piece) => pieces.push(piece));
  }
  decoder.end();
  return { payload: Buffer.concat(pieces), decoder };
}

/** Chunks of which only the last is small. */
const chunkLists = fc
  .array(fc.uint8Array({ minLength: 1, maxLength: 200 }), { maxLength: 4 })
  .map((list) =>
    list.map((bytes, index) =>
      index === list.length - 1 ? Buffer.from(bytes) : Buffer.alloc(8192 + bytes.length, bytes),
    ),
  );
const cutLists = fc.array(fc.nat(), { maxLength: 12 });

describe('ChunkedBodyDecoder', () => {
  // Amazon S3 API reference, "Transferring Payload in Multiple Chunks": 66560 bytes of `a` in 64 KiB chunks.
  it('accepts the example of the S3 documentation', () => {
    const body = Buffer.concat([
      Buffer.from('10000;chunk-signature=ad80c730a21e5b8d04586a2213dd63b9a0e99e0e2307b0ade35a65485a288648\r\n'),
      Buffer.alloc(65536, 'a'),
      Buffer.from('\r\n400;chunk-signature=0055627c9e194cb4542bae2aa5492e3c1575bbb81b612b7d234b86a503ef5497\r\n'),
      Buffer.alloc(1024, 'a'),
      Buffer.from('\r\n0;chunk-signature=b6c6ea8a5354eaf15b3cb7646744f4275b71ea724fed81ceb9323e279d449df9\r\n\r\n'),
    ]);
    const { payload } = decode(body, { decodedLength: 66560, signed: true }, [3, 100, 65000, 65700]);
    expect(payload).toEqual(Buffer.alloc(66560, 'a'));
  });

  it('decodes any chunks however the network cuts them', () => {
    fc.assert(
      fc.property(chunkLists, cutLists, fc.boolean(), (chunks, cuts, signed) => {
        const expected = Buffer.concat(chunks);
        const { payload } = decode(encode(chunks, { signed }), { decodedLength: expected.length, signed }, cuts);
        expect(payload.equals(expected)).toBe(true);
      }),
    );
  });

  it('gives out trailers, signed or not', () => {
    fc.assert(
      fc.property(chunkLists, cutLists, fc.boolean(), (chunks, cuts, signed) => {
        const body = encode(chunks, { signed, trailer: 'x-amz-checksum-crc32c:sOO8/Q==' });
        const decodedLength = Buffer.concat(chunks).length;
        const { decoder } = decode(body, { decodedLength, signed, trailers: ['x-amz-checksum-crc32c'] }, cuts);
        expect(decoder.trailer('x-amz-checksum-crc32c')).toBe('sOO8/Q==');
      }),
    );
  });

  it('accepts a second empty line after trailers, wherever it is cut, and nothing more', () => {
    const body = Buffer.from('5\r\nhello\r\n0\r\nx-amz-checksum-crc32c:sOO8/Q==\n\r\n\r\n');
    const options = { decodedLength: 5, trailers: ['x-amz-checksum-crc32c'] };
    for (let cut = 0; cut <= body.length; cut++) {
      expect(decode(body, options, [cut]).payload.toString()).toBe('hello');
      expect(() => decode(Buffer.concat([body, Buffer.from('\r')]), options, [cut])).toThrow('terminated unexpectedly');
    }
  });

  it('hands on slices of its input', () => {
    const body = encode([Buffer.from('payload')]);
    const pieces: Buffer[] = [];
    new ChunkedBodyDecoder({ decodedLength: 7, trailers: [] }).decode(body, (piece) => pieces.push(piece));
    expect(pieces.map((piece) => piece.buffer === body.buffer)).toEqual([true]);
  });

  it('refuses any altered byte of a signed body', () => {
    const body = encode([Buffer.from('only chunk')], {
      signed: true,
      trailer: 'x-amz-checksum-crc32c:sOO8/Q==',
    });
    const options = { decodedLength: 10, signed: true, trailers: ['x-amz-checksum-crc32c'] };
    expect(() => decode(body, options)).not.toThrow();
    for (let index = 0; index < body.length; index++) {
      const altered = Buffer.from(body);
      altered[index] = (altered[index] as number) ^ 0x01;
      // The line of a trailer may end with blanks instead of a carriage return; nothing that is signed depends on it.
      if (body[index] !== 0x0d || index < body.indexOf('x-amz-checksum')) {
        expect(() => decode(altered, options)).toThrow();
      }
    }
  });

  const failure = (body: string, options: Partial<ChunkedBodyOptions> & { signed?: boolean } = {}): string => {
    try {
      decode(Buffer.from(body), { decodedLength: 5, ...options });
      return 'accepted';
    } catch (error) {
      return (error as { kind: string }).kind;
    }
  };

  it('names what is wrong with a body', () => {
    expect(failure('5\r\nhello\r\n0\r\n\r\n')).toBe('accepted');
    expect(failure('5\r\nhello\r\n0\r\n')).toBe('IncompleteBody');
    expect(failure('5\r\nhello\r\n0\r\n\r')).toBe('IncompleteBody');
    expect(failure('5\r\nhello\r\n0\r\n\rX')).toBe('IncompleteBody');
    expect(failure('5\r\nhello\r\n0\r\n\n')).toBe('IncompleteBody');
    expect(failure('5\nhello\r\n0\r\n\r\n')).toBe('IncompleteBody');
    expect(failure('5\r\nhello\n0\r\n\r\n')).toBe('IncompleteBody');
    expect(failure('5\r\nhello0\r\n\r\n')).toBe('IncompleteBody');
    expect(failure('J\r\nhello\r\n0\r\n\r\n')).toBe('IncompleteBody');
    expect(failure('5:x\r\nhello\r\n0\r\n\r\n')).toBe('IncompleteBody');
    expect(failure('5\r\nhello\r\n')).toBe('IncompleteBody');
    expect(failure('5\r\nhel')).toBe('IncompleteBody');
    expect(failure('')).toBe('IncompleteBody');
    expect(failure('4\r\nhell\r\n0\r\n\r\n')).toBe('IncompleteBody');
    expect(failure('6\r\nhello!\r\n0\r\n\r\n')).toBe('IncompleteBody');
    expect(failure('5\r\nhello!\r\n0\r\n\r\n')).toBe('IncompleteBody');
    expect(failure('-5\r\nhello\r\n0\r\n\r\n')).toBe('IncompleteBody');
    expect(failure('ffffffffffffffff\r\n')).toBe('IncompleteBody');
    expect(failure(`${'0'.repeat(2000)}5\r\nhello`)).toBe('IncompleteBody');
    expect(failure('5\r\nhello\r\n0\r\n\r\nmore')).toBe('IncompleteBody');
    expect(failure('5\r\nhello\r\n0\r\n\r\n\r\n')).toBe('IncompleteBody');
    expect(failure('5\r\nhello\r\n0\r\nx-amz-checksum-crc32:AAAAAA==\r\n\r\n')).toBe('MalformedTrailerError');
    expect(failure('5\r\nhello\r\n0\r\n\r\n', { trailers: ['x-amz-checksum-crc32'] })).toBe('MalformedTrailerError');
    const trailers = ['x-amz-checksum-crc32'];
    expect(failure('5\r\nhello\r\n0\r\nx-amz-checksum-crc32:AAAAAA==\r\n', { trailers })).toBe('IncompleteBody');
    expect(failure('5\r\nhello\r\n0\r\n:AAAAAA==\r\n\r\n', { trailers })).toBe('MalformedTrailerError');
    expect(failure('5\r\nhello\r\n0\r\n\r\n', { signed: true })).toBe('IncompleteBody');
    expect(failure('5;chunk-signature=00\r\nhello\r\n0\r\n\r\n', { signed: true })).toBe('IncompleteBody');
    expect(failure(`5:chunk-signature=${'0'.repeat(64)}\r\nhello\r\n`, { signed: true })).toBe('IncompleteBody');
    expect(failure(`5;chunk-signature=${'0'.repeat(64)}\r\nhello\r\n0\r\n\r\n`, { signed: true })).toBe(
      'SignatureDoesNotMatch',
    );
  });

  it('counts the bytes of a body that is longer or shorter than announced', () => {
    const counted = (body: string): unknown => {
      try {
        return decode(Buffer.from(body), { decodedLength: 5 });
      } catch (error) {
        const { kind, message, details } = error as { kind: string; message: string; details: object };
        return [kind, message, details];
      }
    };
    const text = 'You did not provide the number of bytes specified by the Content-Length HTTP header';
    expect(counted('4\r\nhell\r\n0\r\n\r\n')).toEqual([
      'IncompleteBody',
      text,
      { NumberBytesExpected: '5', NumberBytesProvided: '4' },
    ]);
    expect(counted('6\r\nhello!\r\n0\r\n\r\n')).toEqual([
      'IncompleteBody',
      text,
      { NumberBytesExpected: '5', NumberBytesProvided: '6' },
    ]);
  });

  it.each<[readonly number[], object | undefined]>([
    [[100], undefined],
    [[8192, 8192, 100], undefined],
    [[10_000, 9_500, 20], undefined],
    [[100, 8192], { Chunk: '2', BadChunkSize: '100' }],
    [[8192, 10, 100], { Chunk: '3', BadChunkSize: '10' }],
  ])('lets only the last of chunks be small: %j', (sizes, details) => {
    const chunks = sizes.map((size) => Buffer.alloc(size, 'a'));
    for (const signed of [false, true]) {
      const decoded = (): unknown =>
        decode(encode(chunks, { signed }), { signed, decodedLength: Buffer.concat(chunks).length });
      if (details === undefined) {
        expect(decoded).not.toThrow();
      } else {
        expect(decoded).toThrow(expect.objectContaining({ kind: 'InvalidChunkSizeError', details }));
      }
    }
  });
});
