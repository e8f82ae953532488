import { Bulkhead } from './bulkhead';
import { CircuitBreaker, type BreakerState } from './circuit-breaker';
import { KmsError, type KmsErrorKind } from './kms-error';
import { kmsAttemptFailures, kmsInFlight, kmsOperations, kmsOperationSeconds } from './kms.metrics';

/** Every kind of provider call; the label of its metrics. */
export type KmsOperation =
  | 'generate'
  | 'decrypt'
  | 'rewrap'
  | 'describe'
  | 'list'
  | 'probe'
  | 'create'
  | 'import'
  | 'rotate'
  | 'enable'
  | 'delete';

/** What {@link KmsCallPolicy} may do with calls of one target. Times are milliseconds. */
export interface CallPolicyOptions {
  readonly attemptTimeout: number;
  /** For all attempts of one call together, waiting for a slot and back-off included. */
  readonly deadline: number;
  /** Attempts after the first. */
  readonly maxRetries: number;
  readonly concurrency: number;
  readonly queueLimit: number;
  readonly breakerThreshold: number;
  readonly breakerCoolDown: number;
  readonly backoffBase: number;
  readonly backoffCap: number;
}

export const DEFAULT_CALL_POLICY: CallPolicyOptions = {
  attemptTimeout: 10_000,
  deadline: 30_000,
  maxRetries: 3,
  concurrency: 64,
  queueLimit: 1024,
  breakerThreshold: 5,
  breakerCoolDown: 5_000,
  backoffBase: 100,
  backoffCap: 2_000,
};

/** Sources of time and chance, replaced in tests. `now` is a monotonic clock in milliseconds. */
export interface PolicyEnvironment {
  readonly now: () => number;
  readonly random: () => number;
}

const SYSTEM: PolicyEnvironment = { now: () => performance.now(), random: Math.random };

/**
 * Generating, unwrapping and rewrapping leave nothing behind in the KMS, so they may be replayed after any transient failure. The
 * others may have happened although the answer was lost.
 */
const REPLAYABLE: ReadonlySet<KmsOperation> = new Set(['generate', 'decrypt', 'rewrap', 'describe', 'list', 'probe']);

/** Failures of the service itself; a refusal of one request proves that the service is there. */
const SERVICE_FAILURES: ReadonlySet<KmsErrorKind> = new Set(['kms-unavailable', 'kms-timeout', 'kms-sealed']);

/** The service refused before doing anything, so even a mutation may be sent again. */
const REFUSED_UNDONE: ReadonlySet<KmsErrorKind> = new Set(['kms-throttled']);

/**
 * How calls to one KMS target are made: bounded in time and number, retried where both the operation and the failure
 * allow it, and failing fast while the service is down.
 */
export class KmsCallPolicy {
  private readonly breaker: CircuitBreaker;
  private readonly bulkhead: Bulkhead;

  /** @param kms `<type>:<target>`, for messages */
  constructor(
    private readonly kms: string,
    private readonly provider: string,
    private readonly options: CallPolicyOptions,
    onBreakerChange?: (state: BreakerState) => void,
    private readonly environment: PolicyEnvironment = SYSTEM,
  ) {
    this.bulkhead = new Bulkhead(options.concurrency, options.queueLimit);
    this.breaker = new CircuitBreaker({
      threshold: options.breakerThreshold,
      coolDown: options.breakerCoolDown,
      now: environment.now,
      onChange: onBreakerChange,
    });
  }

  get breakerState(): BreakerState {
    return this.breaker.state;
  }

  /**
   * Makes one call.
   *
   * @param call one attempt; it should end when the signal is aborted, and is abandoned then in any case
   * @param discard receives the result of an attempt that came after it was abandoned
   * @throws KmsError the last attempt's failure; anything a provider throws that is no KmsError becomes `kms-protocol`
   */
  async run<T>(
    operation: KmsOperation,
    call: (signal: AbortSignal) => Promise<T>,
    discard?: (late: T) => void,
  ): Promise<T> {
    const stopTimer = kmsOperationSeconds.startTimer({ provider: this.provider, operation });
    try {
      const result = await this.withinDeadline(operation, call, discard);
      kmsOperations.inc({ provider: this.provider, operation, outcome: 'success' });
      return result;
    } catch (error) {
      const failure = asKmsError(this.kms, error);
      kmsOperations.inc({ provider: this.provider, operation, outcome: failure.kind });
      throw failure;
    } finally {
      stopTimer();
    }
  }

  private async withinDeadline<T>(
    operation: KmsOperation,
    call: (signal: AbortSignal) => Promise<T>,
    discard?: (late: T) => void,
  ): Promise<T> {
    const deadline = new AbortController();
    const timer = setTimeout(
      () => deadline.abort(new KmsError('kms-timeout', `${this.kms} did not answer in time`)),
      this.options.deadline,
    );
    try {
      this.refuseWhileOpen();
      await this.bulkhead.acquire(deadline.signal);
      kmsInFlight.inc({ provider: this.provider });
      try {
        return await this.withRetries(operation, call, deadline.signal, discard);
      } finally {
        kmsInFlight.dec({ provider: this.provider });
        this.bulkhead.release();
      }
    } finally {
      clearTimeout(timer);
    }
  }

  private async withRetries<T>(
    operation: KmsOperation,
    call: (signal: AbortSignal) => Promise<T>,
    deadline: AbortSignal,
    discard?: (late: T) => void,
  ): Promise<T> {
    for (let attempt = 0; ; attempt++) {
      if (!this.breaker.tryAcquire()) {
        throw this.openError();
      }
      try {
        const result = await this.attempt(call, deadline, discard);
        this.breaker.succeeded();
        return result;
      } catch (error) {
        const failure = asKmsError(this.kms, error);
        this.report(operation, failure);
        if (attempt >= this.options.maxRetries || deadline.aborted || !mayRetry(operation, failure)) {
          throw failure;
        }
        await this.backOff(attempt, deadline, failure);
      }
    }
  }

  private attempt<T>(
    call: (signal: AbortSignal) => Promise<T>,
    deadline: AbortSignal,
    discard?: (late: T) => void,
  ): Promise<T> {
    const controller = new AbortController();
    const { attemptTimeout } = this.options;
    return new Promise<T>((resolve, reject) => {
      const settle = (): boolean => {
        clearTimeout(timer);
        deadline.removeEventListener('abort', onDeadline);
        return !controller.signal.aborted;
      };
      const abandon = (reason: Error): void => {
        settle();
        controller.abort(reason);
        reject(reason);
      };
      const onDeadline = (): void => abandon(deadline.reason as Error);
      const timer = setTimeout(
        () => abandon(new KmsError('kms-timeout', `${this.kms} did not answer within ${attemptTimeout} ms`)),
        attemptTimeout,
      );
      deadline.addEventListener('abort', onDeadline, { once: true });
      Promise.resolve()
        .then(() => call(controller.signal))
        .then(
          (result) => (settle() ? resolve(result) : discard?.(result)),
          (error: Error) => {
            settle();
            reject(error);
          },
        );
    });
  }

  private report(operation: KmsOperation, failure: KmsError): void {
    kmsAttemptFailures.inc({ provider: this.provider, operation, error: failure.kind });
    if (SERVICE_FAILURES.has(failure.kind)) {
      this.breaker.failed();
    } else {
      this.breaker.succeeded();
    }
  }

  /** Equal jitter: half of the exponential delay is fixed, half is chance. */
  private async backOff(attempt: number, deadline: AbortSignal, failure: KmsError): Promise<void> {
    const delay = Math.min(this.options.backoffCap, this.options.backoffBase * 2 ** attempt);
    await new Promise<void>((resolve, reject) => {
      const onDeadline = (): void => {
        clearTimeout(timer);
        reject(failure);
      };
      const timer = setTimeout(
        () => {
          deadline.removeEventListener('abort', onDeadline);
          resolve();
        },
        delay / 2 + this.environment.random() * (delay / 2),
      );
      deadline.addEventListener('abort', onDeadline, { once: true });
    });
  }

  private refuseWhileOpen(): void {
    if (this.breaker.retryAfter() > 0) {
      throw this.openError();
    }
  }

  private openError(): KmsError {
    return new KmsError('kms-unavailable', `${this.kms} is failing; calls are held back for a moment`, {
      remedy: 'Look at the KMS status and run its connection test; calls resume by themselves when it answers again.',
    });
  }
}

function mayRetry(operation: KmsOperation, failure: KmsError): boolean {
  return failure.retryable && (REPLAYABLE.has(operation) || REFUSED_UNDONE.has(failure.kind));
}

function asKmsError(kms: string, error: unknown): KmsError {
  return error instanceof KmsError
    ? error
    : new KmsError('kms-protocol', `${kms} failed unexpectedly`, { cause: error });
}
