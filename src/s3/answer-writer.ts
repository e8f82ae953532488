import type { IncomingMessage, ServerResponse } from 'node:http';
import { pipeline, type Readable } from 'node:stream';
import type { RequestBody } from './request-body';
import type { S3Answer } from './s3-call';

const MAX_DRAINED_BYTES = 16 * 1024 * 1024;
const MAX_DRAIN_MILLIS = 10_000;

/**
 * Sends an answer. A stream that fails or ends early destroys the connection, so that a client can never take a cut-off
 * object for a whole one; a client that leaves destroys the stream.
 *
 * @param head true for HEAD, whose answer states a length but has no body
 * @returns bytes of the body to be sent, as far as they are known
 */
export function writeAnswer(response: ServerResponse, answer: S3Answer, head: boolean): void {
  const { body, headers } = answer;
  for (const name in headers) {
    const value = headers[name];
    if (value !== undefined) {
      response.setHeader(name, value);
    }
  }
  const bytes = typeof body === 'string' ? Buffer.from(body, 'utf8') : body;
  const length = answer.length ?? (Buffer.isBuffer(bytes) ? bytes.length : undefined);
  if (length !== undefined) {
    response.setHeader('Content-Length', length);
  } else if (bytes === undefined && answer.status !== 204 && answer.status !== 304 && !head) {
    response.setHeader('Content-Length', 0);
  }
  response.writeHead(answer.status);
  if (bytes === undefined || head) {
    if (bytes !== undefined && !Buffer.isBuffer(bytes)) {
      bytes.destroy();
    }
    response.end();
  } else if (Buffer.isBuffer(bytes)) {
    response.end(bytes);
  } else {
    stream(response, bytes, length);
  }
}

function stream(response: ServerResponse, body: Readable, length: number | undefined): void {
  let sent = 0;
  let corked = false;
  body.on('data', (chunk: Buffer) => {
    sent += chunk.length;
    if (!corked) {
      // One read of the disk gives many decrypted pieces: together they cost one system call.
      corked = true;
      response.cork();
      process.nextTick(() => {
        corked = false;
        response.uncork();
      });
    }
  });
  pipeline(body, response, (error) => {
    if (error != null || (length !== undefined && sent !== length)) {
      response.destroy();
    }
  });
}

/**
 * Sends a refusal while the request's body may still be on its way. The whole answer goes out first; then a bounded rest
 * of the body is read off, because closing a socket with unread data would take the answer from the client.
 */
export function writeRefusal(
  request: IncomingMessage,
  response: ServerResponse,
  answer: S3Answer,
  body: RequestBody | undefined,
): void {
  const head = request.method === 'HEAD';
  if (request.complete || head || (body === undefined && !hasBody(request))) {
    writeAnswer(response, answer, head);
    return;
  }
  response.setHeader('Connection', 'close');
  if (body?.awaitsContinue === true) {
    writeAnswer(response, answer, head);
    return;
  }
  for (const name in answer.headers) {
    const value = answer.headers[name];
    if (value !== undefined) {
      response.setHeader(name, value);
    }
  }
  const bytes = Buffer.from(typeof answer.body === 'string' ? answer.body : '', 'utf8');
  response.setHeader('Content-Length', bytes.length);
  response.writeHead(answer.status);
  if (bytes.length === 0) {
    response.flushHeaders();
  } else {
    response.write(bytes);
  }
  drain(request, () => response.end());
}

function drain(request: IncomingMessage, done: () => void): void {
  let budget = MAX_DRAINED_BYTES;
  const timer = setTimeout(finish, MAX_DRAIN_MILLIS);
  function finish(): void {
    clearTimeout(timer);
    request.off('data', count);
    request.off('end', finish);
    request.off('close', finish);
    request.pause();
    done();
  }
  function count(chunk: Buffer): void {
    budget -= chunk.length;
    if (budget < 0) {
      finish();
    }
  }
  request.on('data', count);
  request.on('end', finish);
  request.on('close', finish);
  request.resume();
}

function hasBody(request: IncomingMessage): boolean {
  const length = request.headers['content-length'];
  return request.headers['transfer-encoding'] !== undefined || (length !== undefined && length !== '0');
}
