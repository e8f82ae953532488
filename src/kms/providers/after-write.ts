import { setTimeout as delay } from 'node:timers/promises';

const POLL = 50;
const LONGEST_WAIT = 3_000;

/**
 * Reads until what was just written shows: standbys that answer reads themselves lag behind the node that wrote.
 *
 * @param read rejects, or returns what does not show the write, while it is not there yet
 * @returns what was read last, also when the wait is over
 * @throws what the last read threw, when that was no sign of a lag, or the wait is over
 */
export async function readAfterWrite<T>(
  read: () => Promise<T>,
  shows: (value: T) => boolean,
  mayLag: (error: unknown) => boolean,
  signal: AbortSignal,
): Promise<T> {
  const deadline = performance.now() + LONGEST_WAIT;
  for (;;) {
    const isLast = performance.now() >= deadline;
    try {
      const value = await read();
      if (isLast || shows(value)) {
        return value;
      }
    } catch (error) {
      if (isLast || !mayLag(error)) {
        throw error;
      }
    }
    await delay(POLL, undefined, { signal });
  }
}
