import {
  chmodSync,
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Worker } from 'node:worker_threads';
import { Secret } from '../common/secret';
import { loadRootKey, parseRootKey } from './root-key';

describe('loadRootKey', () => {
  let directory: string;
  let rootKeyFile: string;

  beforeEach(() => {
    directory = mkdtempSync(join(tmpdir(), 'root-key-'));
    rootKeyFile = join(directory, 'data', 'root.key');
  });

  afterEach(() => {
    rmSync(directory, { recursive: true });
  });

  const other = new Secret(Buffer.alloc(32, 7).toString('hex'));

  it('makes a key once, for its owner alone', () => {
    const key = loadRootKey({ rootKeyFile });
    expect(key).toHaveLength(32);
    expect(statSync(rootKeyFile).mode & 0o777).toBe(0o600);
    expect(readdirSync(join(directory, 'data'))).toEqual(['root.key']);
    expect(loadRootKey({ rootKeyFile })).toEqual(key);
  });

  it('takes the variable in base64 or hex and then writes no file', () => {
    const bytes = Buffer.alloc(32, 7);
    for (const text of [bytes.toString('hex'), bytes.toString('base64'), bytes.toString('base64url')]) {
      expect(loadRootKey({ rootKeyFile, rootKey: new Secret(text) })).toEqual(bytes);
    }
    expect(existsSync(rootKeyFile)).toBe(false);
  });

  it('refuses a variable that differs from the file, showing neither', () => {
    loadRootKey({ rootKeyFile });
    expect(() => loadRootKey({ rootKeyFile, rootKey: other })).toThrow(/differs from the key in/);
    const stored = readFileSync(rootKeyFile, 'utf8').trim();
    expect(() => loadRootKey({ rootKeyFile, rootKey: other })).not.toThrow(new RegExp(stored.replace(/[+/]/g, '\\$&')));
    expect(loadRootKey({ rootKeyFile, rootKey: new Secret(stored) })).toHaveLength(32);
  });

  it.each([0o640, 0o604, 0o620])('refuses a file of mode %o', (mode) => {
    loadRootKey({ rootKeyFile });
    chmodSync(rootKeyFile, mode);
    expect(() => loadRootKey({ rootKeyFile })).toThrow(/open to other users.*chmod 600/);
  });

  it('refuses a damaged file instead of replacing it', () => {
    loadRootKey({ rootKeyFile });
    writeFileSync(rootKeyFile, 'short');
    expect(() => loadRootKey({ rootKeyFile })).toThrow(/does not hold 32 bytes/);
    expect(readFileSync(rootKeyFile, 'utf8')).toBe('short');
  });

  it('refuses a malformed variable', () => {
    expect(() => loadRootKey({ rootKeyFile, rootKey: new Secret('abc') })).toThrow(/openssl rand -base64 32/);
  });

  it('gives several starters the same key', async () => {
    // The makers run in their own threads, so that they really meet in the file system.
    const script = `
      const { workerData, parentPort } = require('node:worker_threads');
      const fs = require('node:fs');
      try {
        fs.writeFileSync(workerData + '.draft', 'k'.repeat(43) + '=\\n', { mode: 0o600 });
        fs.linkSync(workerData + '.draft', workerData);
      } catch {}
      parentPort.postMessage('done');`;
    loadRootKey({ rootKeyFile: join(directory, 'data', 'unrelated.key') });
    const rival = new Worker(script, { eval: true, workerData: rootKeyFile });
    const ended = new Promise((resolve) => rival.once('exit', resolve));
    const key = loadRootKey({ rootKeyFile });
    await ended;
    expect(loadRootKey({ rootKeyFile })).toEqual(key);
  });
});

describe('parseRootKey', () => {
  it('reads nothing but 32 bytes', () => {
    expect(parseRootKey('zz'.repeat(32))).toBeUndefined();
    expect(parseRootKey(Buffer.alloc(31).toString('base64'))).toBeUndefined();
    expect(parseRootKey(Buffer.alloc(33).toString('base64'))).toBeUndefined();
    expect(parseRootKey(` ${Buffer.alloc(32, 1).toString('base64')}\n`)).toEqual(Buffer.alloc(32, 1));
  });
});
