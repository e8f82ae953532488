import { type BeforeApplicationShutdown, Injectable, Logger, type OnApplicationBootstrap } from '@nestjs/common';
import { BackgroundLoop } from '../common/background-loop';
import { Database } from '../database/database';
import { isPassing, LEASE_SECONDS, RewrapChunkRunner } from './rewrap-chunk-runner.service';
import { RewrapChunkRepository } from './rewrap-chunk.repository';
import { REWRAP_CHANNEL, RewrapJobRepository } from './rewrap-job.repository';
import { RewrapPlanner } from './rewrap-planner.service';
import { selectionOf } from './rewrap-selection';
import type { RewrapOrder } from './rewrap.types';

const CHUNK = 1_000;
/** Longer than counting takes. */
const PLAN_LEASE_SECONDS = 60;
const POLL_MS = 5_000;

/**
 * Works on rewrap jobs, in every process of the fleet alike: whoever is free plans, takes a chunk, or ends a walk. All that
 * is known of a job is in the database, so any process may die at any moment and the others go on where it was.
 */
@Injectable()
export class RewrapWorker implements OnApplicationBootstrap, BeforeApplicationShutdown {
  private readonly logger = new Logger(RewrapWorker.name);
  private readonly loop = new BackgroundLoop({ step: () => this.step(), pollMs: POLL_MS, logger: this.logger });
  private stopListening: (() => Promise<void>) | undefined;

  constructor(
    private readonly database: Database,
    private readonly jobs: RewrapJobRepository,
    private readonly chunks: RewrapChunkRepository,
    private readonly planner: RewrapPlanner,
    private readonly runner: RewrapChunkRunner,
  ) {}

  async onApplicationBootstrap(): Promise<void> {
    const wake = (): void => this.wake();
    this.stopListening = await this.database.listen(REWRAP_CHANNEL, wake, wake);
    this.loop.start();
  }

  async beforeApplicationShutdown(): Promise<void> {
    this.runner.stop();
    await this.loop.stop();
    await this.stopListening?.();
  }

  /**
   * Does the next piece of work there is.
   * @returns false when there is none for this process at the moment
   */
  async step(): Promise<boolean> {
    const order = await this.jobs.takePlan(PLAN_LEASE_SECONDS);
    if (order !== undefined) {
      await this.plan(order);
      return true;
    }
    const taken =
      (await this.chunks.takeAbandoned(LEASE_SECONDS)) ?? (await this.chunks.take(selectionOf, CHUNK, LEASE_SECONDS));
    if (taken === 'walked') {
      return true;
    }
    if (taken !== undefined) {
      await this.jobs.announce(taken.order.id);
      await this.runner.run(taken);
      return true;
    }
    const finished = await this.chunks.finishWalk();
    if (finished?.completed === true) {
      this.logger.log(`Rewrap job ${finished.id} is completed`);
    }
    return finished !== undefined;
  }

  private async plan(order: RewrapOrder): Promise<void> {
    try {
      await this.planner.plan(order);
    } catch (error) {
      if (isPassing(error)) {
        await this.jobs.postponePlan(order.id, error.message);
        return;
      }
      const message = error instanceof Error ? error.message : String(error);
      this.logger.warn(`Rewrap job ${order.id} cannot be planned: ${message}`);
      await this.jobs.setState(order.id, ['running'], 'failed', message);
    }
  }

  private wake(): void {
    this.loop.wake();
    this.runner.wake();
  }
}
