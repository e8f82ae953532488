import { type BeforeApplicationShutdown, Inject, Injectable, Logger, type OnApplicationShutdown } from '@nestjs/common';
import { type AuditEvent, AuditTrail } from '../common/audit-trail';
import { ROOT_KEY } from '../settings/root-key';
import { AuditChain, type ChainHead } from './audit-chain';
import { type AuditDraft, draftOf } from './audit-record';
import { auditDropped, auditFailures, auditPending, auditRecords } from './audit.metrics';
import { AuditRepository, type ChainedRecord } from './audit.repository';

/** Milliseconds a noted event waits for company. */
const NOTE_DELAY = 500;
/** Milliseconds over which equal events are counted together. */
const COUNT_DELAY = 5_000;
const RETRY_DELAY = 5_000;
const BATCH = 1_000;
const MOST_PENDING = 10_000;
const MOST_COUNTED = 5_000;

interface Tally {
  readonly event: AuditEvent;
  readonly first: Date;
  calls: number;
  seconds: number;
}

/**
 * Writes the audit log. Administration waits for its record; everything else is collected and written in batches, so that
 * the data path neither waits for the chain's lock nor for the disk.
 */
@Injectable()
export class AuditLog extends AuditTrail implements BeforeApplicationShutdown, OnApplicationShutdown {
  private readonly logger = new Logger(AuditLog.name);
  private readonly chain: AuditChain;
  private readonly noted: AuditDraft[] = [];
  private readonly tallies = new Map<string, Tally>();
  private dropped = 0;
  private timer: NodeJS.Timeout | undefined;
  private dueAt = Infinity;
  private writing: Promise<void> = Promise.resolve();

  constructor(
    private readonly repository: AuditRepository,
    @Inject(ROOT_KEY) rootKey: Buffer,
  ) {
    super();
    this.chain = new AuditChain(rootKey);
  }

  override async record(event: AuditEvent): Promise<void> {
    await this.append([draftOf(event, new Date())]);
  }

  override note(event: AuditEvent): void {
    if (this.noted.length >= MOST_PENDING) {
      this.drop(1);
      return;
    }
    this.noted.push(draftOf(event, new Date()));
    auditPending.set(this.noted.length);
    this.schedule(NOTE_DELAY);
  }

  override count(event: AuditEvent): void {
    const id = identityOf(event);
    const seconds = event.seconds ?? 0;
    const tally = this.tallies.get(id);
    if (tally !== undefined) {
      tally.calls += 1;
      tally.seconds = Math.max(tally.seconds, seconds);
    } else if (this.tallies.size < MOST_COUNTED) {
      this.tallies.set(id, { event, first: new Date(), calls: 1, seconds });
      this.schedule(COUNT_DELAY);
    } else {
      this.drop(1);
    }
  }

  /** Writes everything collected so far. Never rejects; what could not be written is tried again later. */
  async flush(): Promise<void> {
    clearTimeout(this.timer);
    this.timer = undefined;
    this.dueAt = Infinity;
    this.writing = this.writing.then(() => this.writeCollected());
    await this.writing;
  }

  /** Before the server stops taking requests, and once more behind the last of them. */
  async beforeApplicationShutdown(): Promise<void> {
    await this.flush();
  }

  async onApplicationShutdown(): Promise<void> {
    await this.flush();
    clearTimeout(this.timer);
  }

  private async writeCollected(): Promise<void> {
    const drafts = [...this.noted.splice(0), ...this.takeTallies(), ...this.takeDropped()];
    auditPending.set(0);
    while (drafts.length > 0) {
      const batch = drafts.slice(0, BATCH);
      try {
        await this.append(batch);
        drafts.splice(0, batch.length);
      } catch (error) {
        auditFailures.inc();
        this.logger.error({ msg: `The audit log could not be written; ${drafts.length} records wait`, err: error });
        this.putBack(drafts);
        return;
      }
    }
  }

  private putBack(drafts: AuditDraft[]): void {
    const room = Math.max(0, MOST_PENDING - this.noted.length);
    this.noted.unshift(...drafts.slice(0, room));
    this.drop(Math.max(0, drafts.length - room));
    auditPending.set(this.noted.length);
    this.schedule(RETRY_DELAY);
  }

  private takeTallies(): AuditDraft[] {
    const tallies = [...this.tallies.values()];
    this.tallies.clear();
    return tallies.map(({ event, first, calls, seconds }) => draftOf({ ...event, seconds }, first, calls));
  }

  private takeDropped(): AuditDraft[] {
    if (this.dropped === 0) {
      return [];
    }
    const calls = this.dropped;
    this.dropped = 0;
    return [systemDraft('AuditOverflow', 'records-dropped', calls)];
  }

  private drop(count: number): void {
    if (count > 0) {
      this.dropped += count;
      auditDropped.inc(count);
      this.schedule(COUNT_DELAY);
    }
  }

  private async append(drafts: readonly AuditDraft[]): Promise<void> {
    await this.repository.append((head) => this.chained(head, drafts));
    for (const { category, outcome } of drafts) {
      auditRecords.inc({ category, outcome });
    }
  }

  private chained(head: ChainHead, drafts: readonly AuditDraft[]): { records: ChainedRecord[]; head: ChainHead } {
    let { sequence, hash } = head;
    const all = [...drafts];
    if (!this.chain.holds(head)) {
      // The next head will be sealed again, so the break must stay visible in the chain itself.
      this.logger.error(
        'The head of the audit log does not authenticate: the log was altered, or the root key changed',
      );
      all.unshift(systemDraft('AuditChainBroken', 'head-altered', 1));
    }
    const records = all.map((draft) => {
      sequence += 1;
      const record = { ...draft, sequence };
      hash = this.chain.next(hash, record);
      return { record, hash };
    });
    return { records, head: { sequence, hash, seal: this.chain.seal(sequence, hash) } };
  }

  private schedule(delay: number): void {
    const at = performance.now() + delay;
    if (at >= this.dueAt) {
      return;
    }
    clearTimeout(this.timer);
    this.dueAt = at;
    this.timer = setTimeout(() => void this.flush(), delay);
    this.timer.unref();
  }
}

function systemDraft(operation: string, errorClass: string, calls: number): AuditDraft {
  return draftOf(
    { category: 'system', operation, principal: 'system', outcome: 'failure', errorClass },
    new Date(),
    calls,
  );
}

/** What makes two events equal enough to be counted together. */
function identityOf(event: AuditEvent): string {
  const { category, operation, principal, outcome, errorClass, sourceIp, kms, keyId, keyVersion, resource } = event;
  return [category, operation, principal, outcome, errorClass, sourceIp, kms, keyId, keyVersion, resource].join('\n');
}
