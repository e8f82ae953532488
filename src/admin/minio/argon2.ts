import { Worker } from 'node:worker_threads';
import { AdminError } from '../admin-error';

/** The cost that MinIO's clients use: one pass over 64 MiB in four lanes. */
const ITERATIONS = 1;
const MEMORY_KIB = 64 * 1024;
const LANES = 4;
const KEY_BYTES = 32;
const MOST_WAITING = 16;

/** Given as text, because it must run without the compiler in tests and without another file in the package. */
const SCRIPT = `
const { parentPort, workerData } = require('node:worker_threads');
require(workerData.library).argon2id(workerData.parameters).then((key) => parentPort.postMessage(key));
`;

/**
 * Derives keys of MinIO's admin payloads, one after the other: each takes 64 MiB and a good part of a second, which must
 * neither add up nor hold up the requests of this process. The thread ends with its key, and with it the memory.
 */
export class Argon2 {
  private last: Promise<unknown> = Promise.resolve();
  private waiting = 0;

  /**
   * @param salt 32 bytes
   * @returns 32 bytes
   * @throws AdminError `Busy` when too many derivations wait already
   */
  async derive(password: string, salt: Buffer): Promise<Buffer> {
    if (this.waiting >= MOST_WAITING) {
      throw new AdminError('Busy', 'Too many encrypted requests at once; send it again later');
    }
    this.waiting++;
    const own = this.last.then(
      () => deriveInThread(password, salt),
      () => deriveInThread(password, salt),
    );
    this.last = own;
    try {
      return await own;
    } finally {
      this.waiting--;
    }
  }
}

function deriveInThread(password: string, salt: Buffer): Promise<Buffer> {
  const parameters = {
    password,
    salt: Uint8Array.from(salt),
    iterations: ITERATIONS,
    memorySize: MEMORY_KIB,
    parallelism: LANES,
    hashLength: KEY_BYTES,
    outputType: 'binary',
  };
  return new Promise((resolve, reject) => {
    const worker = new Worker(SCRIPT, {
      eval: true,
      workerData: { library: require.resolve('hash-wasm'), parameters },
    });
    worker.once('message', (key: Uint8Array) => resolve(Buffer.from(key)));
    worker.once('error', reject);
    worker.once('exit', () => reject(new Error('The thread that derives keys ended without one')));
  });
}
