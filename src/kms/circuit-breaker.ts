export type BreakerState = 'closed' | 'open' | 'half-open';

export interface BreakerOptions {
  /** Consecutive counted failures that open the breaker. */
  readonly threshold: number;
  /** Milliseconds the breaker stays open before one probing call is let through. */
  readonly coolDown: number;
  /** Milliseconds of a monotonic clock. */
  readonly now: () => number;
  readonly onChange?: (state: BreakerState) => void;
}

/** Three-state circuit breaker: fails fast while a service is down, and asks it with single calls whether it is back. */
export class CircuitBreaker {
  private failures = 0;
  private openedAt = 0;
  private current: BreakerState = 'closed';

  constructor(private readonly options: BreakerOptions) {}

  /** Open turns into half-open by asking, so that a read-out never claims a breaker is open that would let a call pass. */
  get state(): BreakerState {
    return this.current === 'open' && this.coolDownLeft() <= 0 ? 'half-open' : this.current;
  }

  /** Milliseconds until the next call may pass; 0 when one may pass now. */
  retryAfter(): number {
    return this.current === 'open' ? Math.max(0, this.coolDownLeft()) : 0;
  }

  /** Asks to make a call. While half-open only one caller gets true until it reports back. */
  tryAcquire(): boolean {
    if (this.current === 'closed') {
      return true;
    }
    if (this.current === 'open' && this.coolDownLeft() <= 0) {
      this.become('half-open');
      return true;
    }
    return false;
  }

  /** Reports that the service answered, be it with a refusal of this one request. */
  succeeded(): void {
    this.failures = 0;
    if (this.current !== 'closed') {
      this.become('closed');
    }
  }

  /** Reports that the service failed. */
  failed(): void {
    this.failures++;
    if (this.current === 'half-open' || (this.current === 'closed' && this.failures >= this.options.threshold)) {
      this.openedAt = this.options.now();
      this.become('open');
    }
  }

  /** Gives a probing slot back that led to no verdict (the caller went away). */
  abandoned(): void {
    if (this.current === 'half-open') {
      this.become('open');
    }
  }

  private coolDownLeft(): number {
    return this.openedAt + this.options.coolDown - this.options.now();
  }

  private become(state: BreakerState): void {
    this.current = state;
    this.options.onChange?.(state);
  }
}
