/**
 * The load generator, a process of its own. Takes one job at a time over the channel of child_process.fork:
 * `{host, port, method, connections, keys, size, headers, query, seconds | requests, accessKey, secretKey}` where `keys` is a
 * path with `%d` for the running number modulo `modulo`; or with `items: [{method, path, query, body, status}]` in place of
 * method, path, query and size, each of which is sent once. Answers `{requests, bytes, seconds, p50, p95, p99}`.
 */
import { randomBytes } from 'node:crypto';
import { RawConnection } from './lib/raw-connection.mjs';
import { Signer } from './lib/sigv4.mjs';

const CHUNK = randomBytes(1 << 20);

process.on('message', (job) => {
  run(job).then(
    (result) => process.send({ result }),
    (error) => process.send({ error: error.message }),
  );
});
process.on('disconnect', () => process.exit(0));

async function run(job) {
  const signer = new Signer(job);
  const connections = await Promise.all(
    Array.from({ length: job.connections }, () => RawConnection.open(job.host, job.port)),
  );
  const body = bodyOf(job);
  const latencies = [];
  const started = performance.now();
  const deadline = job.seconds === undefined ? Infinity : started + job.seconds * 1000;
  const limit = job.items?.length ?? job.requests ?? Infinity;
  let issued = 0;
  let bytes = 0;
  try {
    await Promise.all(
      connections.map(async (connection) => {
        while (issued < limit && performance.now() < deadline) {
          const number = issued++;
          const begin = performance.now();
          const { method, status = 200 } = job.items?.[number] ?? job;
          const answer =
            job.items === undefined
              ? await connection.request(headOf(job, signer, number), body)
              : await sendItem(connection, job, signer, job.items[number]);
          if (answer.status !== status)
            throw new Error(`${method} answered ${answer.status}: ${answer.text.slice(0, 400)}`);
          latencies.push(performance.now() - begin);
          bytes += method === 'PUT' ? job.size : answer.bytes;
        }
      }),
    );
  } finally {
    for (const connection of connections) connection.close();
  }
  const seconds = (performance.now() - started) / 1000;
  latencies.sort((a, b) => a - b);
  const [p50, p95, p99] = [0.5, 0.95, 0.99].map((share) => quantile(latencies, share));
  return { requests: latencies.length, bytes, seconds, p50, p95, p99 };
}

function sendItem(connection, job, signer, { method, path, query, body }) {
  const chunk = body === undefined ? undefined : Buffer.from(body, 'utf8');
  const headers = chunk === undefined ? {} : { 'content-length': String(chunk.length) };
  const head = signer.head({ method, host: `${job.host}:${job.port}`, path, query, headers });
  return connection.request(head, chunk === undefined ? undefined : { chunk, times: 1 }, method === 'HEAD');
}

function headOf(job, signer, number) {
  const index = String(job.first + (job.modulo === undefined ? number : number % job.modulo)).padStart(8, '0');
  const headers = { ...job.headers };
  if (job.method === 'PUT') headers['content-length'] = String(job.size);
  return signer.head({
    method: job.method,
    host: `${job.host}:${job.port}`,
    path: job.path.replace('%d', index),
    query: job.query?.replace('%d', index),
    headers,
  });
}

function bodyOf(job) {
  if (job.method !== 'PUT' || job.size === 0) return undefined;
  if (job.size <= CHUNK.length) return { chunk: CHUNK.subarray(0, job.size), times: 1 };
  return { chunk: CHUNK, times: job.size / CHUNK.length };
}

function quantile(sorted, share) {
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? 0;
}
