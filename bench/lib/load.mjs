/** Drives the load generator from the measuring process. */
import { fork } from 'node:child_process';
import { fileURLToPath } from 'node:url';

const CLIENT = fileURLToPath(new URL('../client.mjs', import.meta.url));

export class Load {
  #child = fork(CLIENT);
  #target;
  #settle;

  /** @param {{host: string, port: number, accessKey: string, secretKey: string}} target */
  constructor(target) {
    this.#target = target;
    this.#child.on('message', ({ error, result }) => this.#settle?.(error, result));
    this.#child.on('exit', () => this.#settle?.('The load generator ended'));
  }

  /** Runs one job, described in client.mjs, and returns its figures; `target` replaces host and port for this job. */
  run(job, target = {}) {
    return new Promise((resolve, reject) => {
      this.#settle = (error, result) => (error === undefined ? resolve(result) : reject(new Error(error)));
      const { host, port } = { ...this.#target, ...target };
      this.#child.send({ ...this.#target, host, port, first: 0, headers: {}, size: 0, ...job });
    });
  }

  close() {
    if (this.#child.connected) this.#child.disconnect();
  }
}
