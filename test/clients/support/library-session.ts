import { mkdir, readdir, stat } from 'node:fs/promises';
import { dirname, join, relative } from 'node:path';
import { settleInLanes } from '../../../src/common/in-lanes';
import { type ClientStore, LISTED } from './client-store';
import { SESSION } from './session-size';
import { changeTree, fingerprints, plantTree } from './tree';

const LANES = 16;

/** The calls of a client library, on one bucket, that a program keeping a folder there would make. */
export interface ClientLibrary {
  /** Every key under a prefix, with its size. */
  list(prefix: string): Promise<ReadonlyMap<string, number>>;
  put(key: string, path: string): Promise<unknown>;
  get(key: string, path: string): Promise<unknown>;
  remove(keys: string[]): Promise<unknown>;
}

/** Sends a tree, sends it again (nothing may be transferred), changes it, sends that, and brings everything back. */
export async function carryTree(library: ClientLibrary, store: ClientStore, bucket: string): Promise<void> {
  const source = store.path('tree');
  const names = await plantTree(source);
  const synchronise = (): Promise<Transfers> => makeAlike(library, source, 'tree/');
  expect(await synchronise()).toEqual({ sent: SESSION.files, removed: 0 });
  expect(await store.expectSealed(bucket, 'tree/')).toBe(Math.min(SESSION.files, LISTED));
  expect(await synchronise()).toEqual({ sent: 0, removed: 0 });

  const { changed, added, deleted } = await changeTree(source, names);
  expect(await synchronise()).toEqual({ sent: changed + added, removed: deleted });

  const keys = [...(await library.list('tree/')).keys()];
  await inParallel(keys, async (key) => {
    const path = store.path('back', key);
    await mkdir(dirname(path), { recursive: true });
    await library.get(key, path);
  });
  expect(await fingerprints(store.path('back', 'tree'))).toEqual(await fingerprints(source));
}

/** @throws what the first of the failed ones threw */
async function inParallel<T>(items: readonly T[], work: (item: T) => Promise<void>): Promise<void> {
  const outcomes = await settleInLanes(items, LANES, work);
  const failed = outcomes.find((outcome) => outcome.status === 'rejected');
  if (failed !== undefined) {
    throw failed.reason;
  }
}

interface Transfers {
  readonly sent: number;
  readonly removed: number;
}

/** Makes the objects under a prefix the same as the files of a tree, judged by name and size. */
async function makeAlike(library: ClientLibrary, root: string, prefix: string): Promise<Transfers> {
  const [local, stored] = await Promise.all([sizesOf(root), library.list(prefix)]);
  const toSend = [...local].filter(([name, size]) => stored.get(prefix + name) !== size);
  const toRemove = [...stored.keys()].filter((key) => !local.has(key.slice(prefix.length)));
  await inParallel(toSend, async ([name]) => {
    await library.put(prefix + name, join(root, name));
  });
  if (toRemove.length > 0) {
    await library.remove(toRemove);
  }
  return { sent: toSend.length, removed: toRemove.length };
}

async function sizesOf(root: string): Promise<ReadonlyMap<string, number>> {
  const sizes = new Map<string, number>();
  for (const entry of await readdir(root, { recursive: true, withFileTypes: true })) {
    if (entry.isFile()) {
      const path = join(entry.parentPath, entry.name);
      sizes.set(relative(root, path), (await stat(path)).size);
    }
  }
  return sizes;
}
