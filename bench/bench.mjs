/**
 * Measures the built store as a client sees it: a started server, a separate client process, interleaved rounds, medians.
 *
 *   npm run bench                          all suites but memory, about three minutes
 *   npm run bench -- --suite large,small   some of: ceilings, large, small, list, escrow, metadata, memory
 *   npm run bench -- --memory              adds the memory suite (writes 8 GiB)
 *
 * Further options: --rounds N (3), --seconds N per timed step (2), --list-keys N (100000), --workers N (1),
 * --dir DIRECTORY (where the data goes; the system's temporary directory), --scale N,N,… objects of the metadata suite
 * (10000,100000,1000000). Prints a table and writes bench/results/*.json.
 */
import { mkdirSync, writeFileSync } from 'node:fs';
import { cpus, release, tmpdir, totalmem } from 'node:os';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { startStore } from '../scripts/support/store.mjs';
import { Load } from './lib/load.mjs';
import { metadata } from './metadata.mjs';
import { CREDENTIALS, ceilings, escrow, large, list, memory, small } from './suites.mjs';

const SUITES = { ceilings, escrow, large, small, list, metadata, memory };

const { values } = parseArgs({
  options: {
    suite: { type: 'string', default: 'ceilings,large,small,list' },
    memory: { type: 'boolean', default: false },
    rounds: { type: 'string', default: '3' },
    seconds: { type: 'string', default: '2' },
    'list-keys': { type: 'string', default: '100000' },
    workers: { type: 'string', default: '1' },
    dir: { type: 'string', default: tmpdir() },
    scale: { type: 'string', default: '10000,100000,1000000' },
  },
});
const options = {
  rounds: Number(values.rounds),
  seconds: Number(values.seconds),
  listKeys: Number(values['list-keys']),
  scales: values.scale.split(',').map(Number),
};
const names = [...new Set([...values.suite.split(','), ...(values.memory ? ['memory'] : [])])];
const unknown = names.filter((name) => !(name in SUITES));
if (options.scales.some((scale) => !(scale >= 10_000 && scale % 10_000 === 0))) {
  console.error('--scale takes multiples of 10000, smallest first');
  process.exit(2);
}
if (unknown.length > 0) {
  console.error(`Unknown suite: ${unknown.join(', ')}. Known: ${Object.keys(SUITES).join(', ')}`);
  process.exit(2);
}

const started = Date.now();
const results = {};
for (const name of names) {
  console.log(`\n${name}`);
  results[name] = summarise(await measure(SUITES[name]));
  console.table(
    Object.fromEntries(
      results[name].map((row) => [
        row.name,
        row.table ?? { median: row.median, unit: row.unit, min: row.min, max: row.max, ...latency(row) },
      ]),
    ),
  );
}
compare(results.large);
save();

/** Every suite has a store of its own, so that none inherits another's data, caches or deferred deletions. */
async function measure(suite) {
  // Plain must be plain: by default the store encrypts what the client leaves open.
  const env = { STRONGROOM_AUTO_ENCRYPTION: 'off', STRONGROOM_WORKERS: values.workers };
  const store = await startStore({ env, parentDir: values.dir });
  const load = new Load({ host: store.host, port: store.port, ...CREDENTIALS });
  try {
    for (const bucket of ['bench', 'listing']) {
      await load.run({ method: 'PUT', path: `/${bucket}`, connections: 1, requests: 1 });
    }
    return await suite({ load, store, options });
  } catch (error) {
    console.error(store.output().split('\n').slice(-20).join('\n'));
    throw error;
  } finally {
    load.close();
    await store.stop();
  }
}

function summarise(rows) {
  return rows.map((row) => {
    const sorted = [...row.values].sort((a, b) => a - b);
    const middle = sorted.length >> 1;
    const median = sorted.length % 2 === 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
    return { ...row, median: round(median), min: round(sorted[0]), max: round(sorted.at(-1)) };
  });
}

function latency(row) {
  return {
    ...(row.p50 === undefined ? {} : { 'p50 ms': round(row.p50, 2) }),
    ...(row.p99 === undefined ? {} : { 'p99 ms': round(row.p99, 2) }),
  };
}

/** How much slower SSE-KMS is than plain: the median over rounds, so that a change of the machine's mood cancels out. */
function compare(rows) {
  if (rows === undefined) return;
  for (const operation of ['PUT', 'GET']) {
    for (const connections of [1, 8]) {
      const valuesOf = (mode) =>
        rows.find((row) => row.name === `${operation} 64 MiB ${mode}, ${connections} conn`).values;
      const plain = valuesOf('plain');
      const ratios = valuesOf('SSE-KMS').map((value, round) => (value / plain[round] - 1) * 100);
      const share = ratios.sort((x, y) => x - y)[ratios.length >> 1];
      console.log(
        `${operation} 64 MiB, ${connections} conn: SSE-KMS ${share >= 0 ? '+' : ''}${share.toFixed(0)} % against plain`,
      );
    }
  }
}

function save() {
  const directory = fileURLToPath(new URL('./results/', import.meta.url));
  mkdirSync(directory, { recursive: true });
  const file = `${directory}${new Date().toISOString().replace(/[:.]/g, '-')}.json`;
  const machine = {
    cpu: cpus()[0]?.model,
    cores: cpus().length,
    memory: totalmem(),
    node: process.version,
    kernel: release(),
  };
  writeFileSync(
    file,
    `${JSON.stringify({ machine, options: { ...options, workers: values.workers }, results }, null, 2)}\n`,
  );
  console.log(`\n${Math.round((Date.now() - started) / 1000)} s; written to ${file}`);
}

function round(value, digits = value < 100 ? 1 : 0) {
  return Number(value.toFixed(digits));
}
