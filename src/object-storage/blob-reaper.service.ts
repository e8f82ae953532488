import { type BeforeApplicationShutdown, Injectable, Logger, type OnApplicationBootstrap } from '@nestjs/common';
import { BlobRepository } from './blob.repository';
import { BlobStore } from './blob-store';
import { MultipartRepository } from './multipart.repository';
import { countRemoved } from './object-storage.metrics';

const BATCH = 500;
const REAP_EVERY_MS = 60_000;
const SWEEP_EVERY_MS = 6 * 3_600_000;
/** The first sweep waits, so that a start is not slowed down by it. */
const FIRST_SWEEP_MS = 30_000;

/** How long things stay before they are removed, in milliseconds. */
export interface ReaperAges {
  /** Blobs of deleted and replaced objects, for readers that found the object just before. */
  readonly deleted: number;
  /** Blobs that no metadata knows of; longer than any write needs from its last byte to its commit. */
  readonly orphan: number;
  /** Staged files of writers that may still be alive. */
  readonly staged: number;
  /** What a finished multipart upload turned into, for clients that repeat the completing request. */
  readonly completion: number;
}

export const DEFAULT_AGES: ReaperAges = {
  deleted: 15 * 60_000,
  orphan: 3_600_000,
  staged: 6 * 3_600_000,
  completion: 24 * 3_600_000,
};

/** Removes bytes that nothing refers to any more. One process of the fleet does so at a time. */
@Injectable()
export class BlobReaper implements OnApplicationBootstrap, BeforeApplicationShutdown {
  private readonly logger = new Logger(BlobReaper.name);
  private readonly timers: NodeJS.Timeout[] = [];
  private running: Promise<unknown> = Promise.resolve();
  private stopping = false;

  constructor(
    private readonly repository: BlobRepository,
    private readonly store: BlobStore,
    private readonly uploads: MultipartRepository,
  ) {}

  onApplicationBootstrap(): void {
    this.timers.push(setInterval(() => this.run(() => this.reap()), REAP_EVERY_MS).unref());
    this.timers.push(setTimeout(() => this.run(() => this.sweep()), FIRST_SWEEP_MS).unref());
    this.timers.push(setInterval(() => this.run(() => this.sweep()), SWEEP_EVERY_MS).unref());
  }

  async beforeApplicationShutdown(): Promise<void> {
    this.stopping = true;
    for (const timer of this.timers) {
      clearTimeout(timer);
    }
    await this.running;
  }

  /**
   * Deletes the blobs of deleted and replaced objects whose grace has passed.
   * @returns how many, or 0 when another process is at it
   */
  async reap(ages: ReaperAges = DEFAULT_AGES): Promise<number> {
    const removed = await this.repository.exclusively(async () => {
      let total = 0;
      for (;;) {
        const queued = this.stopping ? [] : await this.repository.queued(ages.deleted / 1000, BATCH);
        const gone = await this.store.delete(queued);
        await this.repository.forget(gone);
        total += gone.length;
        if (queued.length < BATCH || gone.length === 0) {
          break;
        }
      }
      await this.uploads.forgetCompleted(ages.completion / 1000);
      return total;
    });
    countRemoved('deleted', removed ?? 0);
    return removed ?? 0;
  }

  /**
   * Removes what crashes left behind: staged files, and blobs whose metadata was never committed.
   * @returns how many of each, or 0 when another process is at it
   */
  async sweep(ages: ReaperAges = DEFAULT_AGES): Promise<{ staged: number; orphans: number }> {
    const removed = await this.repository.exclusively(async () => {
      const staged = await this.store.removeAbandoned(ages.staged);
      let orphans = 0;
      for await (const ids of this.store.listOlderThan(ages.orphan)) {
        if (this.stopping) {
          break;
        }
        const unknown = await this.repository.unknown(ids);
        orphans += (await this.store.delete(unknown)).length;
      }
      return { staged, orphans };
    });
    const { staged, orphans } = removed ?? { staged: 0, orphans: 0 };
    countRemoved('staged', staged);
    countRemoved('orphan', orphans);
    if (staged + orphans > 0) {
      this.logger.log(`Swept ${staged} staged files and ${orphans} orphaned blobs`);
    }
    return { staged, orphans };
  }

  /** Runs a task of a timer after the one before it; a failure is logged and tried again at the next turn. */
  private run(task: () => Promise<unknown>): void {
    this.running = this.running.then(task).catch((error: unknown) => {
      this.logger.warn(`The blob reaper failed: ${error instanceof Error ? error.message : String(error)}`);
    });
  }
}
