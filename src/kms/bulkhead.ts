import { KmsError } from './kms-error';

interface Waiter {
  readonly admit: () => void;
}

/** Bounds how many calls are under way at once and how many wait for their turn. */
export class Bulkhead {
  private active = 0;
  private readonly queue: Waiter[] = [];

  /**
   * @param limit calls under way at once
   * @param queueLimit calls waiting; further ones are refused at once
   */
  constructor(
    private readonly limit: number,
    private readonly queueLimit: number,
  ) {}

  /**
   * Waits for a slot; every success must be paired with one {@link release}.
   * @throws KmsError `kms-throttled` when the queue is full; the signal's reason when it is aborted while waiting
   */
  async acquire(signal: AbortSignal): Promise<void> {
    signal.throwIfAborted();
    if (this.active < this.limit) {
      this.active++;
      return;
    }
    if (this.queue.length >= this.queueLimit) {
      throw new KmsError('kms-throttled', 'Too many KMS calls are waiting');
    }
    await new Promise<void>((resolve, reject) => {
      const onAbort = (): void => {
        this.queue.splice(this.queue.indexOf(waiter), 1);
        reject(signal.reason as Error);
      };
      const waiter: Waiter = {
        admit: () => {
          signal.removeEventListener('abort', onAbort);
          resolve();
        },
      };
      this.queue.push(waiter);
      signal.addEventListener('abort', onAbort, { once: true });
    });
  }

  release(): void {
    const next = this.queue.shift();
    if (next) {
      next.admit();
    } else {
      this.active--;
    }
  }
}
