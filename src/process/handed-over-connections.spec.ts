import cluster, { type Worker } from 'node:cluster';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { connect, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { closeConnectionsLostWith } from './handed-over-connections';

/** Serves HTTP on any port and, when told to, stops listening to the world as a busy event loop does. */
const SCRIPT = `
const server = require('node:http').createServer((request, response) => response.end('served'));
server.listen(0, '127.0.0.1', () => process.send({ port: server.address().port }));
process.on('message', () => {
  require('node:fs').writeSync(1, 'busy');
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0);
});`;

describe('closeConnectionsLostWith', () => {
  let directory: string;
  let worker: Worker;
  let port: number;
  let client: Socket | undefined;

  beforeEach(async () => {
    directory = await mkdtemp(join(tmpdir(), 'handed-over-'));
    await writeFile(join(directory, 'worker.js'), SCRIPT);
    cluster.setupPrimary({ exec: join(directory, 'worker.js'), execArgv: [], silent: true });
    worker = cluster.fork();
    closeConnectionsLostWith(worker.process);
    [{ port }] = (await once(worker, 'message')) as [{ port: number }];
  });
  afterEach(async () => {
    client?.destroy();
    if (!worker.isDead()) {
      const ended = once(worker, 'exit');
      worker.process.kill('SIGKILL');
      await ended;
    }
    await rm(directory, { recursive: true });
  });

  it('ends a connection whose worker was killed before it took it', async () => {
    const busy = once(worker.process.stdout!, 'data');
    worker.send('be busy');
    await busy;
    const { process: subprocess } = worker;
    const send = subprocess.send.bind(subprocess) as (...values: unknown[]) => boolean;
    const handedOver = new Promise<void>((resolve) => {
      subprocess.send = (...values: unknown[]): boolean => {
        setImmediate(resolve);
        return send(...values);
      };
    });
    client = connect(port, '127.0.0.1');
    client.on('error', () => undefined);
    client.write('GET / HTTP/1.1\r\nHost: a\r\n\r\n');
    await handedOver;
    const closed = new Promise((resolve) => client?.once('close', resolve));
    worker.process.kill('SIGKILL');
    await closed;
  });
});
