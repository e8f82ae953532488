import type { ChunkSignatureVerifier } from '../identity/sigv4/chunk-signer';
import { S3Error } from './s3-error';

const MAX_HEADER_BYTES = 1024;
const MAX_TRAILER_BYTES = 8192;
const LINE_FEED = 0x0a;
const CARRIAGE_RETURN = 0x0d;
const HEX_SIZE = /^[0-9a-f]{1,16}$/i;
const HEX_SIGNATURE = /^[0-9a-f]{64}$/;
/** No chunk but the last may be smaller. */
const LEAST_CHUNK_BYTES = 8192;
const CHUNK_SIGNATURE = ';chunk-signature=';
const SECOND_EMPTY_LINE = '\r\n';
const TRAILER_SIGNATURE = 'x-amz-trailer-signature';

type State = 'header' | 'data' | 'data-end' | 'trailer' | 'done';

/** What the request's headers say of an aws-chunked body. */
export interface ChunkedBodyOptions {
  /** x-amz-decoded-content-length */
  readonly decodedLength: number;
  /** Present for signed chunks. */
  readonly signatures?: ChunkSignatureVerifier;
  /** Lower-case names announced by x-amz-trailer. */
  readonly trailers: readonly string[];
}

/**
 * Decodes an aws-chunked body as it arrives. Payload is handed on as slices of the input, never copied or held back; a
 * chunk whose signature fails makes the whole body fail before its end, so nothing of it is ever committed.
 */
export class ChunkedBodyDecoder {
  #state: State = 'header';
  #line = '';
  /** Bytes of the current chunk still to come. */
  #pending = 0;
  #chunks = 0;
  #chunkSize = LEAST_CHUNK_BYTES;
  #chunkSignature = '';
  #decoded = 0;
  #trailerText = '';
  #trailerSignature: string | undefined;
  readonly #trailers = new Map<string, string>();

  constructor(private readonly options: ChunkedBodyOptions) {}

  /** Value of a trailer once the body has ended. @param name lower case */
  trailer(name: string): string | undefined {
    return this.#trailers.get(name);
  }

  /**
   * Takes the next bytes and emits the payload among them.
   * @throws S3Error SignatureDoesNotMatch, IncompleteBody, InvalidChunkSizeError, MalformedTrailerError
   */
  decode(input: Buffer, emit: (payload: Buffer) => void): void {
    let offset = 0;
    while (offset < input.length) {
      switch (this.#state) {
        case 'data': {
          const end = Math.min(input.length, offset + this.#pending);
          const payload = offset === 0 && end === input.length ? input : input.subarray(offset, end);
          this.options.signatures?.update(payload);
          this.#pending -= payload.length;
          emit(payload);
          offset = end;
          if (this.#pending === 0) {
            this.#state = 'data-end';
          }
          break;
        }
        case 'header':
        case 'data-end':
        case 'trailer':
          offset = this.#takeLine(input, offset);
          break;
        case 'done':
          offset = this.#takeEpilogue(input, offset);
          break;
      }
    }
  }

  /** Ends the body. @throws S3Error IncompleteBody when it stops short */
  end(): void {
    if (this.#state !== 'done') {
      throw malformed();
    }
  }

  #takeLine(input: Buffer, offset: number): number {
    const feed = input.indexOf(LINE_FEED, offset);
    const end = feed < 0 ? input.length : feed;
    const limit = this.#state === 'trailer' ? MAX_TRAILER_BYTES : MAX_HEADER_BYTES;
    if (this.#line.length + (end - offset) > limit) {
      throw malformed();
    }
    this.#line += input.toString('latin1', offset, end);
    if (feed < 0) {
      return end;
    }
    const returned = this.#line.charCodeAt(this.#line.length - 1) === CARRIAGE_RETURN;
    const line = returned ? this.#line.slice(0, -1) : this.#line;
    this.#line = '';
    // minio-go ends the lines of trailers without a carriage return.
    if (!returned && (this.#state !== 'trailer' || line === '')) {
      throw malformed();
    }
    if (this.#state === 'header') {
      this.#beginChunk(line);
    } else if (this.#state === 'data-end') {
      this.#endChunk(line);
    } else {
      this.#takeTrailer(line);
    }
    return feed + 1;
  }

  #beginChunk(line: string): void {
    const semicolon = line.indexOf(';');
    const size = semicolon < 0 ? line : line.slice(0, semicolon);
    if (!HEX_SIZE.test(size)) {
      throw malformed();
    }
    if (this.options.signatures !== undefined) {
      if (!line.startsWith(CHUNK_SIGNATURE, semicolon < 0 ? line.length : semicolon)) {
        throw malformed();
      }
      this.#chunkSignature = line.slice(semicolon + CHUNK_SIGNATURE.length);
      if (!HEX_SIGNATURE.test(this.#chunkSignature)) {
        throw malformed();
      }
    }
    this.#pending = Number.parseInt(size, 16);
    if (this.#pending > 0) {
      this.#beginData();
      return;
    }
    this.#verifyChunk();
    if (this.#decoded < this.options.decodedLength) {
      throw this.#wrongLength();
    }
    this.#state = 'trailer';
  }

  #beginData(): void {
    this.#chunks++;
    if (this.#chunkSize < LEAST_CHUNK_BYTES) {
      throw new S3Error('InvalidChunkSizeError', undefined, {
        Chunk: String(this.#chunks),
        BadChunkSize: String(this.#chunkSize),
      });
    }
    this.#chunkSize = this.#pending;
    this.#decoded += this.#pending;
    if (this.#decoded > this.options.decodedLength) {
      throw this.#wrongLength();
    }
    this.#state = 'data';
  }

  #wrongLength(): S3Error {
    return new S3Error('IncompleteBody', undefined, {
      NumberBytesExpected: String(this.options.decodedLength),
      NumberBytesProvided: String(this.#decoded),
    });
  }

  #endChunk(line: string): void {
    if (line !== '') {
      throw malformed();
    }
    this.#verifyChunk();
    this.#state = 'header';
  }

  #verifyChunk(): void {
    if (this.options.signatures !== undefined && !this.options.signatures.endChunk(this.#chunkSignature)) {
      throw new S3Error('SignatureDoesNotMatch', undefined, { ChunkSignature: this.#chunkSignature });
    }
  }

  #takeTrailer(line: string): void {
    if (line === '') {
      // Some signers put an empty line between the trailers and their signature.
      const awaitsSignature =
        this.options.signatures !== undefined && this.#trailers.size > 0 && this.#trailerSignature === undefined;
      if (!awaitsSignature) {
        this.#finish();
      }
      return;
    }
    const colon = line.indexOf(':');
    const name = trimBlanks(line.slice(0, Math.max(colon, 0))).toLowerCase();
    const value = trimBlanks(line.slice(colon + 1));
    if (name === TRAILER_SIGNATURE && this.options.signatures !== undefined) {
      this.#trailerSignature = value;
      return;
    }
    if (name === '' || !this.options.trailers.includes(name) || this.#trailers.has(name)) {
      throw new S3Error('MalformedTrailerError');
    }
    this.#trailerText += `${name}:${value}\n`;
    if (this.#trailerText.length > MAX_TRAILER_BYTES) {
      throw new S3Error('MalformedTrailerError');
    }
    this.#trailers.set(name, value);
  }

  /** minio-go ends its trailers with two empty lines. */
  #takeEpilogue(input: Buffer, offset: number): number {
    this.#line += input.toString('latin1', offset, offset + SECOND_EMPTY_LINE.length + 1);
    if (this.#trailers.size === 0 || !SECOND_EMPTY_LINE.startsWith(this.#line)) {
      throw malformed();
    }
    return input.length;
  }

  #finish(): void {
    if (this.options.trailers.some((name) => !this.#trailers.has(name))) {
      throw new S3Error('MalformedTrailerError');
    }
    if (this.options.signatures !== undefined && this.#trailers.size > 0) {
      const signature = this.#trailerSignature ?? '';
      if (!this.options.signatures.endTrailer(this.#trailerText, signature)) {
        throw new S3Error('SignatureDoesNotMatch', undefined, { TrailerSignature: signature });
      }
    }
    this.#state = 'done';
  }
}

/** What AWS answers to framing of which it cannot make sense. */
function malformed(): S3Error {
  return new S3Error('IncompleteBody', 'The request body terminated unexpectedly');
}

function trimBlanks(text: string): string {
  return text.replace(/^[ \t]+|[ \t]+$/g, '');
}
