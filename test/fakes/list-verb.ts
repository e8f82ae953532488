import { connect, createServer, type Server, type Socket } from 'node:net';

/** What LIST arrives as behind the gateway; Node's HTTP parser does not know LIST, and nobody sends LOCK. */
export const LIST_METHOD = 'LOCK';

/**
 * A TCP gateway in front of a plain HTTP server of Node that lets the method LIST through under another name.
 * @param port of the server behind, on 127.0.0.1
 */
export function createListVerbGateway(port: () => number): Server & { closeAllConnections(): void } {
  const clients = new Set<Socket>();
  const server = createServer((client) => {
    const upstream = connect(port(), '127.0.0.1');
    clients.add(client);
    client.on('data', (chunk: Buffer) => {
      const isList = chunk.subarray(0, 5).toString('latin1') === 'LIST ';
      upstream.write(isList ? Buffer.concat([Buffer.from(LIST_METHOD), chunk.subarray(4)]) : chunk);
    });
    upstream.on('data', (chunk) => client.write(chunk));
    client.on('error', () => upstream.destroy()).on('close', () => (clients.delete(client), upstream.destroy()));
    upstream.on('error', () => client.resetAndDestroy()).on('close', () => client.destroy());
  });
  return Object.assign(server, { closeAllConnections: () => clients.forEach((client) => client.destroy()) });
}
