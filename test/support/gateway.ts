import { once } from 'node:events';
import { connect, createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import { createServer as createTlsServer } from 'node:tls';

/** A certificate and its private key, PEM. */
export interface GatewayCertificate {
  readonly cert: string;
  readonly key: string;
}

/** Stands between a client and a service at an address of its own, and can be taken away and brought back. */
export class Gateway {
  url = '';
  private server: Server | undefined;
  private port = 0;
  private silent = false;
  private readonly sockets = new Set<Socket>();

  private constructor(
    private readonly service: URL,
    private certificate: GatewayCertificate | undefined,
  ) {}

  /**
   * @param serviceUrl of a TCP service, or a `postgres://` URL with the directory of a unix socket
   * @param certificate ends TLS here, before a service that speaks plain HTTP; bytes are passed as they are without it
   */
  static async open(serviceUrl: string, certificate?: GatewayCertificate): Promise<Gateway> {
    const gateway = new Gateway(new URL(serviceUrl), certificate);
    await gateway.bringUp();
    const scheme = certificate === undefined ? gateway.service.protocol : 'https:';
    gateway.url = `${scheme}//127.0.0.1:${gateway.port}`;
    return gateway;
  }

  /** Connections through it that are open now. */
  get connections(): number {
    return this.sockets.size / 2;
  }

  /** Listens at the address it had before. */
  async bringUp(): Promise<void> {
    const accept = (socket: Socket): void => this.join(socket);
    this.server = this.certificate ? createTlsServer({ ...this.certificate }, accept) : createServer(accept);
    this.server.listen(this.port, '127.0.0.1');
    await once(this.server, 'listening');
    this.port = (this.server.address() as AddressInfo).port;
  }

  /** Cuts every connection; further ones are accepted and never answered, as by a host whose process hangs. */
  async silence(): Promise<void> {
    await this.takeDown();
    this.silent = true;
    await this.bringUp();
  }

  /** Cuts every connection and refuses further ones. */
  async takeDown(): Promise<void> {
    const server = this.server;
    this.silent = false;
    this.server = undefined;
    if (server) {
      const closed = once(server, 'close');
      server.close();
      this.sockets.forEach((socket) => socket.destroy());
      await closed;
    }
  }

  /** Shows another certificate from now on, to new connections; the others are cut. */
  async present(certificate: GatewayCertificate): Promise<void> {
    await this.takeDown();
    this.certificate = certificate;
    await this.bringUp();
  }

  private join(client: Socket): void {
    if (this.silent) {
      this.sockets.add(client);
      client.on('error', () => undefined);
      client.once('close', () => this.sockets.delete(client));
      return;
    }
    const service = this.connectToService();
    for (const [socket, other] of [
      [client, service],
      [service, client],
    ] as const) {
      this.sockets.add(socket);
      socket.on('error', () => other.destroy());
      socket.once('close', () => {
        this.sockets.delete(socket);
        other.destroy();
      });
      socket.pipe(other);
    }
  }

  private connectToService(): Socket {
    const { hostname, port, searchParams } = this.service;
    const socketDirectory = searchParams.get('host');
    return socketDirectory === null
      ? connect(Number(port), hostname)
      : connect(`${socketDirectory}/.s.PGSQL.${searchParams.get('port') ?? '5432'}`);
  }
}
