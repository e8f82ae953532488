import {
  type BeforeApplicationShutdown,
  Injectable,
  Logger,
  type OnApplicationBootstrap,
  Optional,
} from '@nestjs/common';
import { crc32c } from '@node-rs/crc32';
import { AuditTrail } from '../common/audit-trail';
import { BackgroundLoop } from '../common/background-loop';
import { Settings } from '../settings/settings';
import { BlobNotFoundError, BlobStore, BlobTruncatedError } from './blob-store';
import { countScrubbed } from './scrub.metrics';
import { type DamageReason, type ExpectedBlob, type LeasedScrub, ScrubRepository } from './scrub.repository';

const POLL_MS = 60_000;
const RENEW_EVERY_MS = 15_000;
const PAGE = 100;

/**
 * Reads every blob once in a while and compares its bytes, encrypted as they are, with the checksum of when it was written.
 * One process of the fleet does so at a time, at a set pace; where it is killed another goes on.
 */
@Injectable()
export class BlobScrubber implements OnApplicationBootstrap, BeforeApplicationShutdown {
  private readonly logger = new Logger(BlobScrubber.name);
  private readonly loop = new BackgroundLoop({ step: () => this.step(), pollMs: POLL_MS, logger: this.logger });

  constructor(
    private readonly repository: ScrubRepository,
    private readonly store: BlobStore,
    private readonly settings: Settings,
    @Optional() private readonly audit?: AuditTrail,
  ) {}

  onApplicationBootstrap(): void {
    if (this.settings.scrubIntervalSeconds > 0) {
      this.loop.start();
    }
  }

  async beforeApplicationShutdown(): Promise<void> {
    await this.loop.stop();
  }

  /** Looks at once whether a round is due. */
  wake(): void {
    this.loop.wake();
  }

  /**
   * Goes on with the round that is due, to its end or until the process stops.
   * @returns false when none is due
   */
  async step(): Promise<boolean> {
    const leased = await this.repository.take();
    if (leased === undefined) {
      return false;
    }
    const renewal = setInterval(() => void this.repository.renew(leased).catch(() => undefined), RENEW_EVERY_MS);
    renewal.unref();
    try {
      if (await this.walk(leased)) {
        await this.repository.finish(leased, this.settings.scrubIntervalSeconds);
      } else {
        await this.repository.release(leased);
      }
    } catch (error) {
      await this.repository.release(leased);
      throw error;
    } finally {
      clearInterval(renewal);
    }
    return true;
  }

  /** False when it was stopped, or taken over by another process. */
  private async walk(leased: LeasedScrub): Promise<boolean> {
    let after = leased.cursor;
    for (;;) {
      const blobs = await this.repository.blobs(after, PAGE);
      for (const blob of blobs) {
        const startedAt = performance.now();
        const damaged = await this.verify(blob);
        if (!(await this.repository.advance(leased, blob, damaged))) {
          return false;
        }
        await this.loop.rest((blob.size / this.settings.scrubRate) * 1_000 - (performance.now() - startedAt));
        if (this.loop.stopping) {
          return false;
        }
        after = blob.id;
      }
      if (blobs.length < PAGE) {
        return true;
      }
    }
  }

  private async verify(blob: ExpectedBlob): Promise<boolean> {
    const reason = await this.inspect(blob);
    if (reason === undefined) {
      countScrubbed('sound', blob.size);
      await this.repository.forget(blob.id);
      return false;
    }
    const damage = await this.repository.report(blob.id, reason);
    if (damage === undefined) {
      return false;
    }
    countScrubbed(reason, blob.size);
    this.logger.error({ msg: `A stored blob is damaged: ${reason}`, ...damage });
    this.audit?.note({
      category: 'object',
      operation: 'BlobScrub',
      principal: 'system',
      outcome: 'failure',
      errorClass: `blob-${reason}`,
      resource: damage.bucket === undefined ? undefined : `/${damage.bucket}/${damage.key ?? ''}`,
      details: { blob: blob.id, ...(damage.versionId === undefined ? {} : { versionId: damage.versionId }) },
    });
    return true;
  }

  private async inspect({ id, size, crc32c: expected }: ExpectedBlob): Promise<DamageReason | undefined> {
    try {
      const reader = await this.store.open(id, 0, size);
      try {
        let sum = 0;
        for (let chunk = await reader.next(); chunk !== undefined; chunk = await reader.next()) {
          sum = crc32c(chunk, sum);
        }
        return sum === expected ? undefined : 'altered';
      } finally {
        await reader.close();
      }
    } catch (error) {
      if (error instanceof BlobNotFoundError) {
        return 'missing';
      }
      if (error instanceof BlobTruncatedError) {
        return 'short';
      }
      if ((error as NodeJS.ErrnoException).code === 'EIO') {
        return 'unreadable';
      }
      throw error;
    }
  }
}
