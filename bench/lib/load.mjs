/** Drives the load generator from the measuring process. */
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';

const CLIENT = fileURLToPath(new URL('../client.mjs', import.meta.url));

export class Load {
  #child = fork(CLIENT);
  #target;

  /** @param {{host: string, port: number, accessKey: string, secretKey: string}} target */
  constructor(target) {
    this.#target = target;
  }

  /** Runs one job, described in client.mjs, and returns its figures; `target` replaces host and port for this job. */
  async run(job, target = {}) {
    this.#child.send({ ...this.#target, ...target, first: 0, headers: {}, size: 0, ...job });
    const [message] = await Promise.race([once(this.#child, 'message'), this.#lost()]);
    if (message.error !== undefined) throw new Error(message.error);
    return message.result;
  }

  close() {
    if (this.#child.connected) this.#child.disconnect();
  }

  async #lost() {
    await once(this.#child, 'exit');
    throw new Error('The load generator ended');
  }
}
