import { DomainError } from '../common/domain-error';
import type { ConnectionTestReport, ConnectionTestStep } from './kms-provider';

/** What a step found: a detail, or a detail that deserves a warning. */
export type StepFinding =
  string | { readonly outcome: 'warning' | 'skipped'; readonly detail: string; readonly remedy?: string };

/** A step that failed for a reason it can explain. */
export class StepFailure extends Error {
  override name = 'StepFailure';

  constructor(
    readonly detail: string,
    readonly remedy?: string,
  ) {
    super(detail);
  }
}

/** Runs the steps of a connection test in order, times each, and skips all that follow a failed one. */
export class StepRecorder {
  private readonly steps: ConnectionTestStep[] = [];
  private readonly startedAt = performance.now();
  private failed = false;

  async run(name: string, work: () => Promise<StepFinding>): Promise<void> {
    if (this.failed) {
      this.steps.push({
        name,
        outcome: 'skipped',
        milliseconds: 0,
        detail: 'Not tried, because an earlier step failed',
      });
      return;
    }
    const startedAt = performance.now();
    const milliseconds = (): number => Math.round(performance.now() - startedAt);
    try {
      const finding = await work();
      const found = typeof finding === 'string' ? { outcome: 'passed' as const, detail: finding } : finding;
      this.steps.push({ name, milliseconds: milliseconds(), ...found });
    } catch (error) {
      this.failed = true;
      this.steps.push({ name, outcome: 'failed', milliseconds: milliseconds(), ...explain(error) });
    }
  }

  report(): ConnectionTestReport {
    return { ok: !this.failed, milliseconds: Math.round(performance.now() - this.startedAt), steps: this.steps };
  }
}

const LAST_RESORT = 'Look for the reason in the log of the KMS, and try again.';

function explain(error: unknown): { detail: string; remedy: string } {
  if (error instanceof StepFailure) {
    return { detail: error.detail, remedy: error.remedy ?? LAST_RESORT };
  }
  if (error instanceof DomainError) {
    const cause = error.cause instanceof Error ? ` (${error.cause.message})` : '';
    return { detail: `${error.message}${cause}`, remedy: error.remedy ?? LAST_RESORT };
  }
  return { detail: error instanceof Error ? error.message : 'Failed unexpectedly', remedy: LAST_RESORT };
}
