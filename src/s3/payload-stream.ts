import { Readable } from 'node:stream';
import type { IncomingMessage } from 'node:http';
import type { ChunkedBodyDecoder } from './chunked-body';
import { S3Error } from './s3-error';

/** The time in which at least this many bytes must arrive, or the body's end, while bytes are wanted. */
const PACE_MILLIS = 90_000;
const LEAST_BYTES = 4096;

/**
 * The payload of a request as a stream of its own. Destroying it stops reading but leaves the connection alive, so that
 * an error can still be answered; a client that goes away, or sends so slowly that it only holds the connection, makes it
 * fail.
 */
export class PayloadStream extends Readable {
  #started = false;
  #ended = false;
  #pace: NodeJS.Timeout | undefined;
  #receivedBefore = 0;
  /** Bytes that came over the wire. */
  bytesReceived = 0;

  constructor(
    private readonly source: IncomingMessage,
    private readonly decoder?: ChunkedBodyDecoder,
  ) {
    super({ highWaterMark: 256 * 1024 });
  }

  override _read(): void {
    if (this.#started) {
      this.source.resume();
      return;
    }
    this.#started = true;
    if (this.source.destroyed && !this.source.readableEnded) {
      this.destroy(clientGone());
      return;
    }
    this.#pace = setInterval(this.#checkPace, PACE_MILLIS).unref();
    this.source.on('data', this.#onData);
    this.source.on('end', this.#onEnd);
    this.source.on('close', this.#onClose);
    this.source.on('error', this.#onClose);
  }

  override _destroy(error: Error | null, callback: (error?: Error | null) => void): void {
    clearInterval(this.#pace);
    this.source.off('data', this.#onData);
    this.source.off('end', this.#onEnd);
    this.source.off('close', this.#onClose);
    if (!this.#ended) {
      this.source.pause();
    }
    callback(error);
  }

  readonly #emit = (payload: Buffer): void => {
    if (!this.push(payload)) {
      this.source.pause();
    }
  };

  readonly #checkPace = (): void => {
    const received = this.bytesReceived - this.#receivedBefore;
    this.#receivedBefore = this.bytesReceived;
    if (received < LEAST_BYTES && !this.source.isPaused()) {
      this.destroy(new S3Error('RequestTimeout'));
    }
  };

  readonly #onData = (chunk: Buffer): void => {
    this.bytesReceived += chunk.length;
    if (this.decoder === undefined) {
      this.#emit(chunk);
      return;
    }
    try {
      this.decoder.decode(chunk, this.#emit);
    } catch (error) {
      this.destroy(error as Error);
    }
  };

  readonly #onEnd = (): void => {
    this.#ended = true;
    clearInterval(this.#pace);
    try {
      this.decoder?.end();
      this.push(null);
    } catch (error) {
      this.destroy(error as Error);
    }
  };

  readonly #onClose = (): void => {
    if (!this.#ended) {
      this.destroy(clientGone());
    }
  };
}

function clientGone(): S3Error {
  return new S3Error('RequestTimeout', 'The connection was closed before the whole request body had arrived.');
}
