import { type BeforeApplicationShutdown, Injectable, Logger, type OnApplicationBootstrap } from '@nestjs/common';
import { BackgroundLoop } from '../common/background-loop';
import { Database } from '../database/database';
import { Settings } from '../settings/settings';
import { LIFECYCLE_CHANNEL, LifecycleRunRepository } from './lifecycle-run.repository';
import { LifecycleRunner } from './lifecycle-runner.service';
import { setLifecycleLag } from './lifecycle.metrics';

const LONGEST_POLL_MS = 30_000;

/**
 * Carries out lifecycle rules, in every process of the fleet alike: whoever is free takes the bucket that has been due the
 * longest. All that is known of a run is in the database, so any process may die and another goes on where it was.
 */
@Injectable()
export class LifecycleWorker implements OnApplicationBootstrap, BeforeApplicationShutdown {
  private readonly logger = new Logger(LifecycleWorker.name);
  private readonly loop: BackgroundLoop;
  private stopListening: (() => Promise<void>) | undefined;

  constructor(
    private readonly database: Database,
    private readonly runs: LifecycleRunRepository,
    private readonly runner: LifecycleRunner,
    private readonly settings: Settings,
  ) {
    this.loop = new BackgroundLoop({
      step: () => this.step(),
      pollMs: Math.min(LONGEST_POLL_MS, settings.lifecycleIntervalSeconds * 1_000),
      logger: this.logger,
    });
  }

  async onApplicationBootstrap(): Promise<void> {
    if (this.settings.lifecycleIntervalSeconds === 0) {
      return;
    }
    const wake = (): void => this.loop.wake();
    this.stopListening = await this.database.listen(LIFECYCLE_CHANNEL, wake, wake);
    this.loop.start();
  }

  async beforeApplicationShutdown(): Promise<void> {
    await this.loop.stop();
    await this.stopListening?.();
  }

  /**
   * Runs the rules of one bucket.
   * @returns false when none is due
   */
  async step(): Promise<boolean> {
    const run = await this.runs.take();
    if (run === undefined) {
      setLifecycleLag(0);
      return false;
    }
    await this.runner.run(run, this.loop);
    setLifecycleLag(await this.runs.lagSeconds());
    return true;
  }
}
