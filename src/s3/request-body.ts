import type { IncomingMessage } from 'node:http';
import { ChunkSignatureVerifier } from '../identity/sigv4/chunk-signer';
import type { VerifiedSignature } from '../identity/sigv4/signature-verifier';
import { createChecksum, loadChecksums } from '../crypto/checksums';
import type { BodyExpectation, ObjectBody } from '../object-storage/object-storage.types';
import { ChunkedBodyDecoder } from './chunked-body';
import { checksumHeader, contentMd5, sentChecksum } from './headers/checksum-headers';
import { headerOf } from './headers/header-values';
import { PayloadStream } from './payload-stream';
import { invalidArgument, S3Error } from './s3-error';

const MAX_OBJECT_BYTES = 5 * 1024 ** 3;
const UNSIGNED = 'UNSIGNED-PAYLOAD';
const SIGNED_CHUNKS = 'STREAMING-AWS4-HMAC-SHA256-PAYLOAD';
const SIGNED_CHUNKS_TRAILER = 'STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER';
const UNSIGNED_CHUNKS_TRAILER = 'STREAMING-UNSIGNED-PAYLOAD-TRAILER';
const PAYLOAD_LITERALS = [UNSIGNED, UNSIGNED_CHUNKS_TRAILER, SIGNED_CHUNKS, SIGNED_CHUNKS_TRAILER];
const HEX_SHA256 = /^[0-9a-f]{64}$/;

/** How the payload of a request is framed and proved. */
interface Framing {
  readonly chunked: boolean;
  readonly signedChunks: boolean;
  readonly trailers: readonly string[];
  readonly sha256?: string;
}

const PLAIN: Framing = { chunked: false, signedChunks: false, trailers: [] };

/** The body of one request, not touched before an operation asks for it. */
export class RequestBody {
  #stream: PayloadStream | undefined;
  #document: Promise<Buffer> | undefined;
  #awaitsContinue: boolean;

  /** @param sendContinue given when the client waits for `100 Continue`; called when the body is first wanted */
  constructor(
    private readonly source: IncomingMessage,
    private readonly sendContinue?: () => void,
  ) {
    this.#awaitsContinue = sendContinue !== undefined;
  }

  /** Set once the request is authenticated; anonymous requests have none. */
  signature: VerifiedSignature | undefined;

  /** Body bytes taken from the wire so far. */
  get bytesReceived(): number {
    return this.#stream?.bytesReceived ?? 0;
  }

  /** True while the client still waits for permission to send. */
  get awaitsContinue(): boolean {
    return this.#awaitsContinue;
  }

  /** Whether the request comes without a body, or with an empty one. */
  get isAbsent(): boolean {
    const { headers } = this.source;
    return (
      headers['transfer-encoding'] === undefined &&
      (headers['content-length'] === undefined || headers['content-length'] === '0')
    );
  }

  /**
   * Opens the body as the content of an object.
   *
   * @param untoldLength what counts as the length of a body that comes in HTTP chunks; without it such a body is refused
   * @throws S3Error MissingContentLength, EntityTooLarge, InvalidDigest, InvalidRequest, InvalidArgument
   */
  open(withChecksum = true, untoldLength?: number): ObjectBody {
    const { headers } = this.source;
    const framing = this.#framing();
    const length = this.#isUntold(framing) ? untoldLength : this.#length(framing.chunked);
    if (length === undefined) {
      throw new S3Error('MissingContentLength');
    }
    if (length > MAX_OBJECT_BYTES) {
      throw new S3Error('EntityTooLarge', undefined, {
        ProposedSize: String(length),
        MaxSizeAllowed: String(MAX_OBJECT_BYTES),
      });
    }
    const sent = withChecksum ? sentChecksum(headers, framing.trailers) : undefined;
    const decoder = framing.chunked
      ? new ChunkedBodyDecoder({
          decodedLength: length,
          trailers: framing.trailers,
          signatures:
            framing.signedChunks && this.signature !== undefined
              ? new ChunkSignatureVerifier(this.signature)
              : undefined,
        })
      : undefined;
    const trailer =
      sent !== undefined && sent.value === undefined
        ? (): string | undefined => decoder?.trailer(checksumHeader(sent.algorithm))
        : undefined;
    const expectation: BodyExpectation = {
      length,
      md5: contentMd5(headers),
      sha256: framing.sha256,
      checksum: sent === undefined ? undefined : { algorithm: sent.algorithm, value: sent.value, trailer },
    };
    this.#stream = new PayloadStream(this.source, decoder);
    if (this.#awaitsContinue) {
      this.#awaitsContinue = false;
      this.sendContinue?.();
    }
    return { stream: this.#stream, expectation };
  }

  /**
   * Reads a small document wholly and proves it against whatever digests came with it. Asked again, it gives the same.
   *
   * @param limit largest size in bytes
   * @param checksumIsOfDocument false where x-amz-checksum-* headers speak of something else than this document
   * @throws S3Error MaxMessageLengthExceeded, IncompleteBody, BadDigest, XAmzContentSHA256Mismatch
   */
  read(limit: number, checksumIsOfDocument = true): Promise<Buffer> {
    this.#document ??= this.#readDocument(limit, checksumIsOfDocument);
    return this.#document;
  }

  /** The same as {@link read}, for requests that may come without a body. */
  readOptional(limit: number): Promise<Buffer> {
    return this.isAbsent ? Promise.resolve(Buffer.alloc(0)) : this.read(limit);
  }

  async #readDocument(limit: number, checksumIsOfDocument: boolean): Promise<Buffer> {
    const { stream, expectation } = this.open(checksumIsOfDocument, limit);
    if (expectation.length > limit) {
      stream.destroy();
      throw documentTooLong(limit);
    }
    const chunks: Buffer[] = [];
    let length = 0;
    for await (const chunk of stream) {
      chunks.push(chunk as Buffer);
      length += (chunk as Buffer).length;
      if (length > limit) {
        throw documentTooLong(limit);
      }
    }
    const body = Buffer.concat(chunks);
    await verifyDocument(body, this.#isUntold(this.#framing()) ? { ...expectation, length } : expectation);
    return body;
  }

  /** Whether the body comes in HTTP chunks, so that nobody knows its length before its end. */
  #isUntold({ chunked }: Framing): boolean {
    const { headers } = this.source;
    return !chunked && headers['content-length'] === undefined && headers['transfer-encoding'] !== undefined;
  }

  #length(chunked: boolean): number {
    const name = chunked ? 'x-amz-decoded-content-length' : 'content-length';
    const value = headerOf(this.source.headers, name);
    if (value === undefined) {
      throw new S3Error('MissingContentLength');
    }
    if (!/^\d{1,15}$/.test(value)) {
      if (chunked) {
        throw new S3Error('MissingContentLength');
      }
      throw invalidArgument(`The ${name} header is not a length.`, name, value);
    }
    return Number(value);
  }

  #framing(): Framing {
    const { signature } = this;
    const stated = signature?.payloadHash ?? headerOf(this.source.headers, 'x-amz-content-sha256');
    switch (stated) {
      case undefined:
      case UNSIGNED:
        return PLAIN;
      case SIGNED_CHUNKS:
      case SIGNED_CHUNKS_TRAILER:
        if (signature === undefined) {
          throw new S3Error(
            'InvalidRequest',
            `Anonymous requests don't support this x-amz-content-sha256 value. Please use ${UNSIGNED} or ${UNSIGNED_CHUNKS_TRAILER}.`,
          );
        }
        return {
          chunked: true,
          signedChunks: true,
          trailers: stated === SIGNED_CHUNKS_TRAILER ? this.#announcedTrailers() : [],
        };
      case UNSIGNED_CHUNKS_TRAILER:
        return { chunked: true, signedChunks: false, trailers: this.#announcedTrailers() };
      default:
        assertPayloadHash(stated);
        return { ...PLAIN, sha256: stated };
    }
  }

  #announcedTrailers(): readonly string[] {
    const names = (headerOf(this.source.headers, 'x-amz-trailer') ?? '').split(',');
    return names.map((name) => name.trim().toLowerCase()).filter((name) => name !== '');
  }
}

/** Refuses an x-amz-content-sha256 that is neither a hash nor one of the literals. @throws S3Error InvalidArgument */
export function assertPayloadHash(stated: string): void {
  if (!PAYLOAD_LITERALS.includes(stated) && !HEX_SHA256.test(stated)) {
    throw invalidArgument(
      `x-amz-content-sha256 must be ${PAYLOAD_LITERALS.join(', ')} or a valid sha256 value.`,
      'x-amz-content-sha256',
      stated,
    );
  }
}

function documentTooLong(limit: number): S3Error {
  return new S3Error('MaxMessageLengthExceeded', undefined, { MaxMessageLengthBytes: String(limit) });
}

async function verifyDocument(body: Buffer, expectation: BodyExpectation): Promise<void> {
  if (body.length !== expectation.length) {
    throw new S3Error('IncompleteBody');
  }
  if (expectation.md5 !== undefined && !digestOf('MD5', body).equals(expectation.md5)) {
    throw new S3Error('BadDigest', 'The Content-MD5 you specified did not match what we received.');
  }
  if (expectation.sha256 !== undefined && digestOf('SHA256', body).toString('hex') !== expectation.sha256) {
    throw new S3Error('XAmzContentSHA256Mismatch', undefined, {
      ClientComputedContentSHA256: expectation.sha256,
      S3ComputedContentSHA256: digestOf('SHA256', body).toString('hex'),
    });
  }
  const { checksum } = expectation;
  if (checksum !== undefined) {
    await loadChecksums();
    const expected = checksum.value ?? checksum.trailer?.();
    if (digestOf(checksum.algorithm, body).toString('base64') !== expected) {
      throw new S3Error('BadDigest', `The ${checksum.algorithm} you specified did not match the calculated checksum.`);
    }
  }
}

function digestOf(algorithm: Parameters<typeof createChecksum>[0], body: Buffer): Buffer {
  const checksum = createChecksum(algorithm);
  checksum.update(body);
  return checksum.digest();
}
