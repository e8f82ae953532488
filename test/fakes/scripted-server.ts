import {
  createServer,
  type IncomingHttpHeaders,
  type IncomingMessage,
  type Server,
  type ServerResponse,
} from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { drip } from './drip';

/** Where a scripted service listens. */
export interface ScriptedServerOptions {
  /** 0, the default, lets the operating system choose. */
  readonly port?: number;
  /** Serves https. */
  readonly tls?: { readonly cert: string; readonly key: string };
}

/** One request as it arrived, before any fault. */
export interface ScriptedRequest {
  readonly method: string;
  readonly path: string;
  readonly query: string;
  readonly headers: IncomingHttpHeaders;
  readonly body: Buffer;
}

export interface ScriptedAnswer {
  readonly status: number;
  readonly body?: unknown;
  readonly headers?: Readonly<Record<string, string>>;
}

/** What goes wrong with a request. */
export type ScriptedFault =
  | { readonly type: 'answer'; readonly status: number; readonly text: string }
  /** Never answers. */
  | { readonly type: 'hang' }
  /** Answers a byte at a time, without end. */
  | { readonly type: 'drip' }
  | { readonly type: 'reset' }
  /** Does what was asked and breaks the connection instead of answering. */
  | { readonly type: 'lose-answer' };

interface Injected {
  readonly fault: ScriptedFault;
  readonly where: (request: ScriptedRequest) => boolean;
  left: number;
}

/** An HTTP service that records what it is asked, and can be made to fail. */
export class ScriptedServer {
  url = '';
  readonly requests: ScriptedRequest[] = [];
  private readonly server: Server;
  private injected: Injected[] = [];
  private clockError = 0;

  constructor(
    private readonly options: ScriptedServerOptions,
    private readonly answer: (request: ScriptedRequest) => ScriptedAnswer | Promise<ScriptedAnswer>,
  ) {
    const listener = (request: IncomingMessage, response: ServerResponse): void => void this.handle(request, response);
    this.server = options.tls ? createTlsServer({ ...options.tls }, listener) : createServer(listener);
  }

  async listen(): Promise<void> {
    await new Promise<void>((resolve, reject) => {
      this.server.once('error', reject);
      this.server.listen(this.options.port ?? 0, '127.0.0.1', resolve);
    });
    const { port } = this.server.address() as AddressInfo;
    this.url = `${this.options.tls ? 'https' : 'http'}://127.0.0.1:${port}`;
  }

  async close(): Promise<void> {
    this.server.closeAllConnections();
    await new Promise<void>((resolve) => this.server.close(() => resolve()));
  }

  /** @param times without end unless given */
  inject(fault: ScriptedFault, where: (request: ScriptedRequest) => boolean = () => true, times = Infinity): void {
    this.injected.push({ fault, where, left: times });
  }

  clearFaults(): void {
    this.injected = [];
  }

  /** Milliseconds by which the `Date` header is wrong. */
  setClockError(milliseconds: number): void {
    this.clockError = milliseconds;
  }

  private async handle(message: IncomingMessage, response: ServerResponse): Promise<void> {
    const chunks: Buffer[] = [];
    for await (const chunk of message) {
      chunks.push(chunk as Buffer);
    }
    const [path = '', query = ''] = (message.url ?? '').split(/\?(.*)/s);
    const { method = '', headers } = message;
    const request = { method, path, query, headers, body: Buffer.concat(chunks) };
    this.requests.push(request);
    const fault = this.nextFault(request);
    if (fault?.type === 'hang') {
      return;
    }
    if (fault?.type === 'drip') {
      drip(response);
      return;
    }
    if (fault?.type === 'reset') {
      message.socket.destroy();
      return;
    }
    const date = new Date(Date.now() + this.clockError).toUTCString();
    if (fault?.type === 'answer') {
      response.writeHead(fault.status, { date, 'content-type': 'application/json' }).end(fault.text);
      return;
    }
    const answer = await this.answer(request);
    if (fault?.type === 'lose-answer') {
      message.socket.destroy();
      return;
    }
    const type = { 'content-type': 'application/json; charset=utf-8' };
    response
      .writeHead(answer.status, { date, ...type, ...answer.headers })
      .end(answer.body === undefined ? undefined : JSON.stringify(answer.body));
  }

  private nextFault(request: ScriptedRequest): ScriptedFault | undefined {
    const injected = this.injected.find(({ left, where }) => left > 0 && where(request));
    if (injected) {
      injected.left--;
    }
    return injected?.fault;
  }
}
