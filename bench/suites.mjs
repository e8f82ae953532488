/** The measurements. Each takes the bench (store, load generator, options) and returns rows `{name, unit, values, …}`. */
import { adminClient } from '../scripts/support/admin-client.mjs';
import { startScriptedVault } from '../scripts/support/scripted-vault.mjs';
import { ACCESS_KEY, SECRET_KEY } from '../scripts/support/store.mjs';
import { cipherSpeed, diskSpeed, md5Speed, startBareServer } from './lib/ceilings.mjs';
import { watchMemory } from './lib/memory.mjs';

const MIB = 1 << 20;
const LARGE = 64 * MIB;
const SMALL = 4 * 1024;
const megabytes = (result) => result.bytes / 1e6 / result.seconds;
const perSecond = (result) => result.requests / result.seconds;

const MODES = {
  plain: {},
  'SSE-S3': { 'x-amz-server-side-encryption': 'AES256' },
  'SSE-KMS': { 'x-amz-server-side-encryption': 'aws:kms' },
};

/** The modes in an order that moves on with each round, so that none is always the one after the longest writes. */
function modesOf(round) {
  const modes = Object.entries(MODES);
  return modes.map((_, index) => modes[(index + round) % modes.length]);
}

/** Collects the values of several rounds under one name. */
class Rows {
  #rows = new Map();

  add(name, unit, value, extra = {}) {
    const row = this.#rows.get(name) ?? { name, unit, values: [], ...extra };
    row.values.push(value);
    for (const [key, figure] of Object.entries(extra)) row[key] = figure;
    this.#rows.set(name, row);
  }

  list() {
    return [...this.#rows.values()];
  }
}

/** PUT and GET of 64 MiB objects, every mode in turn within each round, so that noise hits all alike. */
export async function large({ load, options }) {
  const rows = new Rows();
  for (let round = 0; round < options.rounds; round++) {
    for (const connections of [1, 8]) {
      for (const [mode, headers] of modesOf(round)) {
        const path = `/bench/large-${mode}-%d`;
        const requests = connections === 1 ? 4 : 8;
        const common = { connections, path, modulo: requests, requests };
        const put = await load.run({ ...common, method: 'PUT', size: LARGE, headers });
        const get = await load.run({ ...common, method: 'GET', requests: requests * 2 });
        rows.add(`PUT 64 MiB ${mode}, ${connections} conn`, 'MB/s', megabytes(put));
        rows.add(`GET 64 MiB ${mode}, ${connections} conn`, 'MB/s', megabytes(get));
      }
    }
  }
  return rows.list();
}

/** 4 KiB PUT and GET at 16 connections. */
export async function small({ load, options }) {
  const rows = new Rows();
  const seconds = options.seconds;
  for (let round = 0; round < options.rounds; round++) {
    for (const [mode, headers] of modesOf(round)) {
      const common = { connections: 16, path: `/bench/small-${mode}-%d`, modulo: 2000 };
      const put = await load.run({ ...common, method: 'PUT', size: SMALL, headers, requests: 2000 });
      const more = await load.run({ ...common, method: 'PUT', size: SMALL, headers, seconds });
      const get = await load.run({ ...common, method: 'GET', seconds });
      rows.add(`PUT 4 KiB ${mode}, 16 conn`, 'op/s', (put.requests + more.requests) / (put.seconds + more.seconds), {
        p99: more.p99,
      });
      rows.add(`GET 4 KiB ${mode}, 16 conn`, 'op/s', perSecond(get), { p99: get.p99 });
    }
  }
  return rows.list();
}

/** 4 KiB PUTs under the key of one scripted Vault, and with a second seal by another. */
export async function escrow({ load, options, store }) {
  const rows = new Rows();
  const vaults = await Promise.all([startScriptedVault(), startScriptedVault()]);
  const admin = adminClient(store);
  try {
    for (const [index, { url, token }] of vaults.entries()) {
      const headers = { 'x-vault-token': token, 'content-type': 'application/json' };
      await fetch(`${url}/v1/transit/keys/bench`, { method: 'POST', headers, body: '{}' });
      const values = { endpoint: url, token, key_name: 'bench', enabled: true };
      await admin('POST', `/minio/admin/v3/config/kms_vault/${index === 0 ? 'first' : 'second'}`, values);
    }
    for (let round = 0; round < options.rounds; round++) {
      for (const bucketKey of [false, true]) {
        for (const target of round % 2 === 0 ? [null, 'vault:second/bench'] : ['vault:second/bench', null]) {
          await admin('PUT', '/api/v1/buckets/bench/escrow', { target });
          const result = await load.run({
            method: 'PUT',
            connections: 16,
            path: '/bench/escrow-%d',
            modulo: 2000,
            size: SMALL,
            seconds: options.seconds,
            headers: {
              'x-amz-server-side-encryption': 'aws:kms',
              'x-amz-server-side-encryption-aws-kms-key-id': 'vault:first/bench',
              'x-amz-server-side-encryption-bucket-key-enabled': String(bucketKey),
            },
          });
          const name = `PUT 4 KiB, ${bucketKey ? 'bucket key' : 'a data key each'}, ${target ? 'with' : 'no'} escrow`;
          rows.add(name, 'op/s', perSecond(result), { p50: result.p50, p99: result.p99 });
        }
      }
    }
  } finally {
    await Promise.all(vaults.map((vault) => vault.stop()));
  }
  return rows.list();
}

/** Pages of 1000 keys from the middle of a bucket with many. */
export async function list({ load, options }) {
  const rows = new Rows();
  const keys = options.listKeys;
  const fill = await load.run({ method: 'PUT', path: '/listing/key-%d', connections: 16, requests: keys, size: 0 });
  rows.add(`PUT of ${keys} empty objects, 16 conn`, 'op/s', perSecond(fill));
  for (let round = 0; round < options.rounds; round++) {
    for (const connections of [1, 4]) {
      const result = await load.run({
        method: 'GET',
        path: '/listing',
        query: 'list-type=2&max-keys=1000&start-after=key-%d',
        first: Math.floor(keys / 10),
        modulo: Math.floor(keys * 0.8),
        connections,
        seconds: options.seconds,
      });
      rows.add(`LIST 1000 of ${keys} keys, ${connections} conn`, 'op/s', perSecond(result), {
        p50: result.p50,
        p99: result.p99,
      });
    }
  }
  return rows.list();
}

/** What the machine gives without a store around it. */
export async function ceilings({ load, options, store }) {
  const rows = new Rows();
  const bare = await startBareServer();
  try {
    for (let round = 0; round < options.rounds; round++) {
      for (const connections of [1, 8]) {
        const common = { connections, path: '/ceiling', requests: connections === 1 ? 8 : 24 };
        const put = await load.run({ ...common, method: 'PUT', size: LARGE }, bare);
        const get = await load.run({ ...common, method: 'GET', query: `size=${LARGE}` }, bare);
        rows.add(`bare node:http PUT 64 MiB, ${connections} conn`, 'MB/s', megabytes(put));
        rows.add(`bare node:http GET 64 MiB, ${connections} conn`, 'MB/s', megabytes(get));
      }
      const tiny = { connections: 16, path: '/ceiling', seconds: options.seconds };
      rows.add(
        'bare node:http PUT 4 KiB, 16 conn',
        'op/s',
        perSecond(await load.run({ ...tiny, method: 'PUT', size: SMALL }, bare)),
      );
      rows.add(
        'bare node:http GET 4 KiB, 16 conn',
        'op/s',
        perSecond(await load.run({ ...tiny, method: 'GET', query: `size=${SMALL}` }, bare)),
      );
      rows.add('AES-256-GCM alone, 64 KiB packages', 'MB/s', cipherSpeed() / 1e6);
      rows.add('MD5 alone', 'MB/s', md5Speed() / 1e6);
      rows.add('file writes of 64 MiB with fdatasync', 'MB/s', (await diskSpeed(store.dataDir)) / 1e6);
    }
  } finally {
    bare.stop();
  }
  return rows.list();
}

/** Peak resident memory of the store, Postgres excluded, during eight parallel uploads of 1 GiB. */
export async function memory({ load, store }) {
  const rows = new Rows();
  const stop = watchMemory(store.pid);
  const result = await load.run({
    method: 'PUT',
    path: '/bench/huge-%d',
    size: 1024 * MIB,
    connections: 8,
    requests: 8,
    headers: MODES['SSE-KMS'],
  });
  const { peakBytes, processes, samples } = stop();
  rows.add(`peak RSS of ${processes} processes, eight 1 GiB SSE-KMS uploads`, 'MB', peakBytes / 1e6, { samples });
  rows.add('throughput of those uploads', 'MB/s', megabytes(result));
  return rows.list();
}

export const CREDENTIALS = { accessKey: ACCESS_KEY, secretKey: SECRET_KEY };
