import { createHash, randomBytes } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { appendFile, mkdir, readdir, rm, writeFile } from 'node:fs/promises';
import { dirname, join, relative } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { SESSION } from './session-size';

const MIB = 1024 * 1024;

/** Names that a client, a signature or an XML document has stumbled over before. */
const ODD_NAMES = [
  'with space',
  ' space before',
  'space after ',
  'plus+sign',
  'percent%41',
  '100%',
  `quote's and "more"`,
  'ampersand&equals=semicolon;colon:',
  'hash#question?',
  'brackets[](){}',
  'comma,at@dollar$',
  'back`tick^pipe|tilde~',
  'star*',
  'less<greater>',
  '.hidden',
  '..two dots',
  '.folder/.file',
  'ünï/cødé 文件',
  'e\u0301 decomposed',
  '\u00e9 composed',
  'emoji 🗝️/🔒.txt',
  'n'.repeat(240),
  Array.from({ length: 7 }, (_, level) => `${level}`.repeat(100)).join('/'),
];

/** Sizes in turn: nothing, tiny, just around a package of the encryption, above what lies in a database row. */
const SIZES = [0, 1, 700, 1500, 3000, 10, 5000, 200, 900, 64];
const RARE_SIZES = [65_535, 65_536, 65_537, 200_000, 6 * MIB];

/**
 * Plants the tree of a session in nested folders: odd names first, then ordinary ones.
 * @returns their paths below the root, with slashes
 */
export async function plantTree(root: string): Promise<string[]> {
  const names = [...ODD_NAMES];
  for (let index = 0; names.length < SESSION.files; index++) {
    names.push(`folder ${index % 13}/sub-${index % 41}/file-${index}.bin`);
  }
  for (const [index, name] of names.entries()) {
    const size =
      index < ODD_NAMES.length
        ? 100 + index
        : (RARE_SIZES[index - ODD_NAMES.length] ?? SIZES[index % SIZES.length] ?? 0);
    await mkdir(dirname(join(root, name)), { recursive: true });
    await writeFile(join(root, name), randomBytes(size));
  }
  return names;
}

/**
 * Changes a planted tree as a day's work would: every 50th file grows, every 50th is deleted, some are new.
 * @returns how many of each
 */
export async function changeTree(
  root: string,
  names: readonly string[],
): Promise<{ changed: number; deleted: number; added: number }> {
  const changed = names.filter((_, index) => index % 50 === 0);
  const deleted = names.filter((_, index) => index % 50 === 25);
  const added = ['new file', 'new folder/ü+%.txt', 'new folder/empty'];
  for (const name of changed) {
    await appendFile(join(root, name), 'grown');
  }
  for (const name of deleted) {
    await rm(join(root, name));
  }
  for (const name of added) {
    await mkdir(dirname(join(root, name)), { recursive: true });
    await writeFile(join(root, name), name.endsWith('empty') ? '' : randomBytes(1234));
  }
  return { changed: changed.length, deleted: deleted.length, added: added.length };
}

/** Every file below a directory by its path, with the SHA-256 of its content. */
export async function fingerprints(root: string): Promise<Record<string, string>> {
  const entries = await readdir(root, { recursive: true, withFileTypes: true });
  const prints: [string, string][] = [];
  for (const entry of entries) {
    if (entry.isFile()) {
      const path = join(entry.parentPath, entry.name);
      prints.push([relative(root, path), await sha256Of(path)]);
    }
  }
  return Object.fromEntries(prints.sort());
}

/** The SHA-256 of a file in hex. */
export async function sha256Of(path: string): Promise<string> {
  const hash = createHash('sha256');
  await pipeline(createReadStream(path, { highWaterMark: MIB }), hash);
  return hash.digest('hex');
}
