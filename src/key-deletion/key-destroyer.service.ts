import {
  type BeforeApplicationShutdown,
  Injectable,
  Logger,
  type OnApplicationBootstrap,
  Optional,
} from '@nestjs/common';
import { AuditTrail } from '../common/audit-trail';
import { BackgroundLoop } from '../common/background-loop';
import { KeptKeyStateRepository, type DueKey } from '../kms/kept-key-state.repository';
import { KmsError } from '../kms/kms-error';
import { KmsService } from '../kms/kms.service';
import { KeyUsageService, type KeyUsage } from '../object-storage/key-usage.service';

const POLL_MS = 60_000;
/** Until a deletion that failed, or whose process died, is tried again. */
const PAUSE_SECONDS = 3_600;

/**
 * Deletes keys whose time has come in KMSs that have no waiting time themselves. A key that nothing hung on when its deletion
 * was scheduled is kept when something hangs on it now: an object may just have been on its way.
 */
@Injectable()
export class KeyDestroyer implements OnApplicationBootstrap, BeforeApplicationShutdown {
  private readonly logger = new Logger(KeyDestroyer.name);
  private readonly loop = new BackgroundLoop({ step: () => this.step(), pollMs: POLL_MS, logger: this.logger });

  constructor(
    private readonly states: KeptKeyStateRepository,
    private readonly kms: KmsService,
    private readonly usage: KeyUsageService,
    @Optional() private readonly audit?: AuditTrail,
  ) {}

  onApplicationBootstrap(): void {
    this.loop.start();
  }

  async beforeApplicationShutdown(): Promise<void> {
    await this.loop.stop();
  }

  /** Deletes one key that is due. @returns false when there is none for this process */
  async step(): Promise<boolean> {
    const due = await this.states.claimDue(PAUSE_SECONDS);
    if (due) {
      await this.attempt(due);
    }
    return due !== undefined;
  }

  private async attempt(due: DueKey): Promise<void> {
    const { kms, keyId } = due;
    try {
      const usage = await this.usage.usageOf(kms, keyId);
      if (!due.lossesAccepted && isUsed(usage)) {
        this.logger.warn(
          `Key ${kms}/${keyId} was not deleted: ${usage.objects} objects hang on it, which nobody agreed to lose`,
        );
        await this.record(due, usage, 'key-still-referenced');
      } else if (await this.states.destroy(kms, keyId, () => this.kms.destroyKey(kms, keyId))) {
        this.logger.warn(`Key ${kms}/${keyId} was deleted`);
        await this.record(due, usage);
      }
    } catch (error) {
      if (!(error instanceof KmsError)) {
        throw error;
      }
      const remedy = error.remedy === undefined ? '' : `. ${error.remedy}`;
      this.logger.warn(`Key ${kms}/${keyId} could not be deleted: ${error.message}${remedy}`);
      await this.record(due, undefined, error.kind);
    }
  }

  private async record({ kms, keyId }: DueKey, usage: KeyUsage | undefined, errorClass?: string): Promise<void> {
    await this.audit?.record({
      category: 'kms',
      operation: 'KmsDeleteKey',
      principal: 'system',
      outcome: errorClass === undefined ? 'success' : 'failure',
      errorClass,
      kms,
      keyId,
      details: usage && { objects: String(usage.objects), bytes: String(usage.bytes), uploads: String(usage.uploads) },
    });
  }
}

function isUsed({ objects, uploads, escrowObjects, escrowUploads, bucketDefaults }: KeyUsage): boolean {
  return objects + uploads + escrowObjects + escrowUploads + bucketDefaults.length > 0;
}
