import { createHash, randomBytes } from 'node:crypto';
import { type Dirent, constants } from 'node:fs';
import { access, mkdir, open, readdir, stat, unlink } from 'node:fs/promises';
import { hostname } from 'node:os';
import { dirname, join } from 'node:path';
import { type BlobReader, BlobNotFoundError, BlobStore, type BlobWriter } from './blob-store';
import { FilesystemBlobReader } from './filesystem-blob-reader';
import { FilesystemBlobWriter } from './filesystem-blob-writer';

const ID = /^[0-9a-f]{32}$/;
const STAGED = /^([0-9a-f]{8})-(\d+)-[0-9a-f]{32}$/;
const DIRECTORY_MODE = 0o700;

/**
 * Blobs as files `<root>/objects/ab/cd/abcd…`, written under `<root>/staging` and renamed when durable. Immutable, named by
 * 128 random bits, mode 0600 in directories of mode 0700.
 */
export class FilesystemBlobStore extends BlobStore {
  private readonly objects: string;
  private readonly staging: string;
  /** Tells this machine's processes from those of others that share the directory. */
  private readonly host = createHash('sha256').update(hostname()).digest('hex').slice(0, 8);
  private readonly known = new Set<string>();
  private ready: Promise<void> | undefined;

  /** @param root absolute directory; made on first use */
  constructor(root: string) {
    super();
    this.objects = join(root, 'objects');
    this.staging = join(root, 'staging');
  }

  async create(): Promise<BlobWriter> {
    await this.prepareRoot();
    const id = randomBytes(16).toString('hex');
    const final = this.path(id);
    const directory = dirname(final);
    return FilesystemBlobWriter.create({
      id,
      staged: join(this.staging, `${this.host}-${process.pid}-${id}`),
      final,
      prepare: () => this.prepareDirectory(directory),
      syncDirectory: () => syncDirectory(directory),
    });
  }

  async open(id: string, offset: number, length: number): Promise<BlobReader> {
    try {
      return new FilesystemBlobReader(await open(this.path(id), constants.O_RDONLY), offset, length);
    } catch (error) {
      throw isMissing(error) ? new BlobNotFoundError('A blob is missing from the blob store', { cause: error }) : error;
    }
  }

  async delete(ids: readonly string[]): Promise<string[]> {
    const gone: string[] = [];
    for (const id of ids) {
      if (await remove(this.path(id))) {
        gone.push(id);
      }
    }
    return gone;
  }

  async *listOlderThan(ageMs: number): AsyncIterable<readonly string[]> {
    await this.prepareRoot();
    const limit = Date.now() - ageMs;
    for (const first of await entries(this.objects)) {
      for (const second of await entries(join(this.objects, first.name))) {
        const directory = join(this.objects, first.name, second.name);
        const old: string[] = [];
        for (const file of await entries(directory)) {
          if (ID.test(file.name) && (await lastChange(join(directory, file.name))) <= limit) {
            old.push(file.name);
          }
        }
        if (old.length > 0) {
          yield old;
        }
      }
    }
  }

  async removeAbandoned(ageMs: number): Promise<number> {
    await this.prepareRoot();
    const limit = Date.now() - ageMs;
    let removed = 0;
    for (const file of await entries(this.staging)) {
      const match = STAGED.exec(file.name);
      const path = join(this.staging, file.name);
      const orphaned = match !== null && match[1] === this.host && !isAlive(Number(match[2]));
      if ((orphaned || (await lastChange(path)) <= limit) && (await remove(path))) {
        removed += 1;
      }
    }
    return removed;
  }

  async probe(): Promise<void> {
    await this.prepareRoot();
    await access(this.staging, constants.W_OK | constants.X_OK);
    await access(this.objects, constants.R_OK | constants.W_OK | constants.X_OK);
  }

  private path(id: string): string {
    if (!ID.test(id)) {
      throw new BlobNotFoundError('A blob id is malformed');
    }
    return join(this.objects, id.slice(0, 2), id.slice(2, 4), id);
  }

  private prepareRoot(): Promise<void> {
    this.ready ??= this.makeRoot().catch((error: unknown) => {
      this.ready = undefined;
      throw error;
    });
    return this.ready;
  }

  private async makeRoot(): Promise<void> {
    await mkdir(this.staging, { recursive: true, mode: DIRECTORY_MODE });
    await mkdir(this.objects, { recursive: true, mode: DIRECTORY_MODE });
    await syncDirectory(dirname(this.objects));
  }

  /** A directory's own name must be durable before a file in it can be called durable. */
  private async prepareDirectory(directory: string): Promise<void> {
    if (this.known.has(directory)) {
      return;
    }
    const parent = dirname(directory);
    await mkdir(directory, { recursive: true, mode: DIRECTORY_MODE });
    await syncDirectory(parent);
    await syncDirectory(dirname(parent));
    this.known.add(directory);
  }
}

async function syncDirectory(path: string): Promise<void> {
  const handle = await open(path, constants.O_RDONLY | constants.O_DIRECTORY);
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

async function entries(path: string): Promise<Dirent[]> {
  return readdir(path, { withFileTypes: true }).catch((error: unknown) => {
    if (isMissing(error)) {
      return [];
    }
    throw error;
  });
}

/** The later of content and name change, in milliseconds; a rename counts, so a fresh blob is never old. */
async function lastChange(path: string): Promise<number> {
  try {
    const { mtimeMs, ctimeMs } = await stat(path);
    return Math.max(mtimeMs, ctimeMs);
  } catch (error) {
    if (isMissing(error)) {
      return Number.POSITIVE_INFINITY;
    }
    throw error;
  }
}

async function remove(path: string): Promise<boolean> {
  try {
    await unlink(path);
    return true;
  } catch (error) {
    return isMissing(error);
  }
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}

function isMissing(error: unknown): boolean {
  return (error as NodeJS.ErrnoException).code === 'ENOENT';
}
