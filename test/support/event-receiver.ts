import { once } from 'node:events';
import { createServer, type IncomingHttpHeaders, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';

export interface ReceivedEvent {
  readonly headers: IncomingHttpHeaders;
  readonly body: {
    readonly EventName?: string;
    readonly Key?: string;
    readonly Event?: string;
    readonly Bucket?: string;
    readonly Records?: readonly Record<string, never>[];
  };
}

/** A webhook that keeps what it is sent, and answers as it is told. */
export class EventReceiver {
  readonly received: ReceivedEvent[] = [];
  /** The status of the next answers. */
  status = 200;
  private server: Server | undefined;
  private port = 0;

  /** Listens, at the same port as before when it was stopped. */
  async start(): Promise<void> {
    this.server = createServer((request, response) => {
      void text(request).then((body) => {
        const { status } = this;
        this.received.push({ headers: request.headers, body: JSON.parse(body) as ReceivedEvent['body'] });
        response.writeHead(status).end();
      });
    });
    this.server.listen(this.port, '127.0.0.1');
    await once(this.server, 'listening');
    this.port = (this.server.address() as AddressInfo).port;
  }

  async stop(): Promise<void> {
    const { server } = this;
    if (server !== undefined) {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    }
    this.server = undefined;
  }

  get url(): string {
    return `http://127.0.0.1:${this.port}/events`;
  }

  /** Names and keys of the events received, in order. */
  get names(): string[] {
    return this.received.map(({ body }) => `${body.EventName ?? body.Event ?? ''} ${body.Key ?? ''}`.trim());
  }
}
