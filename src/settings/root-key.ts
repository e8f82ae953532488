import { randomBytes, timingSafeEqual } from 'node:crypto';
import {
  closeSync,
  fchmodSync,
  fstatSync,
  fsyncSync,
  linkSync,
  mkdirSync,
  openSync,
  readFileSync,
  rmSync,
  writeSync,
} from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { errorCode } from './error-code';
import type { Settings } from './settings';
import { SettingsError } from './settings-error';

/** Injection token of the root key: a Buffer of 32 bytes that seals every secret in the database. */
export const ROOT_KEY = Symbol('ROOT_KEY');

const KEY_BYTES = 32;
const OTHERS = 0o077;

/**
 * Finds the root key: the variable STRONGROOM_ROOT_KEY, else the key file, else a new key written to that file.
 *
 * A new file is written beside its final name with mode 0600, forced to disk and linked into place, so that it is never
 * seen half-written and of several processes starting at once one makes the key and the others read it.
 *
 * @returns 32 bytes
 * @throws SettingsError when the key is malformed, the file is open to others, or file and variable differ
 */
export function loadRootKey(settings: Pick<Settings, 'rootKey' | 'rootKeyFile'>): Buffer {
  const given = settings.rootKey === undefined ? undefined : parseRootKey(settings.rootKey.reveal());
  if (settings.rootKey !== undefined && given === undefined) {
    throw new SettingsError([
      'STRONGROOM_ROOT_KEY (value not shown): expected 32 bytes in base64 or hex; make one with: openssl rand -base64 32',
    ]);
  }
  const stored = readKeyFile(settings.rootKeyFile);
  if (given === undefined) {
    return stored ?? createKeyFile(settings.rootKeyFile);
  }
  if (stored !== undefined && !timingSafeEqual(given, stored)) {
    throw new SettingsError([
      `STRONGROOM_ROOT_KEY differs from the key in ${settings.rootKeyFile}; what the file's key sealed cannot be opened with ` +
        'another key. Remove the variable to use the file, or move the file away if the variable is the right key',
    ]);
  }
  return given;
}

/** Reads 32 bytes from 64 hex digits or from base64 (either alphabet); `undefined` when it is neither. */
export function parseRootKey(text: string): Buffer | undefined {
  const trimmed = text.trim();
  if (/^[0-9a-f]{64}$/i.test(trimmed)) {
    return Buffer.from(trimmed, 'hex');
  }
  if (!/^[A-Za-z0-9+/_-]{43}=?$/.test(trimmed)) {
    return undefined;
  }
  const key = Buffer.from(trimmed, 'base64');
  return key.length === KEY_BYTES ? key : undefined;
}

function readKeyFile(path: string): Buffer | undefined {
  let descriptor: number;
  try {
    descriptor = openSync(path, 'r');
  } catch (error) {
    if (errorCode(error) === 'ENOENT') {
      return undefined;
    }
    throw new SettingsError([
      `The root key file ${path} cannot be read (${errorCode(error)}); make it readable by this user`,
    ]);
  }
  try {
    const mode = fstatSync(descriptor).mode & 0o777;
    if ((mode & OTHERS) !== 0) {
      throw new SettingsError([
        `The root key file ${path} is open to other users (mode 0${mode.toString(8)}); run: chmod 600 '${path}'`,
      ]);
    }
    const key = parseRootKey(readFileSync(descriptor, 'utf8'));
    if (key === undefined) {
      throw new SettingsError([
        `The root key file ${path} does not hold 32 bytes in base64 or hex; restore it from a backup (a new key cannot open ` +
          'what the old one sealed)',
      ]);
    }
    return key;
  } finally {
    closeSync(descriptor);
  }
}

function createKeyFile(path: string): Buffer {
  const directory = dirname(path);
  const draft = join(directory, `.${basename(path)}.${process.pid}.${randomBytes(6).toString('hex')}`);
  const key = randomBytes(KEY_BYTES);
  try {
    mkdirSync(directory, { recursive: true, mode: 0o700 });
    const descriptor = openSync(draft, 'wx', 0o600);
    try {
      // The mode given to open is cut by the umask; this makes it exact.
      fchmodSync(descriptor, 0o600);
      writeSync(descriptor, `${key.toString('base64')}\n`);
      fsyncSync(descriptor);
    } finally {
      closeSync(descriptor);
    }
    linkSync(draft, path);
    syncDirectory(directory);
    return key;
  } catch (error) {
    if (errorCode(error) === 'EEXIST') {
      const winner = readKeyFile(path);
      if (winner !== undefined) {
        return winner;
      }
    }
    throw new SettingsError([
      `The root key file ${path} cannot be created (${errorCode(error)}); make ${directory} writable, or set STRONGROOM_ROOT_KEY ` +
        'or STRONGROOM_ROOT_KEY_FILE',
    ]);
  } finally {
    rmSync(draft, { force: true });
  }
}

function syncDirectory(directory: string): void {
  const descriptor = openSync(directory, 'r');
  try {
    fsyncSync(descriptor);
  } finally {
    closeSync(descriptor);
  }
}
