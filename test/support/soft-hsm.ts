import { execFileSync } from 'node:child_process';
import {
  closeSync,
  constants,
  existsSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { SHARE_ENV, Worker } from 'node:worker_threads';
import { transformSync } from '@swc/core';
import type { StartThread } from '../../src/kms/providers/pkcs11-client';

const ROOT = join(__dirname, '../..');
const LIBRARIES = ['/usr/lib/softhsm/libsofthsm2.so', '/usr/lib64/softhsm/libsofthsm.so', '/usr/lib64/libsofthsm2.so'];
const SOURCES = ['port', 'ciphertext', 'session', 'token', 'worker'].map((part) => `pkcs11-${part}`);
const SO_PIN = 'officer-pin';

/** The SoftHSM library of this machine. */
export function softHsmLibrary(): string | undefined {
  const util = (process.env['PATH'] ?? '').split(':').some((folder) => existsSync(join(folder, 'softhsm2-util')));
  const binding = join(ROOT, 'node_modules/pkcs11js/build/Release/pkcs11.node');
  return util && existsSync(binding) ? LIBRARIES.find((path) => existsSync(path)) : undefined;
}

/** Tokens in a directory of their own, and threads that can use them. */
export interface SoftHsm {
  readonly startThread: StartThread;
  /** Every thread started, oldest first. */
  readonly threads: readonly Worker[];
  /** The directory, for files of the test. */
  readonly directory: string;
  /**
   * Does something to a token behind the back of its users, in a thread of this process.
   *
   * @param script JavaScript that may use `js` (the module pkcs11js), `library`, `slot` and `session`, which is logged in
   *   where this process is
   */
  meddle(tokenLabel: string, script: string): Promise<void>;
  /**
   * Makes calls that look for keys in a token hang inside the library, as when an HSM does not answer: the file that
   * SoftHSM looks at first becomes a pipe, which is opened only when somebody writes to it.
   * @returns undoes it, and lets those that hang go on
   */
  hang(tokenLabel: string): () => void;
  /**
   * Makes a token unreadable, as for one who reads it while another process writes it; SoftHSM does not look at such a
   * token again before it is initialized anew.
   * @returns undoes it
   */
  spoil(tokenLabel: string): () => void;
  close(): void;
}

/**
 * Makes tokens. All at once and once in a process, because SoftHSM reads its configuration and looks for tokens only when
 * it is loaded.
 *
 * @param tokens user PINs by label
 */
export async function startSoftHsm(tokens: Readonly<Record<string, string>>): Promise<SoftHsm> {
  const directory = mkdtempSync(join(tmpdir(), 'strongroom-softhsm-'));
  const configuration = join(directory, 'softhsm2.conf');
  mkdirSync(join(directory, 'tokens'));
  writeFileSync(configuration, `directories.tokendir = ${join(directory, 'tokens')}\nlog.level = ERROR\n`);
  for (const [label, pin] of Object.entries(tokens)) {
    const parameters = ['--init-token', '--free', '--label', label, '--pin', pin, '--so-pin', SO_PIN];
    execFileSync('softhsm2-util', parameters, {
      env: { ...process.env, SOFTHSM2_CONF: configuration },
      stdio: 'pipe',
    });
  }
  await setProcessVariable('SOFTHSM2_CONF', configuration);
  const threads: Worker[] = [];
  const script = compileThread();
  return {
    directory,
    threads,
    meddle,
    hang: (tokenLabel) => hang(folderOf(directory, tokenLabel)),
    spoil: (tokenLabel) => spoil(folderOf(directory, tokenLabel)),
    startThread: (options) => {
      const thread = new Worker(script, { workerData: options });
      threads.push(thread);
      return thread;
    },
    close: () => {
      rmSync(directory, { recursive: true, force: true });
      rmSync(join(script, '..'), { recursive: true, force: true });
    },
  };
}

function folderOf(directory: string, tokenLabel: string): string {
  const tokens = join(directory, 'tokens');
  const named = (name: string): boolean => readFileSync(join(tokens, name, 'token.object')).includes(tokenLabel);
  return join(tokens, String(readdirSync(tokens).find(named)));
}

function spoil(folder: string): () => void {
  const [token, generation] = [join(folder, 'token.object'), join(folder, 'generation')];
  const kept = readFileSync(token);
  writeFileSync(token, kept.subarray(0, kept.length - 1));
  const count = readFileSync(generation);
  count.writeBigUInt64BE(count.readBigUInt64BE() + 1n);
  writeFileSync(generation, count);
  return () => writeFileSync(token, kept);
}

function hang(folder: string): () => void {
  const file = join(folder, 'generation');
  // The library may write the file anew at any moment, so the pipe takes its place in one step.
  execFileSync('mkfifo', [`${file}.pipe`]);
  renameSync(file, `${file}.kept`);
  renameSync(`${file}.pipe`, file);
  return () => {
    const pipe = openSync(file, constants.O_RDWR | constants.O_NONBLOCK);
    renameSync(`${file}.kept`, file);
    closeSync(pipe);
  };
}

async function meddle(tokenLabel: string, script: string): Promise<void> {
  const source = `
    const { workerData } = require('node:worker_threads');
    const js = require(workerData.module);
    const library = new js.PKCS11();
    library.load(workerData.library);
    try { library.C_Initialize(); } catch (error) { if (error.code !== js.CKR_CRYPTOKI_ALREADY_INITIALIZED) throw error; }
    const named = (slot) => library.C_GetTokenInfo(slot).label.trim() === workerData.tokenLabel;
    const slot = library.C_GetSlotList(true).find(named);
    const session = library.C_OpenSession(slot, js.CKF_SERIAL_SESSION | js.CKF_RW_SESSION);
    ${script}`;
  const workerData = { module: join(ROOT, 'node_modules/pkcs11js'), library: softHsmLibrary(), tokenLabel };
  await ended(new Worker(source, { eval: true, workerData }));
}

/** Jest's process.env is a copy, which native code does not see; a thread that shares the environment has the real one. */
async function setProcessVariable(name: string, value: string): Promise<void> {
  const source = `const { workerData: [name, value] } = require('node:worker_threads'); process.env[name] = value;`;
  await ended(new Worker(source, { eval: true, env: SHARE_ENV, workerData: [name, value] }));
}

async function ended(worker: Worker): Promise<void> {
  await new Promise((resolve, reject) => worker.once('exit', resolve).once('error', reject));
}

/** Threads are started outside of Jest and its transformation, so the sources are compiled here. */
function compileThread(): string {
  const cache = join(ROOT, 'node_modules/.cache');
  mkdirSync(cache, { recursive: true });
  const directory = mkdtempSync(join(cache, 'pkcs11-thread-'));
  for (const name of SOURCES) {
    const { code } = transformSync(readFileSync(join(ROOT, 'src/kms/providers', `${name}.ts`), 'utf8'), {
      jsc: { parser: { syntax: 'typescript' }, target: 'es2022' },
      module: { type: 'commonjs' },
    });
    writeFileSync(join(directory, `${name}.js`), code);
  }
  return createRequire(__filename).resolve(join(directory, 'pkcs11-worker.js'));
}
