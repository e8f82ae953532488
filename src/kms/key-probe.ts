import { timingSafeEqual } from 'node:crypto';
import type { KmsOperation } from './kms-call-policy';
import { KmsError, type KmsErrorKind } from './kms-error';
import type { KmsProvider, ProviderDataKey } from './kms-provider';
import { kmsProbeConsecutiveFailures, kmsProbeLastSuccess, kmsProbeRounds, kmsProbeSeconds } from './kms.metrics';

/** The context that the data keys of probes are bound to; none of them is ever stored. */
const CONTEXT = { purpose: 'probe' };
/** Failed rounds in a row after which the key counts as unusable: one lost packet is not an outage. */
const FAILING_ROUNDS = 3;
/** Milliseconds between rounds while something is wrong, so that both the fall and the recovery show soon. */
const TROUBLED_INTERVAL = 5_000;
/** Intervals after which the last round says nothing any more. */
const FRESH_INTERVALS = 3;

/** What the probing of one target showed so far. */
export interface KeyProbeStatus {
  /** `unknown` before the first round, while probing is off, and when the last round is too long ago. */
  readonly state: 'passing' | 'failing' | 'unknown';
  readonly consecutiveFailures: number;
  readonly lastRound?: Date;
  readonly lastSuccess?: Date;
  readonly lastError?: KmsErrorKind;
}

/** The part of a target that is probed. */
export interface ProbedTarget {
  readonly name: string;
  readonly provider: KmsProvider;
  call<T>(operation: KmsOperation, work: (provider: KmsProvider, signal: AbortSignal) => Promise<T>): Promise<T>;
}

/**
 * Proves from time to time that a target's default key really works: has a data key made, unwrapped and compared, as a
 * write and a read would.
 */
export class KeyProbe {
  private startedAt: number;
  private endedAt = -Infinity;
  private running = false;
  private interval = 0;
  private failures = 0;
  private rounds = 0;
  private lastRound: Date | undefined;
  private lastSuccess: Date | undefined;
  private lastError: KmsErrorKind | undefined;

  /** @param now monotonic milliseconds */
  constructor(
    private readonly target: ProbedTarget,
    private readonly now: () => number = () => performance.now(),
  ) {
    this.startedAt = now();
  }

  /**
   * Runs a round when one is due; called often.
   *
   * @param interval milliseconds between rounds; 0 turns probing off
   * @param troubled whether calls to the target have just failed
   */
  async tick(interval: number, troubled: boolean): Promise<void> {
    this.interval = interval;
    const pause = troubled || this.failures > 0 ? Math.min(interval, TROUBLED_INTERVAL) : interval;
    if (interval > 0 && !this.running && this.now() - this.startedAt >= pause) {
      await this.round();
    }
  }

  status(): KeyProbeStatus {
    const fresh = this.interval > 0 && this.now() - this.endedAt <= this.interval * FRESH_INTERVALS;
    const known = this.rounds > 0 && fresh;
    return {
      state: known ? (this.failures >= FAILING_ROUNDS ? 'failing' : 'passing') : 'unknown',
      consecutiveFailures: this.failures,
      lastRound: this.lastRound,
      lastSuccess: this.lastSuccess,
      lastError: this.lastError,
    };
  }

  /** Runs a round now. Never rejects. */
  async round(): Promise<void> {
    const { provider, name } = this.target;
    const labels = { provider: provider.type, target: name };
    const stopTimer = kmsProbeSeconds.startTimer({ provider: provider.type });
    this.running = true;
    this.startedAt = this.now();
    try {
      await this.target.call('probe', (inUse, signal) => roundTrip(inUse, signal));
      this.failures = 0;
      this.lastError = undefined;
      this.lastSuccess = new Date();
      kmsProbeLastSuccess.set(labels, this.lastSuccess.getTime() / 1_000);
      kmsProbeRounds.inc({ ...labels, result: 'success' });
    } catch (error) {
      this.failures += 1;
      this.lastError = error instanceof KmsError ? error.kind : 'kms-protocol';
      kmsProbeRounds.inc({ ...labels, result: this.lastError });
    } finally {
      this.rounds += 1;
      this.lastRound = new Date();
      this.endedAt = this.now();
      this.running = false;
      kmsProbeConsecutiveFailures.set(labels, this.failures);
      stopTimer();
    }
  }
}

async function roundTrip(provider: KmsProvider, signal: AbortSignal): Promise<void> {
  let made: ProviderDataKey | undefined;
  let opened: Buffer | undefined;
  try {
    made = await provider.generateDataKey(provider.defaultKeyId, CONTEXT, { signal });
    const { ciphertext, keyVersion, plaintext } = made;
    opened = await provider.decryptDataKey(provider.defaultKeyId, ciphertext, CONTEXT, keyVersion, { signal });
    if (opened.length !== plaintext.length || !timingSafeEqual(opened, plaintext)) {
      throw new KmsError('kms-invalid-ciphertext', 'The KMS gave back another data key than it had made');
    }
  } finally {
    made?.plaintext.fill(0);
    opened?.fill(0);
  }
}
