import { Inject, Injectable } from '@nestjs/common';

/** One thing the store leans on. */
export interface ReadinessCheck {
  readonly name: string;
  /** Without a critical part nothing can be served; without another one some requests still can. */
  readonly critical: boolean;
  /** Resolves when the part works, or with the state of each of its members by name. Rejects when it does not work. */
  run(): Promise<Readonly<Record<string, ComponentState>> | undefined>;
}

export interface ComponentState {
  readonly status: 'up' | 'down';
  /** Why it is down, in words safe to show to anybody who reaches the port. */
  readonly reason?: string;
}

/** `degraded`: something that is not critical is down. `unavailable`: nothing can be served. */
export interface ReadinessReport {
  readonly status: 'ok' | 'degraded' | 'unavailable';
  readonly checks: Readonly<Record<string, ComponentState>>;
}

/** Injection token of the checks: `readonly ReadinessCheck[]`. */
export const READINESS_CHECKS = Symbol('READINESS_CHECKS');

/** Milliseconds a check may take; an answer that comes later is worth no more than none. */
const CHECK_TIMEOUT_MS = 2_000;
/** Milliseconds a report is used again, so that an open route cannot be turned into load on the parts behind it. */
const REPORT_LIFETIME_MS = 1_000;

/** Says whether this process can do its work, by asking every part at the same time. */
@Injectable()
export class ReadinessService {
  private latest: { readonly at: number; readonly report: Promise<ReadinessReport> } | undefined;

  constructor(@Inject(READINESS_CHECKS) private readonly checks: readonly ReadinessCheck[]) {}

  /** Never rejects. A report may be up to a second old. */
  report(): Promise<ReadinessReport> {
    const now = performance.now();
    if (this.latest === undefined || now - this.latest.at >= REPORT_LIFETIME_MS) {
      this.latest = { at: now, report: this.ask() };
    }
    return this.latest.report;
  }

  private async ask(): Promise<ReadinessReport> {
    const results = await Promise.all(this.checks.map(async (check) => ({ check, states: await statesOf(check) })));
    const down = results.filter(({ states }) => Object.values(states).some((state) => state.status === 'down'));
    return {
      status: down.some(({ check }) => check.critical) ? 'unavailable' : down.length > 0 ? 'degraded' : 'ok',
      checks: Object.assign({}, ...results.map(({ states }) => states)) as Record<string, ComponentState>,
    };
  }
}

async function statesOf(check: ReadinessCheck): Promise<Readonly<Record<string, ComponentState>>> {
  try {
    return (await withTimeout(check.run())) ?? { [check.name]: { status: 'up' } };
  } catch {
    // The cause may name hosts and paths; it belongs in the log of the part itself, not on an open route.
    return { [check.name]: { status: 'down', reason: `${check.name} does not answer` } };
  }
}

async function withTimeout<T>(work: Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const timeout = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(() => reject(new Error('timed out')), CHECK_TIMEOUT_MS);
  });
  try {
    return await Promise.race([work, timeout]);
  } finally {
    clearTimeout(timer);
  }
}
