/**
 * Operations on metadata in a store that grows: 10 000, 100 000, a million objects, and as many versions beside them. Rows are
 * filled in by SQL; what is measured goes through the front door like any request.
 */
import {
  BUCKETS,
  BUSY_KEY,
  BUSY_VERSIONS,
  connectDatabase,
  DEEP,
  MetadataFill,
  PARTS,
  PREFIXES,
  UPLOADS,
} from './lib/metadata-fill.mjs';
import { watchProcessorTime } from './lib/processes.mjs';
import { finishedRequests } from './lib/request-log.mjs';

const PAGE = 1000;
const REPEATS = 30;
const DELETES = 5;
const SMALL = 4 * 1024;

/** Runs every operation at each scale and returns one row for each operation, with its figures by scale. */
export async function metadata({ load, store, options }) {
  const database = await connectDatabase(store);
  const bench = new MetadataBench(load, store, database);
  try {
    let filled = 0;
    for (const scale of options.scales) {
      const started = performance.now();
      await bench.prepare(filled, scale);
      console.log(`filled to ${scale} objects and versions in ${Math.round((performance.now() - started) / 1000)} s`);
      await bench.measure(scale);
      filled = scale;
    }
  } finally {
    await database.end();
  }
  return bench.rows();
}

class MetadataBench {
  #load;
  #store;
  #database;
  #fill;
  #rows = new Map();
  #scale = 0;

  constructor(load, store, database) {
    this.#load = load;
    this.#store = store;
    this.#database = database;
    this.#fill = new MetadataFill(database);
  }

  /** One row for an operation: server times at the largest scale as its values, and a table of all scales. */
  rows() {
    return [...this.#rows].map(([name, scales]) => {
      const figures = [...scales.values()];
      const [first, last] = [figures[0], figures.at(-1)];
      const table = Object.fromEntries(
        [...scales].map(([scale, { server }]) => [`${short(scale)} ms`, digits(server.p50)]),
      );
      return {
        name,
        unit: 'ms',
        values: last.server.all,
        scales: Object.fromEntries(
          [...scales].map(
            ([
              scale,
              {
                server: { all: _, ...server },
                ...rest
              },
            ]) => [scale, { server, ...rest }],
          ),
        ),
        table: {
          ...table,
          growth: digits(last.server.p50 / Math.max(first.server.p50, 0.1)),
          'p95 ms': digits(last.server.p95),
          'client p50': digits(last.client.p50),
          'client p95': digits(last.client.p95),
          'CPU store': digits(last.cpu.store),
          'CPU Postgres': digits(last.cpu.postgres),
        },
      };
    });
  }

  /** Grows the store to a scale. */
  async prepare(from, scale) {
    this.#scale = scale;
    if (from === 0) {
      for (const bucket of ['objects', 'versions', 'uploads', 'empty']) await this.#send('PUT', `/${bucket}`);
      const enabled = '<VersioningConfiguration><Status>Enabled</Status></VersioningConfiguration>';
      await this.#send('PUT', '/versions', 'versioning=', enabled);
      await this.#fill.fillOnce();
      const small = { method: 'PUT', path: '/objects/get/%d', size: SMALL, connections: 4, requests: 100 };
      await this.#load.run(small);
    }
    await this.#fill.fill(from, scale);
    await this.#fill.objects(`'d/' || lpad(n::text, 6, '0')`, 0, DELETES * PAGE);
    await this.#fill.versions(`'d/' || lpad(n::text, 6, '0')`, '1', 0, 2 * DELETES * PAGE);
    await this.#fill.objects(`'mass/' || lpad(n::text, 7, '0')`, 0, scale / 10);
    await this.#fill.versions(`'mass/' || lpad(n::text, 7, '0')`, '1', 0, scale / 10);
  }

  async measure() {
    // Right after the fill, before any statistics: what a page costs whose blocks Postgres has to fetch first.
    await this.#evict();
    await this.#listing('V2, 1000 prefixes of 10 000, cold', '/objects', [{ delimiter: '/', 'start-after': 'o' }]);
    await this.#evict();
    await this.#listing('V2, flat, middle, cold', '/objects', [{ 'start-after': 'p05000/' }]);
    await this.#database.query('VACUUM (ANALYZE) object_version, object_inline');
    await this.#listObjects();
    await this.#listVersions();
    await this.#others();
    await this.#deletes();
    await this.#massDelete();
  }

  async #listObjects() {
    const somewhere = spread((share) => `p${pad(share * PREFIXES, 5)}/`);
    await this.#listing('V2, flat, first page', '/objects', times({}));
    await this.#listing('V2, flat, middle', '/objects', times({ 'start-after': 'p05000/' }));
    await this.#listing(
      'V2, flat, anywhere deep',
      '/objects',
      somewhere.map((key) => ({ 'start-after': key })),
    );
    const prefixes = { delimiter: '/', 'start-after': 'o' };
    await this.#listing('V2, 1000 prefixes of 10 000', '/objects', times(prefixes));
    await this.#listing('V2, 1000 prefixes, deep inside one', '/objects', times({ delimiter: '/', prefix: DEEP }));
    await this.#listing(
      'V2, delimiter, 1000 keys and none to roll up',
      '/objects',
      times({ delimiter: '/', prefix: 'd/' }),
    );
  }

  async #listVersions() {
    const list = (name, queries) =>
      this.#run(
        `ListObjectVersions, ${name}`,
        'ListObjectVersions',
        queries.map((query) => get('/versions', { versions: '', ...query })),
      );
    await list('flat, middle', times({ 'key-marker': 'p05000/' }));
    await list('1000 prefixes of 10 000', times({ delimiter: '/', 'key-marker': 'o' }));
    await list(`one key of ${BUSY_VERSIONS} versions`, times({ prefix: BUSY_KEY }));
  }

  async #others() {
    const objects = spread((share) => this.#objectName(Math.floor(share * this.#scale)));
    await this.#run(
      'HeadObject',
      'HeadObject',
      objects.map((key) => ({ method: 'HEAD', path: `/objects/${key}` })),
    );
    await this.#run(
      'HeadObject of a key with many versions',
      'HeadObject',
      times({ method: 'HEAD', path: `/versions/${BUSY_KEY}` }),
    );
    const small = Array.from({ length: REPEATS }, (_, index) => ({
      method: 'GET',
      path: `/objects/get/${pad(index, 8)}`,
    }));
    await this.#run('GetObject, 4 KiB', 'GetObject', small);
    await this.#run(
      `ListMultipartUploads, 1000 of ${UPLOADS}`,
      'ListMultipartUploads',
      times(get('/uploads', { uploads: '' })),
    );
    const parts = get('/uploads/u001/f1', { uploadId: 'upload-0000001', 'part-number-marker': String(PARTS / 2) });
    await this.#run(`ListParts, 1000 of ${PARTS}`, 'ListParts', times(parts));
    await this.#run(`ListBuckets, ${BUCKETS}`, 'ListBuckets', times(get('/', {})));
    await this.#run(
      'DeleteBucket, not empty',
      'DeleteBucket',
      times({ method: 'DELETE', path: '/objects', status: 409 }),
    );
  }

  async #deletes() {
    const keys = Array.from({ length: 2 * DELETES * PAGE }, (_, index) => ({ key: `d/${pad(index, 6)}` }));
    const { rows } = await this.#database.query(
      `SELECT v.key, v.version_id AS version FROM object_version v JOIN bucket b ON b.id = v.bucket_id
        WHERE b.name = 'versions' AND v.key LIKE 'd/%' AND NOT v.delete_marker ORDER BY v.key OFFSET $1`,
      [DELETES * PAGE],
    );
    await this.#run('DeleteObjects, 1000 keys', 'DeleteObjects', batches('/objects', keys.slice(0, DELETES * PAGE)));
    await this.#run(
      'DeleteObjects, 1000 delete markers',
      'DeleteObjects',
      batches('/versions', keys.slice(0, DELETES * PAGE)),
    );
    await this.#run('DeleteObjects, 1000 versions', 'DeleteObjects', batches('/versions', rows));
    await this.#database.query(`DELETE FROM object_version WHERE key LIKE 'd/%'`);
  }

  /** A tenth of all objects deleted at once, and pages that lie behind what is left of them in the indexes. */
  async #massDelete() {
    const keys = Array.from({ length: this.#scale / 10 }, (_, index) => ({ key: `mass/${pad(index, 7)}` }));
    for (const bucket of ['/objects', '/versions']) {
      await this.#load.run({ connections: 4, items: batches(bucket, keys) });
    }
    const across = { 'start-after': 'mass', prefix: '' };
    await this.#listing('V2, across a tenth just deleted, first time', '/objects', [across]);
    await this.#listing('V2, across a tenth just deleted', '/objects', times(across));
    await this.#listing('V2, prefixes across a tenth just deleted', '/objects', times({ ...across, delimiter: '/' }));
    await this.#listing('V2, across a tenth hidden by delete markers, first time', '/versions', [across]);
    await this.#listing('V2, across a tenth hidden by delete markers', '/versions', times(across));
    await this.#database.query(`DELETE FROM object_version WHERE key LIKE 'mass/%'`);
  }

  #listing(name, path, queries) {
    const items = queries.map((query) => get(path, { 'list-type': '2', ...query }));
    return this.#run(`ListObjects${name}`, 'ListObjectsV2', items);
  }

  /** Sends requests one after the other and notes what server, client and processor say of them. */
  async #run(name, operation, items) {
    const log = finishedRequests(this.#store, operation);
    const processor = watchProcessorTime(this.#store.pid);
    const { p50, p95 } = await this.#load.run({ connections: 1, items });
    const spent = processor();
    const all = await log(items.length);
    const sorted = [...all].sort((a, b) => a - b);
    const quantile = (share) => sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))];
    const scales = this.#rows.get(name) ?? new Map();
    scales.set(this.#scale, {
      requests: items.length,
      server: { p50: quantile(0.5), p95: quantile(0.95), all },
      client: { p50, p95 },
      cpu: { store: spent.store / items.length, postgres: spent.postgres / items.length },
    });
    this.#rows.set(name, scales);
  }

  async #send(method, path, query, body) {
    await this.#load.run({ connections: 1, items: [{ method, path, query, body }] });
  }

  /** Empties the buffers of Postgres, as after a restart; the system's own cache stays. */
  async #evict() {
    await this.#database.query('CREATE EXTENSION IF NOT EXISTS pg_buffercache');
    await this.#database.query('SELECT pg_buffercache_evict_all()');
  }

  #objectName(number) {
    return `p${pad(number % PREFIXES, 5)}/f${pad(number, 7)}`;
  }
}

function get(path, query) {
  // Canonical: sorted, and encoded as the signature wants it.
  const text = Object.entries(query)
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([name, value]) => `${name}=${encodeURIComponent(value)}`)
    .join('&');
  return { method: 'GET', path, query: text };
}

function times(item) {
  return Array.from({ length: REPEATS }, () => item);
}

/** Values at places spread over the whole, in no order. */
function spread(at) {
  return Array.from({ length: REPEATS }, (_, index) => at((((index * 13) % REPEATS) + 0.5) / REPEATS));
}

function batches(path, entries) {
  return Array.from({ length: entries.length / PAGE }, (_, index) => ({
    method: 'POST',
    path,
    query: 'delete=',
    body: `<Delete>${entries
      .slice(index * PAGE, (index + 1) * PAGE)
      .map(entryXml)
      .join('')}</Delete>`,
  }));
}

function entryXml({ key, version }) {
  return `<Object><Key>${key}</Key>${version === undefined ? '' : `<VersionId>${version}</VersionId>`}</Object>`;
}

function pad(number, length) {
  return String(Math.floor(number)).padStart(length, '0');
}

function short(scale) {
  return scale >= 1_000_000 ? `${scale / 1_000_000}M` : `${scale / 1000}k`;
}

function digits(value) {
  return Number(value.toFixed(value < 10 ? 1 : 0));
}
