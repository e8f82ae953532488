import { createHash } from 'node:crypto';
import { open, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { SESSION } from './session-size';
import { sha256Of } from './tree';

const MIB = 1024 * 1024;
const SEED = 0x5eed_0001;
const SAMPLE_BYTES = 32;

/** A large file and what is known of it. */
export interface LargeFile {
  readonly path: string;
  readonly size: number;
  /** In hex. */
  readonly sha256: string;
  /** Some of its content, from its beginning, its middle and its end. */
  readonly samples: readonly Buffer[];
}

/**
 * Writes the large file of a session: the same bytes in every run, which no client can compress, thin out or find twice.
 */
export async function writeLarge(path: string): Promise<LargeFile> {
  const words = new Uint32Array(MIB / Uint32Array.BYTES_PER_ELEMENT);
  const block = Buffer.from(words.buffer);
  const hash = createHash('sha256');
  const samples: Buffer[] = [];
  const sampled = [0, Math.floor(SESSION.largeMebibytes / 2), SESSION.largeMebibytes - 1];
  const file = await open(path, 'wx');
  let state = SEED;
  for (let index = 0; index < SESSION.largeMebibytes; index++) {
    state = fillWithNoise(words, state);
    hash.update(block);
    if (sampled.includes(index)) {
      samples.push(Buffer.from(block.subarray(MIB / 2, MIB / 2 + SAMPLE_BYTES)));
    }
    await file.writeFile(block);
  }
  await file.close();
  return { path, size: SESSION.largeMebibytes * MIB, sha256: hash.digest('hex'), samples };
}

/** Checks that a file holds the same bytes as the large one. */
export async function expectSameContent(path: string, large: LargeFile): Promise<void> {
  expect(await sha256Of(path)).toBe(large.sha256);
}

/**
 * Looks for content of the large file in every file below a directory.
 * @returns the bytes looked through
 */
export async function expectNoPlaintext(directory: string, large: LargeFile): Promise<number> {
  let bytes = 0;
  for (const entry of await readdir(directory, { recursive: true, withFileTypes: true })) {
    if (entry.isFile()) {
      bytes += await searchFile(join(entry.parentPath, entry.name), large.samples).catch(ignoreMissing);
    }
  }
  return bytes;
}

/** Marsaglia's xorshift of 32 bits, whose words repeat after 16 GiB only. */
function fillWithNoise(words: Uint32Array, seed: number): number {
  let state = seed;
  for (let index = 0; index < words.length; index++) {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    words[index] = state;
  }
  return state;
}

/** The store removes what was replaced in its own time. */
function ignoreMissing(error: NodeJS.ErrnoException): number {
  if (error.code !== 'ENOENT') {
    throw error;
  }
  return 0;
}

async function searchFile(path: string, samples: readonly Buffer[]): Promise<number> {
  const file = await open(path);
  const window = Buffer.alloc(4 * MIB);
  let kept = 0;
  let total = 0;
  for (;;) {
    const { bytesRead } = await file.read(window, kept, window.length - kept);
    if (bytesRead === 0) {
      break;
    }
    total += bytesRead;
    const filled = window.subarray(0, kept + bytesRead);
    expect(samples.map((sample) => filled.includes(sample))).toEqual(samples.map(() => false));
    // A sample may lie across two readings.
    kept = Math.min(filled.length, SAMPLE_BYTES - 1);
    window.copy(window, 0, filled.length - kept, filled.length);
  }
  await file.close();
  return total;
}
