import type { IncomingMessage, RequestListener, Server, ServerOptions, ServerResponse } from 'node:http';
import { createServer as createHttpServer } from 'node:http';
import { createServer as createHttpsServer } from 'node:https';
import type { Duplex } from 'node:stream';
import type { Settings } from '../settings/settings';
import { keepCertificateFresh, readCertificate } from './tls-certificate';

/** First path segments that belong to the administration side; no bucket may bear one of these names. */
const ADMIN_SEGMENTS = new Set(['minio', 'rustfs', 'api', 'docs', 'console', 'health', 'metrics']);

const KEEP_ALIVE_MS = 75_000;
const LARGEST_HEADER_BYTES = 32 * 1024;
const SOCKET_BUFFER_BYTES = 256 * 1024;

/** How long a client may take, in milliseconds. The S3 handler watches the pace of its bodies by itself. */
export interface TimeLimits {
  /** For a socket on which nothing moves. */
  readonly idle: number;
  /** For all headers of a request. */
  readonly headers: number;
  /** For the whole body of a request that is not for the S3 handler. */
  readonly document: number;
}

const TIME_LIMITS: TimeLimits = { idle: 120_000, headers: 60_000, document: 60_000 };

/** A face that is served without Express, as the front door needs it. */
export interface Gateway {
  /** @param expectsContinue the client waits for `100 Continue` before it sends the body */
  handle(request: IncomingMessage, response: ServerResponse, expectsContinue: boolean): void;
}

/** The faces beside administration. */
export interface Gateways {
  readonly objects: Gateway;
  readonly tokens: Gateway;
}

/**
 * Makes the one listening server: administration paths go to Nest on Express, AWS's query protocol on the root path to the
 * STS handler, and everything else to the S3 handler, which Express never touches because it costs several times more than
 * a small request itself.
 */
export function createFrontDoor(
  settings: Pick<Settings, 'tls'>,
  administration: RequestListener,
  gateways: Gateways,
  limits: TimeLimits = TIME_LIMITS,
): Server {
  const options: ServerOptions = {
    // A long upload is no slow attack: idle sockets are ended instead of long requests.
    requestTimeout: 0,
    headersTimeout: limits.headers,
    connectionsCheckingInterval: limits.headers / 2,
    keepAliveTimeout: KEEP_ALIVE_MS,
    maxHeaderSize: LARGEST_HEADER_BYTES,
    highWaterMark: SOCKET_BUFFER_BYTES,
  };
  const server =
    settings.tls === undefined
      ? createHttpServer(options)
      : createHttpsServer({ ...options, ...readCertificate(settings.tls) });
  if (settings.tls !== undefined) {
    keepCertificateFresh(server, settings.tls);
  }
  server.setTimeout(limits.idle);
  const lastResponses = new WeakMap<Duplex, ServerResponse>();
  const serve = (request: IncomingMessage, response: ServerResponse, expectsContinue: boolean): void => {
    lastResponses.set(request.socket, response);
    if (isAdministration(request.url ?? '/')) {
      if (expectsContinue) {
        response.writeContinue();
      }
      limitBody(request, limits.document);
      administration(request, response);
      return;
    }
    const gateway = isQueryProtocol(request) ? gateways.tokens : gateways.objects;
    if (gateway === gateways.tokens) {
      limitBody(request, limits.document);
    }
    gateway.handle(request, response, expectsContinue);
  };
  const serveAtOnce = (request: IncomingMessage, response: ServerResponse): void => serve(request, response, false);
  server.on('request', serveAtOnce);
  // An expectation that nobody knows is as none, as for S3.
  server.on('checkExpectation', serveAtOnce);
  server.on('checkContinue', (request: IncomingMessage, response: ServerResponse) => serve(request, response, true));
  server.on('clientError', (error: NodeJS.ErrnoException, socket: Duplex) => {
    const response = lastResponses.get(socket);
    if (response?.req.complete === true && !response.writableFinished) {
      endAfter(response, socket);
    } else {
      refuseUnreadable(error, socket);
    }
  });
  return server;
}

/** Whether a raw request target lies under a reserved first segment. */
export function isAdministration(url: string): boolean {
  const path = url.startsWith('http') ? url.replace(/^https?:\/\/[^/]*/, '') : url;
  const end = path.slice(1).search(/[/?]/);
  return ADMIN_SEGMENTS.has(end === -1 ? path.slice(1) : path.slice(1, end + 1));
}

/**
 * Whether a request speaks AWS's query protocol: a form posted to the root path, or its parameters in a query. S3 posts
 * no such forms and knows no such parameters.
 */
export function isQueryProtocol({ method, url = '/', headers }: IncomingMessage): boolean {
  if (url !== '/' && !url.startsWith('/?')) {
    return false;
  }
  return method === 'POST'
    ? /^application\/x-www-form-urlencoded\b/i.test(headers['content-type'] ?? '')
    : method === 'GET' && /[?&]Action=[A-Za-z]/.test(url) && /[?&]Version=\d{4}-\d{2}-\d{2}(&|$)/.test(url);
}

interface Refusal {
  readonly status: string;
  readonly code: string;
  readonly message: string;
}

const UNREADABLE: Refusal = {
  status: '400 Bad Request',
  code: 'BadRequest',
  message: 'The request is not readable as HTTP.',
};

const REFUSALS: Readonly<Record<string, Refusal>> = {
  HPE_HEADER_OVERFLOW: {
    status: '431 Request Header Fields Too Large',
    code: 'RequestHeaderSectionTooLarge',
    message: 'Your request header section exceeds the maximum allowed size.',
  },
  ERR_HTTP_REQUEST_TIMEOUT: {
    status: '408 Request Timeout',
    code: 'RequestTimeout',
    message: 'Your request did not arrive within the timeout period.',
  },
};

/** Cuts a client off whose body has not arrived in time; what it gets is the end of its connection. */
function limitBody(request: IncomingMessage, millis: number): void {
  const timer = setTimeout(() => request.socket.destroy(), millis).unref();
  const stop = (): void => clearTimeout(timer);
  request.once('end', stop).once('close', stop);
}

/** What follows a whole request, as when its stated length was too small, does not take that request its answer. */
function endAfter(response: ServerResponse, socket: Duplex): void {
  response.shouldKeepAlive = false;
  response.once('finish', () => socket.end());
}

function refuseUnreadable(error: NodeJS.ErrnoException, socket: Duplex): void {
  if (error.code === 'ECONNRESET' || !socket.writable) {
    socket.destroy();
    return;
  }
  const { status, code, message } = REFUSALS[error.code ?? ''] ?? UNREADABLE;
  const body = `<?xml version="1.0" encoding="UTF-8"?>\n<Error><Code>${code}</Code><Message>${message}</Message></Error>`;
  socket.end(
    `HTTP/1.1 ${status}\r\nContent-Type: application/xml\r\nContent-Length: ${Buffer.byteLength(body)}\r\nConnection: close\r\n\r\n${body}`,
  );
}
