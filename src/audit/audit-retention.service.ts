import {
  type BeforeApplicationShutdown,
  Inject,
  Injectable,
  Logger,
  type OnApplicationBootstrap,
} from '@nestjs/common';
import { AuditTrail } from '../common/audit-trail';
import { BackgroundLoop } from '../common/background-loop';
import { ROOT_KEY } from '../settings/root-key';
import { Settings } from '../settings/settings';
import { AuditChain, CHAIN_START, type ChainCut } from './audit-chain';
import { auditCutRecords, auditCutRefusals } from './audit.metrics';
import { AuditRepository, type ChainedRecord } from './audit.repository';

const POLL_MS = 3_600_000;
const BATCH = 1_000;

/**
 * Removes records that are older than they have to be kept. Only a stretch of the chain that still authenticates is
 * removed, so that cutting never hides that somebody altered the log.
 */
@Injectable()
export class AuditRetention implements OnApplicationBootstrap, BeforeApplicationShutdown {
  private readonly logger = new Logger(AuditRetention.name);
  private readonly loop = new BackgroundLoop({ step: () => this.cut(), pollMs: POLL_MS, logger: this.logger });
  private readonly chain: AuditChain;

  constructor(
    private readonly repository: AuditRepository,
    private readonly trail: AuditTrail,
    private readonly settings: Settings,
    @Inject(ROOT_KEY) rootKey: Buffer,
  ) {
    this.chain = new AuditChain(rootKey);
  }

  onApplicationBootstrap(): void {
    if (this.settings.auditRetentionSeconds > 0) {
      this.loop.start();
    }
  }

  async beforeApplicationShutdown(): Promise<void> {
    await this.loop.stop();
  }

  /**
   * Removes at most a thousand records.
   * @returns whether there may be more
   */
  async cut(): Promise<boolean> {
    const before = new Date(Date.now() - this.settings.auditRetentionSeconds * 1_000);
    let removed = 0;
    const cut = await this.repository.cut(before, BATCH, (last, records) => {
      removed = records.length;
      return this.sealed(last, records);
    });
    if (cut === undefined) {
      return false;
    }
    auditCutRecords.inc(removed);
    await this.trail.record({
      category: 'system',
      operation: 'AuditCut',
      principal: 'system',
      outcome: 'success',
      details: { through: String(cut.sequence), hash: cut.hash.toString('hex'), records: String(removed) },
    });
    return removed === BATCH;
  }

  /** The new cut behind records that follow the last one; undefined when they do not authenticate. */
  private sealed(last: ChainCut | undefined, records: readonly ChainedRecord[]): ChainCut | undefined {
    let hash = last?.hash ?? CHAIN_START;
    let sequence = last?.sequence ?? 0;
    const sound =
      (last === undefined || this.chain.holdsCut(last)) &&
      records.every(({ record, hash: stored }) => {
        sequence += 1;
        hash = this.chain.next(hash, record);
        return record.sequence === sequence && hash.equals(stored);
      });
    if (!sound) {
      auditCutRefusals.inc();
      this.logger.error(
        `The audit log does not authenticate at record ${sequence} and is not cut; GET /api/v1/audit/verify tells more`,
      );
      return undefined;
    }
    return { sequence, hash, seal: this.chain.sealCut(sequence, hash) };
  }
}
