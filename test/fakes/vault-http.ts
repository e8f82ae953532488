import { randomUUID } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import type { TLSSocket } from 'node:tls';
import { VaultFault } from './vault-transit';

export const UNSUPPORTED = ['1 error occurred:\n\t* unsupported operation\n\n'];
const MAX_BODY = 32 * 1024 * 1024;

/** One request as it arrived, before any fault. */
export interface RecordedRequest {
  readonly method: string;
  /** Without `/v1/`. */
  readonly path: string;
  readonly query: URLSearchParams;
  readonly token: string | undefined;
  readonly namespace: string | undefined;
  readonly headers: IncomingMessage['headers'];
  /** Of the client's certificate, when there is one. */
  readonly commonName: string | undefined;
  readonly body: Readonly<Record<string, unknown>>;
}

export interface Answer {
  readonly status: number;
  readonly body?: unknown;
}

export function success(data: unknown): Answer {
  const envelope = {
    request_id: randomUUID(),
    lease_id: '',
    renewable: false,
    lease_duration: 0,
    wrap_info: null,
    warnings: null,
    auth: null,
  };
  return { status: 200, body: { ...envelope, data } };
}

export function allow(request: RecordedRequest, ...methods: readonly string[]): void {
  if (!methods.includes(request.method)) {
    throw new VaultFault(405, UNSUPPORTED);
  }
}

export function headerOf(request: IncomingMessage, name: string): string | undefined {
  const value = request.headers[name];
  return Array.isArray(value) ? value[0] : value;
}

export async function readJson(request: IncomingMessage): Promise<Record<string, unknown>> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    size += chunk.length;
    if (size > MAX_BODY) {
      throw new VaultFault(413, ['http: request body too large']);
    }
    chunks.push(chunk);
  }
  const text = Buffer.concat(chunks).toString('utf8');
  if (text === '') {
    return {};
  }
  try {
    const value: unknown = JSON.parse(text);
    if (typeof value === 'object' && value !== null && !Array.isArray(value)) {
      return value as Record<string, unknown>;
    }
  } catch {
    // Answered below, like any other body that is no object.
  }
  throw new VaultFault(400, ['failed to parse JSON input: invalid request body']);
}

export function commonNameOf(request: IncomingMessage): string | undefined {
  const socket = request.socket as Partial<TLSSocket>;
  const name = socket.authorized === true ? socket.getPeerCertificate?.().subject?.CN : undefined;
  return typeof name === 'string' ? name : undefined;
}
