/** Big files for the demonstration: made, hashed and searched as streams. */
import { createHash, randomBytes } from 'node:crypto';
import { createReadStream, readdirSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { join } from 'node:path';

const STEP = 1 << 20;

/** Writes random bytes with the marker at the start of every MiB, so that no part of the file is without it. */
export async function writeMarkedFile(path, bytes, marker) {
  const handle = await open(path, 'w');
  const hash = createHash('sha256');
  try {
    for (let written = 0; written < bytes; written += STEP) {
      const block = randomBytes(Math.min(STEP, bytes - written));
      marker.copy(block);
      hash.update(block);
      await handle.write(block);
    }
  } finally {
    await handle.close();
  }
  return hash.digest('hex');
}

export async function sha256OfFile(path) {
  const hash = createHash('sha256');
  for await (const chunk of createReadStream(path, { highWaterMark: STEP })) hash.update(chunk);
  return hash.digest('hex');
}

/** Looks for the marker in one file, also across the borders of what is read at a time. */
export async function fileContains(path, marker) {
  let tail = Buffer.alloc(0);
  for await (const chunk of createReadStream(path, { highWaterMark: STEP })) {
    const window = Buffer.concat([tail, chunk]);
    if (window.includes(marker)) return true;
    tail = window.subarray(Math.max(0, window.length - marker.length + 1));
  }
  return false;
}

/** Every regular file below a directory. */
export function filesBelow(directory) {
  return readdirSync(directory, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath ?? entry.path, entry.name));
}
