import type { Worker } from 'node:worker_threads';
import { KmsError } from '../kms-error';

/** Threads hanging in one library before no further ones are sent after them. */
const MOST_STUCK = 4;

/** By path of the library, which all targets and connection tests of this process share. */
const stuck = new Map<string, Set<Worker>>();

/**
 * Gives up a thread that does not return from its library. Native code cannot be interrupted: the thread ends when the
 * call returns, and counts as stuck until then.
 */
export function abandonThread(library: string, thread: Worker): void {
  const threads = stuck.get(library) ?? new Set();
  stuck.set(library, threads.add(thread));
  thread.once('exit', () => threads.delete(thread));
  void thread.terminate();
}

/** @throws KmsError `kms-unavailable` when so many threads hang in the library that another one would as well */
export function refuseMoreThreads(kms: string, library: string): void {
  const count = stuck.get(library)?.size ?? 0;
  if (count >= MOST_STUCK) {
    throw new KmsError('kms-unavailable', `${kms} has ${count} calls that do not return from its library`, {
      remedy:
        'Check the HSM and the way to it. Calls are made again as soon as one of these returns; if they never do although ' +
        'the HSM is well, restart this program.',
    });
  }
}
