import { type BeforeApplicationShutdown, Injectable, Logger } from '@nestjs/common';
import { KeyWrapsRepository } from './key-wraps.repository';

/** Data keys that one process reserves at a time: one statement for so many, which no request waits for. */
export const WRAP_BLOCK = 1_000;
/** Where the next block is asked for, early enough to be there in time. */
const LOW = WRAP_BLOCK / 4;
const MOST_VERSIONS = 10_000;

interface Reserve {
  readonly kms: string;
  readonly keyId: string;
  readonly keyVersion: string;
  /** Reserved and not used; negative while more were wrapped than the database knows of. */
  left: number;
  pending?: Promise<void>;
}

/**
 * Counts the data keys that each key version wraps, in all processes together, without a statement of its own for each:
 * a process reserves blocks in the database ahead of use, so that a crash can make the count too high but never too low.
 */
@Injectable()
export class WrapCounter implements BeforeApplicationShutdown {
  private readonly logger = new Logger(WrapCounter.name);
  private readonly reserves = new Map<string, Reserve>();

  constructor(private readonly repository: KeyWrapsRepository) {}

  /** Counts one data key. Never waits and never throws. */
  count(kms: string, keyId: string, keyVersion = ''): void {
    const reserve = this.reserveOf(kms, keyId, keyVersion);
    reserve.left -= 1;
    if (reserve.left < LOW && reserve.pending === undefined) {
      reserve.pending = this.reserve(reserve).finally(() => (reserve.pending = undefined));
    }
  }

  /** Waits until what was counted so far is in the database. */
  async settled(): Promise<void> {
    await Promise.all([...this.reserves.values()].map(async ({ pending }) => pending));
  }

  /** Gives back what was reserved and not used, so that orderly restarts do not wear keys out. */
  async beforeApplicationShutdown(): Promise<void> {
    await this.settled();
    const unused = [...this.reserves.values()].filter(({ left }) => left !== 0);
    this.reserves.clear();
    await Promise.all(
      unused.map(({ kms, keyId, keyVersion, left }) =>
        this.repository.add(kms, keyId, keyVersion, -left).catch((error: unknown) => this.warn(error)),
      ),
    );
  }

  private reserveOf(kms: string, keyId: string, keyVersion: string): Reserve {
    const name = JSON.stringify([kms, keyId, keyVersion]);
    const known = this.reserves.get(name);
    if (known !== undefined) {
      return known;
    }
    if (this.reserves.size >= MOST_VERSIONS) {
      this.reserves.clear();
    }
    const made: Reserve = { kms, keyId, keyVersion, left: 0 };
    this.reserves.set(name, made);
    return made;
  }

  private async reserve(reserve: Reserve): Promise<void> {
    const block = WRAP_BLOCK + Math.max(0, -reserve.left);
    try {
      await this.repository.add(reserve.kms, reserve.keyId, reserve.keyVersion, block);
      reserve.left += block;
    } catch (error) {
      this.warn(error);
    }
  }

  private warn(error: unknown): void {
    const reason = error instanceof Error ? error.message : String(error);
    this.logger.warn(`The count of wrapped data keys could not be stored: ${reason}`);
  }
}
