/** What the store says itself of the requests it served: the time in its log is from the first byte to the end of the answer. */
import { setTimeout as delay } from 'node:timers/promises';

const POLL_MS = 20;
const LIMIT_MS = 5000;

/**
 * Starts to watch the log of a store.
 * @returns {(count: number) => Promise<number[]>} milliseconds of the first requests of that operation that ended since
 */
export function finishedRequests(store, operation) {
  const before = store.output().length;
  return async (count) => {
    const deadline = Date.now() + LIMIT_MS;
    for (;;) {
      const times = store
        .output()
        .slice(before)
        .split('\n')
        .slice(0, -1)
        .map((line) => (line.includes(`"operation":"${operation}"`) ? JSON.parse(line).milliseconds : undefined))
        .filter((milliseconds) => milliseconds !== undefined);
      if (times.length >= count) return times.slice(0, count);
      if (Date.now() > deadline) throw new Error(`The log tells of ${times.length} ${operation} instead of ${count}`);
      await delay(POLL_MS);
    }
  };
}
