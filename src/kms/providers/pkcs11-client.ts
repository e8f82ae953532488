import { join } from 'node:path';
import { Worker } from 'node:worker_threads';
import { Logger } from '@nestjs/common';
import { Bulkhead } from '../bulkhead';
import { KmsError } from '../kms-error';
import { pkcs11Error } from './pkcs11-errors';
import { pkcs11LibraryUse, type Pkcs11LibraryUse } from './pkcs11-library-use';
import type {
  Pkcs11CallName,
  Pkcs11Calls,
  Pkcs11FaultFacts,
  Pkcs11Request,
  Pkcs11Response,
  Pkcs11ThreadOptions,
} from './pkcs11-port';
import type { Pkcs11Settings } from './pkcs11-settings';
import { SecretFile } from './secret-file';

const QUEUE_LIMIT = 1_024;
const CLOSE_TIME = 2_000;
/** Others in this process have ended the library, or a thread was given up between its end and its start. */
const ENDED = 'CKR_CRYPTOKI_NOT_INITIALIZED';
/** What a library answers that has lost its way, or looks for tokens only when it starts. */
const PERHAPS_BROKEN: ReadonlySet<string> = new Set([
  'CKR_GENERAL_ERROR',
  'CKR_FUNCTION_FAILED',
  'CKR_DEVICE_ERROR',
  ENDED,
  'CKR_TOKEN_NOT_PRESENT',
  'CKR_TOKEN_NOT_RECOGNIZED',
  'CKR_SLOT_ID_INVALID',
  'no-token',
]);

/** Starts the thread; replaced in tests. */
export type StartThread = (options: Pkcs11ThreadOptions) => Worker;

/** The compiled pkcs11-worker.ts beside this file. */
const startThread: StartThread = (options) =>
  new Worker(join(__dirname, 'pkcs11-worker.js'), { workerData: options, name: 'pkcs11' });

/**
 * The PKCS#11 library in a thread of its own, because its calls block: one call at a time, the others wait in a bounded
 * queue. A thread that dies is replaced at the next call. A call that its caller gave up goes on in the library, which
 * cannot be interrupted, and holds up those behind it until it returns or its time is over; then its thread is replaced.
 * A library that fails by itself is started anew, and the call made once more.
 */
export class Pkcs11Client {
  private readonly logger = new Logger(Pkcs11Client.name);
  private readonly turn = new Bulkhead(1, QUEUE_LIMIT);
  private readonly pinFile: SecretFile | undefined;
  private readonly use: Pkcs11LibraryUse;
  private thread: Worker | undefined;
  /** The start of the library that the thread has its session from. */
  private threadOf = 0;
  private closed = false;
  /** A PIN that was refused is not tried again, or the token would lock itself. */
  private refused: { readonly pin: string; readonly error: KmsError } | undefined;

  /** @param kms `<type>:<target>`, for messages */
  constructor(
    private readonly kms: string,
    private readonly settings: Pkcs11Settings,
    private readonly start: StartThread = startThread,
  ) {
    this.pinFile = settings.pinFile === undefined ? undefined : new SecretFile(kms, 'pin_file', settings.pinFile);
    this.use = pkcs11LibraryUse(settings.library);
  }

  /**
   * Makes one call.
   * @throws KmsError; the signal's reason when it is aborted first
   */
  async call<Name extends Pkcs11CallName>(
    name: Name,
    ask: Pkcs11Calls[Name]['ask'],
    signal: AbortSignal,
  ): Promise<Pkcs11Calls[Name]['answer']> {
    await this.turn.acquire(signal);
    const answer = this.inTurn(name, ask).finally(() => this.turn.release());
    return abandonable(answer, signal);
  }

  /** Closes the session and ends the thread. */
  async close(): Promise<void> {
    this.closed = true;
    const signal = AbortSignal.timeout(CLOSE_TIME);
    try {
      await this.turn.acquire(signal);
      try {
        await abandonable(
          this.use.call(() => this.closeSession()),
          signal,
        );
      } finally {
        this.turn.release();
      }
      this.retire();
    } catch {
      this.abandon();
    }
  }

  private async inTurn<Name extends Pkcs11CallName>(
    name: Name,
    ask: Pkcs11Calls[Name]['ask'],
  ): Promise<Pkcs11Calls[Name]['answer']> {
    const attempt = (): Promise<Pkcs11Response> => this.use.call(() => this.attempt({ call: name, ask }));
    let response = await attempt();
    if (mayBeBroken(response) && (await this.restartLibrary(response.fault.reason === ENDED))) {
      response = await attempt();
      this.use.judgeRestart(this.threadOf, !mayBeBroken(response));
    }
    if ('answer' in response) {
      return response.answer as Pkcs11Calls[Name]['answer'];
    }
    throw pkcs11Error(this.kms, response.fault);
  }

  private async attempt(request: Pkcs11Request): Promise<Pkcs11Response> {
    // Before the PIN is read, which only a new thread needs.
    if (this.threadOf !== this.use.start) {
      this.retire();
    }
    const pin = await this.readPin();
    if (this.closed) {
      throw new KmsError('kms-unavailable', `${this.kms} is no longer in use`);
    }
    this.thread ??= this.startThread(pin);
    const response = await this.askInTime(this.thread, request);
    if ('fault' in response && response.fault.reason.startsWith('CKR_PIN_')) {
      this.refused = { pin, error: pkcs11Error(this.kms, response.fault) };
      this.retire();
    }
    return response;
  }

  /** By a thread of its own, which has no session to lose. @returns whether it is worth trying again */
  private async restartLibrary(ended: boolean): Promise<boolean> {
    return this.use.restart(this.threadOf, ended, async () => {
      this.logger.warn(`${this.kms}: the PKCS#11 library fails; it is started anew`);
      this.retire();
      try {
        this.thread = this.startThread('');
        const response = await this.askInTime(this.thread, { call: 'restart', ask: {} });
        if ('fault' in response) {
          throw pkcs11Error(this.kms, response.fault);
        }
      } catch (error) {
        this.logger.error(`${this.kms}: the PKCS#11 library cannot be started anew: ${(error as Error).message}`);
      }
      this.retire();
    });
  }

  private async closeSession(): Promise<void> {
    if (this.thread && this.threadOf === this.use.start) {
      await this.askInTime(this.thread, { call: 'close', ask: {} });
    }
  }

  private async readPin(): Promise<string> {
    const { refused, settings } = this;
    const pin = this.pinFile && (refused || !this.thread) ? await this.pinFile.read() : (settings.pin?.reveal() ?? '');
    if (refused) {
      if (refused.pin === pin) {
        throw refused.error;
      }
      this.refused = undefined;
    }
    return pin;
  }

  private startThread(pin: string): Worker {
    const { library, slot, tokenLabel } = this.settings;
    this.use.refuseMoreThreads(this.kms);
    const thread = this.start({ library, slot, tokenLabel, pin });
    this.threadOf = this.use.start;
    thread.unref();
    thread.on('error', (error) => this.logger.error(`The PKCS#11 thread of ${this.kms} failed: ${error.message}`));
    thread.on('exit', () => {
      if (this.thread === thread) {
        this.thread = undefined;
      }
    });
    return thread;
  }

  private retire(): void {
    void this.thread?.terminate();
    this.thread = undefined;
  }

  /** The thread does not return from the library. */
  private abandon(): void {
    if (this.thread) {
      this.use.abandon(this.thread);
      this.thread = undefined;
    }
  }

  private async askInTime(thread: Worker, request: Pkcs11Request): Promise<Pkcs11Response> {
    const { timeout } = this.settings;
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<never>((_resolve, reject) => {
      timer = setTimeout(() => {
        if (this.thread === thread) {
          this.logger.warn(`${this.kms}: a call hangs in the PKCS#11 library; its thread is replaced`);
          this.abandon();
        }
        reject(
          new KmsError('kms-timeout', `${this.kms} did not return from its library within ${timeout} ms`, {
            remedy: 'Check the HSM and the way to it; raise timeout where it is well and only slow.',
          }),
        );
      }, timeout);
    });
    try {
      return await Promise.race([this.ask(thread, request), late]);
    } finally {
      clearTimeout(timer);
    }
  }

  private async ask(thread: Worker, request: Pkcs11Request): Promise<Pkcs11Response> {
    return new Promise((resolve, reject) => {
      const ended = (): void => {
        thread.off('message', answered);
        reject(new KmsError('kms-unavailable', `The PKCS#11 thread of ${this.kms} ended during the call`));
      };
      const answered = (response: Pkcs11Response): void => {
        thread.off('exit', ended);
        resolve(response);
      };
      thread.once('message', answered);
      thread.once('exit', ended);
      thread.postMessage(request);
    });
  }
}

function mayBeBroken(response: Pkcs11Response): response is { readonly fault: Pkcs11FaultFacts } {
  return 'fault' in response && PERHAPS_BROKEN.has(response.fault.reason);
}

/** Waits no longer than the signal allows; what comes later is dropped. */
async function abandonable<T>(answer: Promise<T>, signal: AbortSignal): Promise<T> {
  let abandon = (): void => undefined;
  const abandoned = new Promise<never>((_resolve, reject) => {
    abandon = () => reject(signal.reason as Error);
    signal.addEventListener('abort', abandon, { once: true });
    if (signal.aborted) {
      abandon();
    }
  });
  try {
    return await Promise.race([answer, abandoned]);
  } finally {
    signal.removeEventListener('abort', abandon);
  }
}
