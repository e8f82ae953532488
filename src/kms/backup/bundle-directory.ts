import { randomBytes } from 'node:crypto';
import { constants } from 'node:fs';
import { lstat, mkdir, open, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { errorCode } from '../../settings/error-code';
import type { BackupBundle } from './backup-bundle';
import { readManifest } from './backup-bundle';
import { BackupError } from './backup-error';

const NAME = /^[A-Za-z0-9_-][A-Za-z0-9._-]{0,127}$/;
const MANIFEST = 'manifest.json';
/** More than a hundred thousand key versions. */
const LARGEST_FILE = 64 * 1024 * 1024;

/** @throws BackupError `backup-invalid` for what cannot name a bundle */
export function checkBundleName(name: string): void {
  if (!NAME.test(name)) {
    throw new BackupError(
      'backup-invalid',
      'A bundle is named by up to 128 of A-Z a-z 0-9 . _ -, and not by a dot first',
    );
  }
}

/**
 * Writes a bundle as a directory of its own, whole or not at all: beside its place, forced to disk, and renamed into it.
 * @throws BackupError `backup-exists`, `backup-not-configured` when the directory cannot be written
 */
export async function writeBundle(directory: string, name: string, bundle: BackupBundle): Promise<void> {
  checkBundleName(name);
  const final = join(directory, name);
  const draft = join(directory, `.${randomBytes(8).toString('hex')}`);
  try {
    if (await exists(final)) {
      throw new BackupError('backup-exists', `There is a bundle ${name} already`);
    }
    await mkdir(draft, { recursive: true, mode: 0o700 });
    for (const [path, bytes] of [...bundle.artifacts, [MANIFEST, bundle.manifest] as const]) {
      await writeDurably(join(draft, path), bytes);
    }
    await syncDirectory(draft);
    await rename(draft, final);
    await syncDirectory(directory);
  } catch (error) {
    const code = errorCode(error);
    if (code === 'EEXIST' || code === 'ENOTEMPTY') {
      throw new BackupError('backup-exists', `There is a bundle ${name} already`);
    }
    throw error instanceof BackupError
      ? error
      : new BackupError('backup-not-configured', `The backup directory cannot be written (${code})`, { cause: error });
  } finally {
    await rm(draft, { recursive: true, force: true });
  }
}

/** @throws BackupError `backup-invalid`, `backup-not-found`, `backup-damaged` */
export async function readBundle(directory: string, name: string): Promise<BackupBundle> {
  checkBundleName(name);
  const place = join(directory, name);
  const status = await lstat(place).catch((error: unknown) => {
    throw unreadable(error, name);
  });
  if (!status.isDirectory()) {
    throw new BackupError('backup-damaged', `Bundle ${name} is not a directory`);
  }
  const manifest = await readPart(join(place, MANIFEST)).catch((error: unknown) => {
    throw unreadable(error, name);
  });
  const artifacts = new Map<string, Buffer>();
  for (const { path } of readManifest(manifest).artifacts) {
    checkBundleName(path);
    const bytes = await readPart(join(place, path)).catch((error: unknown) => {
      throw errorCode(error) === 'ENOENT'
        ? new BackupError('backup-damaged', `The bundle lacks ${path}`)
        : unreadable(error, name);
    });
    artifacts.set(path, bytes);
  }
  return { manifest, artifacts };
}

function unreadable(error: unknown, name: string): BackupError {
  if (error instanceof BackupError) {
    return error;
  }
  const code = errorCode(error);
  return code === 'ENOENT'
    ? new BackupError('backup-not-found', `There is no bundle ${name}`)
    : new BackupError('backup-damaged', `Bundle ${name} cannot be read (${code})`, { cause: error });
}

/** Reads a plain file; no link is followed out of the directory, and no pipe is waited for. */
async function readPart(path: string): Promise<Buffer> {
  const file = await open(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  try {
    const status = await file.stat();
    if (!status.isFile() || status.size > LARGEST_FILE) {
      throw new BackupError(
        'backup-damaged',
        'A file of the bundle is not a plain one, or larger than any that is written',
      );
    }
    const bytes = Buffer.alloc(status.size);
    const { bytesRead } = await file.read(bytes, 0, status.size, 0);
    return bytes.subarray(0, bytesRead);
  } finally {
    await file.close();
  }
}

async function exists(path: string): Promise<boolean> {
  return lstat(path).then(
    () => true,
    (error: unknown) => {
      if (errorCode(error) === 'ENOENT') {
        return false;
      }
      throw error;
    },
  );
}

async function writeDurably(path: string, bytes: Buffer): Promise<void> {
  const file = await open(path, 'wx', 0o600);
  try {
    await file.writeFile(bytes);
    await file.sync();
  } finally {
    await file.close();
  }
}

async function syncDirectory(path: string): Promise<void> {
  const directory = await open(path, 'r');
  try {
    await directory.sync();
  } finally {
    await directory.close();
  }
}
