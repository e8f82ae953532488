/** What this machine can do at best, measured in the same run: bare HTTP, the cipher alone, the disk alone. */
import { createCipheriv, createHash, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { open, rm } from 'node:fs/promises';
import { createServer } from 'node:http';
import { join } from 'node:path';
import { fork } from 'node:child_process';
import { fileURLToPath } from 'node:url';

const PACKAGE_BYTES = 64 * 1024;

/** Starts a process with a bare node:http server that swallows PUT bodies and answers GET with `size` bytes. */
export async function startBareServer() {
  const child = fork(fileURLToPath(import.meta.url), ['serve']);
  const [port] = await once(child, 'message');
  return { host: '127.0.0.1', port, stop: () => child.disconnect() };
}

/** Bytes per second of AES-256-GCM over 64 KiB packages on one core. */
export function cipherSpeed(seconds = 1) {
  const key = randomBytes(32);
  const block = randomBytes(PACKAGE_BYTES);
  return speed(seconds, PACKAGE_BYTES, () => {
    const cipher = createCipheriv('aes-256-gcm', key, block.subarray(0, 12));
    cipher.update(block);
    cipher.final();
    cipher.getAuthTag();
  });
}

/** Bytes per second of MD5 on one core: the price of an S3 ETag. */
export function md5Speed(seconds = 1) {
  const block = randomBytes(PACKAGE_BYTES);
  const hash = createHash('md5');
  return speed(seconds, PACKAGE_BYTES, () => hash.update(block));
}

/** Bytes per second of writing 64 MiB files in 1 MiB steps with one fdatasync each. */
export async function diskSpeed(directory, files = 4) {
  const block = randomBytes(1 << 20);
  const path = join(directory, 'ceiling');
  const started = performance.now();
  for (let file = 0; file < files; file++) {
    const handle = await open(path, 'w');
    for (let step = 0; step < 64; step++) await handle.write(block);
    await handle.datasync();
    await handle.close();
  }
  const seconds = (performance.now() - started) / 1000;
  await rm(path);
  return (files * 64 * block.length) / seconds;
}

function speed(seconds, bytes, step) {
  const started = performance.now();
  let rounds = 0;
  while (performance.now() - started < seconds * 1000) {
    for (let i = 0; i < 64; i++) step();
    rounds += 64;
  }
  return (rounds * bytes) / ((performance.now() - started) / 1000);
}

if (process.argv[2] === 'serve') {
  const block = randomBytes(1 << 20);
  const server = createServer({ highWaterMark: 256 * 1024 }, (request, response) => {
    if (request.method === 'PUT') {
      request.resume().on('end', () => response.writeHead(200, { 'content-length': 0 }).end());
      return;
    }
    const size = Number(new URL(request.url, 'http://localhost').searchParams.get('size'));
    response.writeHead(200, { 'content-length': size });
    let left = size;
    const push = () => {
      while (left > 0) {
        const part = left >= block.length ? block : block.subarray(0, left);
        left -= part.length;
        if (!response.write(part)) return void response.once('drain', push);
      }
      response.end();
    };
    push();
  });
  server.listen(0, '127.0.0.1', () => process.send(server.address().port));
  process.on('disconnect', () => process.exit(0));
}
