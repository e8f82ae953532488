/** Resident memory of a process and its descendants, Postgres left out. */
import { processTree, residentBytes } from './processes.mjs';

const SAMPLE_MS = 50;

/** Samples until stopped. @returns {() => {peakBytes: number, processes: number, samples: number}} */
export function watchMemory(rootPid) {
  let peakBytes = 0;
  let processes = 0;
  let samples = 0;
  const timer = setInterval(() => {
    const tree = processTree(rootPid).store;
    const bytes = tree.reduce((sum, pid) => sum + residentBytes(pid), 0);
    samples++;
    if (bytes > peakBytes) {
      peakBytes = bytes;
      processes = tree.length;
    }
  }, SAMPLE_MS);
  return () => {
    clearInterval(timer);
    return { peakBytes, processes, samples };
  };
}
