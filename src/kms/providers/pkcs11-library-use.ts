import { realpathSync } from 'node:fs';
import type { Worker } from 'node:worker_threads';
import { KmsError } from '../kms-error';

/** Threads hanging in one library before no further ones are sent after them. */
const MOST_STUCK = 4;
/** Milliseconds from one restart to the next; doubled by each that does not help, as restarts disturb the others. */
const SHORTEST_PAUSE = 2_000;
const LONGEST_PAUSE = 60_000;

const libraries = new Map<string, Pkcs11LibraryUse>();

/**
 * The use that all targets and connection tests of this process make of one library.
 * @param path of the library; paths that lead to the same file name the same library, as they do for the system's loader
 */
export function pkcs11LibraryUse(path: string): Pkcs11LibraryUse {
  const file = fileAt(path);
  const use = libraries.get(file) ?? new Pkcs11LibraryUse();
  libraries.set(file, use);
  return use;
}

function fileAt(path: string): string {
  try {
    return realpathSync(path);
  } catch {
    // Loading it will tell what is wrong.
    return path;
  }
}

/**
 * A library is loaded and initialized once in a process, for all of its threads. So is what goes wrong in it: a thread
 * that hangs may hold what the others need, and a library that has lost its way (as SoftHSM for good, when it has read a
 * token that another process was just writing) finds it again only by a new start.
 */
export class Pkcs11LibraryUse {
  private readonly stuck = new Set<Worker>();
  private calls = 0;
  private restarting: Promise<void> | undefined;
  private whenIdle = (): void => undefined;
  private restarts = 0;
  private pause = SHORTEST_PAUSE;
  private pausedUntil = 0;
  /** The last start that did not help somebody. */
  private unhelpful = 0;

  /** Which start of the library is in use. Sessions of an earlier one are gone, and their handles may be those of others. */
  get start(): number {
    return this.restarts;
  }

  /**
   * Gives up a thread that does not return from the library. Native code cannot be interrupted: the thread ends when the
   * call returns, and counts as stuck until then.
   */
  abandon(thread: Worker): void {
    this.stuck.add(thread);
    thread.once('exit', () => this.stuck.delete(thread));
    void thread.terminate();
  }

  /** @throws KmsError `kms-unavailable` when so many threads hang in the library that another one would as well */
  refuseMoreThreads(kms: string): void {
    const count = this.stuck.size;
    if (count >= MOST_STUCK) {
      throw new KmsError('kms-unavailable', `${kms} has ${count} calls that do not return from its library`, {
        remedy:
          'Check the HSM and the way to it. Calls are made again as soon as one of these returns; if they never do although ' +
          'the HSM is well, restart this program.',
      });
    }
  }

  /** Makes a call, beside others but not during a restart. */
  async call<T>(make: () => Promise<T>): Promise<T> {
    while (this.restarting) {
      await this.restarting;
    }
    this.calls++;
    try {
      return await make();
    } finally {
      this.calls--;
      this.leave();
    }
  }

  /**
   * Starts the library anew when nobody is in it, unless that was done a moment ago or a thread hangs in it.
   *
   * @param seen the start that was found broken
   * @param ended whether the library says that it has been ended, so that a start disturbs nobody and is not put off
   * @param finalizeAndInitialize must not reject
   * @returns whether another start is in use now
   */
  async restart(seen: number, ended: boolean, finalizeAndInitialize: () => Promise<void>): Promise<boolean> {
    const mayStart = ended || performance.now() >= this.pausedUntil;
    if (!this.restarting && seen === this.restarts && mayStart) {
      this.restarting = this.restartAlone(finalizeAndInitialize).finally(() => (this.restarting = undefined));
    }
    await this.restarting;
    return seen !== this.restarts;
  }

  /**
   * Takes note of whether a restart helped who asked for it. Of several whom it did not help, the first counts.
   * @param start the start that was in use afterwards
   */
  judgeRestart(start: number, helped: boolean): void {
    if (helped) {
      this.pause = SHORTEST_PAUSE;
    } else if (start !== this.unhelpful) {
      this.unhelpful = start;
      this.pause = Math.min(LONGEST_PAUSE, 2 * this.pause);
      this.pausedUntil = performance.now() + this.pause;
    }
  }

  private async restartAlone(finalizeAndInitialize: () => Promise<void>): Promise<void> {
    await new Promise<void>((resolve) => {
      this.whenIdle = resolve;
      this.leave();
    });
    if (this.stuck.size === 0) {
      await finalizeAndInitialize();
      this.pausedUntil = performance.now() + this.pause;
      this.restarts++;
    }
  }

  private leave(): void {
    if (this.calls === 0) {
      this.whenIdle();
    }
  }
}
