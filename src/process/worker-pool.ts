import type { Cluster, Worker } from 'node:cluster';
import { once } from 'node:events';
import type { LoggerService } from '@nestjs/common';
import { closeConnectionsLostWith } from './handed-over-connections';
import { isReadyMessage, type ShutdownMessage } from './process-messages';

const FIRST_RESTART_MS = 100;
const LONGEST_RESTART_MS = 10_000;
/** A worker that lived this long starts the back-off anew. */
const STABLE_MS = 60_000;

/** Keeps a fixed number of workers running: a dead one is replaced, with growing pauses while it keeps dying. */
export class WorkerPool {
  private stopping = false;
  private restartDelay = FIRST_RESTART_MS;

  constructor(
    private readonly cluster: Cluster,
    private readonly size: number,
    private readonly environment: Readonly<Record<string, string>>,
    private readonly logger: LoggerService,
  ) {}

  /**
   * Starts all workers and resolves when each is ready.
   * @returns the port they share
   * @throws Error when one ends before it was ready; it has said why on its standard error
   */
  async start(): Promise<number> {
    const ports = await Promise.all(Array.from({ length: this.size }, () => this.fork()));
    return ports[0] ?? 0;
  }

  /** Asks all workers to finish, and ends those that have not after the given time and a margin. */
  async stop(seconds: number): Promise<void> {
    this.stopping = true;
    const workers = Object.values(this.cluster.workers ?? {}).filter(
      (worker): worker is Worker => worker !== undefined,
    );
    await Promise.all(workers.map((worker) => stopWorker(worker, seconds)));
  }

  private fork(): Promise<number> {
    const worker = this.cluster.fork(this.environment);
    closeConnectionsLostWith(worker.process);
    // What is written to a worker that has just ended fails, and would end this process if nobody listened.
    worker.on('error', (error) => void this.logger.warn(`Worker ${worker.process.pid}: ${error.message}`));
    const startedAt = Date.now();
    let ready = false;
    const becameReady = new Promise<number>((resolve, reject) => {
      worker.on('message', (message: unknown) => {
        if (isReadyMessage(message)) {
          ready = true;
          resolve(message.port);
        }
      });
      worker.once('exit', () => reject(new Error('A worker ended before it was ready')));
    });
    worker.once('exit', (code: number | null, signal: string | null) => {
      if (!this.stopping && ready) {
        this.replace(worker, signal ?? `exit code ${code}`, Date.now() - startedAt);
      }
    });
    return becameReady;
  }

  private replace(worker: Worker, reason: string, livedMs: number): void {
    this.restartDelay = livedMs > STABLE_MS ? FIRST_RESTART_MS : this.restartDelay;
    this.logger.error(`Worker ${worker.process.pid} ended (${reason}); starting another in ${this.restartDelay} ms`);
    this.retry();
  }

  private retry(): void {
    setTimeout(() => {
      if (this.stopping) {
        return;
      }
      this.fork().then(
        () => {
          this.logger.log('The worker was replaced');
        },
        () => this.retry(),
      );
    }, this.restartDelay);
    this.restartDelay = Math.min(this.restartDelay * 2, LONGEST_RESTART_MS);
  }
}

async function stopWorker(worker: Worker, seconds: number): Promise<void> {
  if (worker.isDead()) {
    return;
  }
  const ended = once(worker, 'exit');
  const shutdown: ShutdownMessage = { type: 'strongroom:shutdown' };
  if (worker.isConnected()) {
    worker.send(shutdown);
  }
  const timer = setTimeout(() => worker.process.kill('SIGKILL'), seconds * 1000 + 2_000);
  await ended;
  clearTimeout(timer);
}
