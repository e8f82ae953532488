/** Resident memory of a process and its descendants, Postgres left out; from /proc, so Linux only. */
import { readdirSync, readFileSync } from 'node:fs';

const PAGE_BYTES = 4096;
const SAMPLE_MS = 50;

/** Samples until stopped. @returns {() => {peakBytes: number, processes: number, samples: number}} */
export function watchMemory(rootPid) {
  let peakBytes = 0;
  let processes = 0;
  let samples = 0;
  const timer = setInterval(() => {
    const tree = processTree(rootPid);
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

function processTree(rootPid) {
  const children = new Map();
  for (const name of readdirSync('/proc')) {
    const stat = /^\d+$/.test(name) ? readStat(name) : undefined;
    if (stat === undefined || stat.command === 'postgres') continue;
    children.set(stat.parent, [...(children.get(stat.parent) ?? []), stat.pid]);
  }
  const tree = [rootPid];
  for (let i = 0; i < tree.length; i++) tree.push(...(children.get(tree[i]) ?? []));
  return tree;
}

function readStat(pid) {
  try {
    const [, command, rest] = /^\d+ \((.*)\) (.*)/s.exec(readFileSync(`/proc/${pid}/stat`, 'utf8'));
    return { pid: Number(pid), command, parent: Number(rest.split(' ')[1]) };
  } catch {
    return undefined;
  }
}

function residentBytes(pid) {
  try {
    return Number(readFileSync(`/proc/${pid}/statm`, 'utf8').split(' ')[1]) * PAGE_BYTES;
  } catch {
    return 0;
  }
}
