import type { Logger } from '@nestjs/common';
import { Waker } from './waker';

const AFTER_FAILURE_MS = 1_000;

export interface BackgroundWork {
  /** Does the next piece of work there is; false when there is none for this process at the moment. */
  step(): Promise<boolean>;
  /** Milliseconds to wait for work before looking again. */
  readonly pollMs: number;
  readonly logger: Logger;
}

/** Does background work piece after piece until it is stopped; a piece that fails is logged and tried again. */
export class BackgroundLoop {
  private readonly waker = new Waker();
  private stopped = false;
  private woken = false;
  private running: Promise<void> = Promise.resolve();

  constructor(private readonly work: BackgroundWork) {}

  /** Whether the piece under way should come to an end. */
  get stopping(): boolean {
    return this.stopped;
  }

  start(): void {
    this.running = this.loop();
  }

  /** Looks for work at once. */
  wake(): void {
    this.woken = true;
    this.waker.wake();
  }

  /** Waits, unless it is stopped or woken meanwhile. */
  async rest(milliseconds: number): Promise<void> {
    if (!this.stopped && milliseconds > 0) {
      await this.waker.wait(milliseconds);
    }
  }

  /** Resolves when the piece under way is done. */
  async stop(): Promise<void> {
    this.stopped = true;
    this.waker.wake();
    await this.running;
  }

  private async loop(): Promise<void> {
    while (!this.stopped) {
      try {
        this.woken = false;
        if (!(await this.work.step()) && !this.woken) {
          await this.rest(this.work.pollMs);
        }
      } catch (error) {
        this.work.logger.warn(`Failed and goes on: ${error instanceof Error ? error.message : String(error)}`);
        await this.rest(AFTER_FAILURE_MS);
      }
    }
  }
}
