/** Memory and processor time of a process and its descendants; from /proc, so Linux only. */
import { readdirSync, readFileSync } from 'node:fs';

const PAGE_BYTES = 4096;
/** The unit of processor time in /proc is a hundredth of a second everywhere. */
const TICK_MS = 10;

/** Process ids of the tree under a process, itself first, by whether they belong to the store or to its Postgres. */
export function processTree(rootPid) {
  const children = new Map();
  const postgres = new Set();
  for (const name of readdirSync('/proc')) {
    const stat = /^\d+$/.test(name) ? readStat(name) : undefined;
    if (stat === undefined) continue;
    if (stat.command === 'postgres') postgres.add(stat.pid);
    children.set(stat.parent, [...(children.get(stat.parent) ?? []), stat.pid]);
  }
  const tree = [rootPid];
  for (let i = 0; i < tree.length; i++) tree.push(...(children.get(tree[i]) ?? []));
  return { store: tree.filter((pid) => !postgres.has(pid)), postgres: tree.filter((pid) => postgres.has(pid)) };
}

/** Resident bytes of one process; 0 when it has ended. */
export function residentBytes(pid) {
  try {
    return Number(readFileSync(`/proc/${pid}/statm`, 'utf8').split(' ')[1]) * PAGE_BYTES;
  } catch {
    return 0;
  }
}

/**
 * Starts counting the processor time, user and system, of a store. Unlike elapsed time it hardly depends on what else the
 * machine does. Of Postgres only the backends of the store count, not what it does in the background.
 *
 * @returns {() => {store: number, postgres: number}} milliseconds since the start
 */
export function watchProcessorTime(rootPid) {
  const before = processorTimes(rootPid);
  return () => {
    const after = processorTimes(rootPid);
    const spent = (which) =>
      [...after[which]].reduce((sum, [pid, ticks]) => sum + (ticks - (before[which].get(pid) ?? 0)) * TICK_MS, 0);
    return { store: spent('store'), postgres: spent('postgres') };
  };
}

function processorTimes(rootPid) {
  const tree = processTree(rootPid);
  const ticks = (pids) => new Map(pids.map((pid) => [pid, readStat(pid)?.ticks ?? 0]));
  return { store: ticks(tree.store), postgres: ticks(tree.postgres.filter(isBackend)) };
}

function isBackend(pid) {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes('[local]');
  } catch {
    return false;
  }
}

function readStat(pid) {
  try {
    const [, command, rest] = /^\d+ \((.*)\) (.*)/s.exec(readFileSync(`/proc/${pid}/stat`, 'utf8'));
    const fields = rest.split(' ');
    return { pid: Number(pid), command, parent: Number(fields[1]), ticks: Number(fields[11]) + Number(fields[12]) };
  } catch {
    return undefined;
  }
}
