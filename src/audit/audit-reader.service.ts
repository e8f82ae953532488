import { Inject, Injectable } from '@nestjs/common';
import { ROOT_KEY } from '../settings/root-key';
import { AuditChain, CHAIN_START } from './audit-chain';
import { AuditRepository, type AuditFilter, type ChainedRecord } from './audit.repository';

const PAGE = 2_000;
const MOST_LISTED = 1_000;

/** A page of records, newest first. */
export interface AuditPage {
  readonly records: readonly ChainedRecord[];
  /** Give this as `before` for the next page; absent on the last. */
  readonly next?: number;
}

/** What checking the chain showed. */
export interface ChainReport {
  readonly ok: boolean;
  /** Records checked. */
  readonly checked: number;
  readonly firstSequence: number;
  readonly lastSequence: number;
  /** Hex of the hash of the last record: kept elsewhere, it proves later that nothing before it has changed. */
  readonly headHash: string;
  /**
   * The first break: `altered` (a record does not fit the one before), `missing` (a record is gone), `head` (records were
   * cut off or added behind the head), `cut` (the old end was not cut by this store).
   */
  readonly problem?: { readonly sequence: number; readonly reason: 'altered' | 'missing' | 'head' | 'cut' };
}

/** How far a stretch of the chain holds. */
interface Stretch {
  readonly next: number;
  readonly previous: Buffer;
  readonly problem?: ChainReport['problem'];
}

/** Reads and checks the audit log. */
@Injectable()
export class AuditReader {
  private readonly chain: AuditChain;

  constructor(
    private readonly repository: AuditRepository,
    @Inject(ROOT_KEY) rootKey: Buffer,
  ) {
    this.chain = new AuditChain(rootKey);
  }

  /** Finds records, newest first. @param limit at most 1000 */
  async find(filter: AuditFilter, before: number | undefined, limit: number): Promise<AuditPage> {
    const wanted = Math.min(Math.max(1, limit), MOST_LISTED);
    const records = await this.repository.find(filter, before, wanted + 1);
    const page = records.slice(0, wanted);
    return records.length > wanted ? { records: page, next: page.at(-1)?.record.sequence } : { records: page };
  }

  /**
   * Recomputes the chain from where it was last cut up to the head as it is now.
   * @param from first record to check; the one before is then taken as it is
   */
  async verify(from = 1): Promise<ChainReport> {
    const { head, last, cut } = await this.repository.ends();
    const oldest = (cut?.sequence ?? 0) + 1;
    const first = Math.max(oldest, from);
    let previous = first === oldest ? (cut?.hash ?? CHAIN_START) : await this.hashOf(first - 1);
    let next = first;
    const report = (problem?: ChainReport['problem']): ChainReport => ({
      ok: problem === undefined,
      checked: next - first,
      firstSequence: first,
      lastSequence: head.sequence,
      headHash: head.hash.toString('hex'),
      ...(problem === undefined ? {} : { problem }),
    });
    if (cut !== undefined && !this.chain.holdsCut(cut)) {
      return report({ sequence: cut.sequence, reason: 'cut' });
    }
    while (next <= head.sequence) {
      const page = await this.repository.readOn(next, head.sequence, PAGE);
      if (page[0]?.record.sequence !== next) {
        // Cut off meanwhile by the retention, or gone.
        const cutNow = (await this.repository.ends()).cut;
        return cutNow !== undefined && cutNow.sequence >= next
          ? this.verify(from)
          : report({ sequence: next, reason: 'missing' });
      }
      const checked = this.follow(page, next, previous);
      ({ next, previous } = checked);
      if (checked.problem !== undefined) {
        return report(checked.problem);
      }
    }
    const headFits = this.chain.holds(head) && last === head.sequence && (next === first || previous.equals(head.hash));
    return headFits ? report() : report({ sequence: head.sequence, reason: 'head' });
  }

  private async hashOf(sequence: number): Promise<Buffer> {
    const [record] = await this.repository.readOn(sequence, sequence, 1);
    return record?.hash ?? CHAIN_START;
  }

  /** Recomputes a stretch of the chain, up to its first break. */
  private follow(page: readonly ChainedRecord[], from: number, before: Buffer): Stretch {
    let next = from;
    let previous = before;
    for (const { record, hash } of page) {
      if (record.sequence !== next) {
        return { next, previous, problem: { sequence: next, reason: 'missing' } };
      }
      if (!this.chain.next(previous, record).equals(hash)) {
        return { next, previous, problem: { sequence: next, reason: 'altered' } };
      }
      previous = hash;
      next += 1;
    }
    return { next, previous };
  }
}
