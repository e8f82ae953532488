import { connect } from 'node:net';

const LIMIT_MILLIS = 30_000;

/**
 * Sends bytes as they are and gives back all that came until the other side ended the connection.
 *
 * @param endpoint e.g. `http://127.0.0.1:9000`
 * @param patience after so many milliseconds without an answer this side ends the connection too, as for a request that
 *   is not complete and so will never be answered
 * @throws Error when the connection is still open after 30 seconds
 */
export function converse(endpoint: string, bytes: Buffer, patience: number): Promise<string> {
  const { hostname, port } = new URL(endpoint);
  return new Promise((resolve, reject) => {
    const socket = connect({ host: hostname, port: Number(port) });
    const limit = setTimeout(() => {
      socket.destroy();
      reject(new Error(`The connection was left open for ${JSON.stringify(bytes.toString('latin1').slice(0, 500))}`));
    }, LIMIT_MILLIS);
    const quiet = setTimeout(() => socket.end(), patience);
    const chunks: Buffer[] = [];
    socket.on('data', (chunk: Buffer) => {
      chunks.push(chunk);
      quiet.refresh();
    });
    // A reset is an answer too: the server need not read what it has refused.
    socket.on('error', () => undefined);
    socket.on('close', () => {
      clearTimeout(limit);
      clearTimeout(quiet);
      resolve(Buffer.concat(chunks).toString('latin1'));
    });
    socket.write(bytes);
  });
}

/** A request as bytes, with `Connection: close` unless headers say otherwise. */
export function requestBytes(
  line: string,
  headers: Readonly<Record<string, string>>,
  body: Buffer | string = '',
): Buffer {
  const lines = Object.entries({ Connection: 'close', ...headers }).map(([name, value]) => `${name}: ${value}`);
  return Buffer.concat([Buffer.from(`${[line, ...lines].join('\r\n')}\r\n\r\n`, 'latin1'), Buffer.from(body)]);
}
