import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, constants, mkdtempSync, openSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Worker } from 'node:worker_threads';
import { Logger } from '@nestjs/common';
import { eventually } from '../../../test/support/eventually';
import { Pkcs11Client, type StartThread } from './pkcs11-client';
import { Pkcs11LibraryUse, pkcs11LibraryUse } from './pkcs11-library-use';
import { testPkcs11Connection } from './pkcs11-connection-test';
import { pkcs11Settings, type Pkcs11Settings } from './pkcs11-settings';
import { Pkcs11Provider } from './pkcs11.provider';

Logger.overrideLogger(false);

const signal = (): AbortSignal => AbortSignal.timeout(10_000);

/** A thread that answers as told, or with what is thrown as its fault; opening the pipe, it hangs where nothing can interrupt it, as in a library. */
function newThread(answers: string): Worker {
  return new Worker(
    `const { parentPort } = require('node:worker_threads');
     const hang = (pipe) => require('node:fs').closeSync(require('node:fs').openSync(pipe, 'r'));
     const answers = { close: () => null, ${answers} };
     parentPort.on('message', ({ call, ask }) => {
       try {
         parentPort.postMessage({ answer: answers[call](ask) });
       } catch (reason) {
         parentPort.postMessage({ fault: { reason } });
       }
     });`,
    { eval: true },
  );
}

function threadOf(answers: string): StartThread {
  return () => newThread(answers);
}

/** Threads that run already, so that what hangs is the call, and not the start of a thread on a busy machine. */
async function runningThreads(count: number, answers: string): Promise<Worker[]> {
  const threads = Array.from({ length: count }, () => newThread(answers));
  await Promise.all(threads.map((thread) => once(thread, 'online')));
  return threads;
}

describe('PKCS#11 client', () => {
  let directory: string;
  let pipe: string;

  beforeAll(() => {
    directory = mkdtempSync(join(tmpdir(), 'strongroom-pkcs11-'));
    pipe = join(directory, 'pipe');
    execFileSync('mkfifo', [pipe]);
  });

  afterAll(() => rmSync(directory, { recursive: true }));

  function settings(library: string, timeout = '10s'): Pkcs11Settings {
    return pkcs11Settings({ library, slot: 1, pin: 'pin', key_name: 'key', timeout });
  }

  it('sends no more threads after a few that hang, whoever asks, until one of them returns', async () => {
    const running = await runningThreads(6, `probe: () => hang(${JSON.stringify(pipe)}), list: () => ['key']`);
    const threads: Worker[] = [];
    const start: StartThread = () => {
      threads.push(running.shift()!);
      return threads.at(-1)!;
    };
    const library = join(directory, 'hangs.so');
    const hanging = Array.from({ length: 4 }, () => new Pkcs11Client('pkcs11:test', settings(library, '1s'), start));
    const other = new Pkcs11Client('pkcs11:test', settings(library), start);
    await Promise.all(
      hanging.map((client) =>
        expect(client.call('probe', {}, signal())).rejects.toMatchObject({ kind: 'kms-timeout', retryable: true }),
      ),
    );
    await expect(other.call('list', {}, signal())).rejects.toMatchObject({
      kind: 'kms-unavailable',
      retryable: true,
      message: 'pkcs11:test has 4 calls that do not return from its library',
      remedy: expect.stringContaining('restart'),
    });
    expect(threads).toHaveLength(4);
    const elsewhere = new Pkcs11Client('pkcs11:other', settings(join(directory, 'well.so')), start);
    expect(await elsewhere.call('list', {}, signal())).toEqual(['key']);
    const exits = threads.slice(0, 4).map((thread) => once(thread, 'exit'));
    closeSync(openSync(pipe, constants.O_RDWR));
    await Promise.all(exits);
    expect(await other.call('list', {}, signal())).toEqual(['key']);
    await Promise.all([...hanging, other, elsewhere].map((client) => client.close()));
  });

  it('starts a library that fails anew, when no call is in it, and opens the sessions of all others again', async () => {
    const log = join(directory, 'calls.log');
    const calls = (): string[] => readFileSync(log, 'utf8').trim().split(' ');
    const answers = `
      note: (what) => require('node:fs').appendFileSync(${JSON.stringify(log)}, what + ' '),
      list: () => { answers.note('other' + require('node:worker_threads').threadId); return ['key']; },
      describe: () => { answers.note('slow'); hang(${JSON.stringify(pipe)}); answers.note('returned'); return []; },
      restart: () => { answers.note('restart'); return null; },
      probe: () => {
        answers.note('probe');
        if (!require('node:fs').readFileSync(${JSON.stringify(log)}, 'utf8').includes('restart')) throw 'CKR_GENERAL_ERROR';
        return null;
      }`;
    const library = join(directory, 'broken.so');
    const [failing, other, slow] = Array.from(
      { length: 3 },
      () => new Pkcs11Client('pkcs11:test', settings(library), threadOf(answers)),
    ) as [Pkcs11Client, Pkcs11Client, Pkcs11Client];
    await other.call('list', {}, signal());
    await other.call('list', {}, signal());
    const underWay = slow.call('describe', { label: 'key' }, signal());
    await eventually(() => expect(calls()).toContain('slow'));
    const cured = failing.call('probe', {}, signal());
    await eventually(() => expect(calls()).toContain('probe'));
    const release = openSync(pipe, constants.O_RDWR);
    await underWay;
    closeSync(release);
    expect(await cured).toBeNull();
    await other.call('list', {}, signal());
    const [first, second, ...rest] = calls();
    expect(first).toBe(second);
    expect(rest).toEqual(['slow', 'probe', 'returned', 'restart', 'probe', expect.stringMatching(/^other/)]);
    expect(rest).not.toContain(first);
    await Promise.all([failing, other, slow].map((client) => client.close()));
  });

  it('logs in with the PIN of the file after another has started the library anew', async () => {
    const pinFile = join(directory, 'pin');
    writeFileSync(pinFile, 'pin of the file');
    const given = pkcs11Settings({ library: join(directory, 'files.so'), slot: 1, pin_file: pinFile, key_name: 'key' });
    const pins: string[] = [];
    const start: StartThread = (options) => {
      pins.push(options.pin);
      const fails = pins.length === 2;
      return newThread(`
        list: () => ['key'], restart: () => null,
        probe: () => { if (${fails}) throw 'CKR_GENERAL_ERROR'; return null; }`);
    };
    const [other, failing] = [
      new Pkcs11Client('pkcs11:test', given, start),
      new Pkcs11Client('pkcs11:test', given, start),
    ];
    await other.call('list', {}, signal());
    await failing.call('probe', {}, signal());
    await other.call('list', {}, signal());
    // The thread that starts the library anew logs in nowhere.
    const file = 'pin of the file';
    expect(pins).toEqual([file, file, '', file, file]);
    await Promise.all([failing, other].map((client) => client.close()));
  });

  it('knows a library by its file, whatever path leads there', () => {
    const [file, link] = [join(directory, 'real.so'), join(directory, 'link.so')];
    writeFileSync(file, '');
    symlinkSync(file, link);
    expect(pkcs11LibraryUse(link)).toBe(pkcs11LibraryUse(file));
    expect(pkcs11LibraryUse(join(directory, 'none.so'))).not.toBe(pkcs11LibraryUse(file));
  });

  it('lengthens the pause once for a start that helped nobody, however many say so', async () => {
    const use = new Pkcs11LibraryUse();
    const now = jest.spyOn(performance, 'now').mockReturnValue(10_000);
    try {
      const restart = (): Promise<boolean> => use.restart(use.start, false, () => Promise.resolve());
      expect(await restart()).toBe(true);
      Array.from({ length: 3 }, () => use.judgeRestart(use.start, false));
      now.mockReturnValue(13_999);
      expect(await restart()).toBe(false);
      now.mockReturnValue(14_000);
      expect(await restart()).toBe(true);
    } finally {
      now.mockRestore();
    }
  });

  it('makes no call in a library that is being started anew', async () => {
    const use = new Pkcs11LibraryUse();
    let order = '';
    let [finish, restarted] = [(): void => undefined, (): void => undefined];
    const first = use.call(() => new Promise<void>((resolve) => (finish = resolve)));
    const begun = use.restart(use.start, false, () => {
      order += 'restart ';
      return new Promise((resolve) => (restarted = resolve));
    });
    const second = use.call(async () => {
      order += 'call ';
    });
    finish();
    await first;
    await eventually(() => expect(order).toBe('restart '));
    restarted();
    expect(await begun).toBe(true);
    await second;
    expect(order).toBe('restart call ');
  });

  it('leaves a library alone for a while that a new start has not helped', async () => {
    const log = join(directory, 'restarts.log');
    const answers = `
      probe: () => { throw 'no-token'; },
      restart: () => { require('node:fs').appendFileSync(${JSON.stringify(log)}, 'r'); return null; }`;
    const client = new Pkcs11Client('pkcs11:test', settings(join(directory, 'stays.so')), threadOf(answers));
    for (let call = 0; call < 3; call++) {
      await expect(client.call('probe', {}, signal())).rejects.toThrow(/no such token/);
    }
    expect(readFileSync(log, 'utf8')).toBe('r');
    await client.close();
  });

  it('closes although a call hangs', async () => {
    const [thread] = await runningThreads(1, `probe: () => hang(${JSON.stringify(pipe)})`);
    const start = jest.fn(() => thread!);
    const client = new Pkcs11Client('pkcs11:test', settings(join(directory, 'closes.so'), '1s'), start);
    const hanging = client.call('probe', {}, signal());
    await eventually(() => expect(start).toHaveBeenCalled());
    const closed = client.close();
    await expect(hanging).rejects.toMatchObject({ kind: 'kms-timeout' });
    await closed;
    const exit = once(thread!, 'exit');
    closeSync(openSync(pipe, constants.O_RDWR));
    await exit;
  });

  it.each([
    [{ wraps: false, makesKeys: true }, 'failed', /AES-GCM/],
    [{ wraps: true, makesKeys: false }, 'warning', /CKM_AES_KEY_GEN.*create and rotate keys/],
    [{ wraps: true, makesKeys: true }, 'passed', /makes AES keys/],
  ])('tells in the connection test what a token cannot do: %j', async (mechanisms, outcome, detail) => {
    const start = threadOf(`
      library: () => 'library', token: () => 'token', login: () => true, mechanisms: () => (${JSON.stringify(mechanisms)}),
      describe: () => [{ version: '01' }]`);
    const given = settings(join(directory, 'told.so'));
    const client = new Pkcs11Client('pkcs11:test', given, start);
    const provider = new Pkcs11Provider('pkcs11:test', given, start);
    const { steps } = await testPkcs11Connection({
      kms: 'pkcs11:test',
      settings: given,
      client,
      provider,
      signal: signal(),
    });
    expect(steps.find(({ name }) => name === 'mechanism')).toMatchObject({
      outcome,
      detail: expect.stringMatching(detail),
      ...(outcome === 'passed' ? {} : { remedy: expect.any(String) }),
    });
    await Promise.all([client.close(), provider.destroy()]);
  });
});
