const DAY = 86_400_000;
/** The last moment that a Date can hold. */
const LATEST = 8.64e15;

/** Data keys after which random AES-GCM nonces of one key may repeat: NIST SP 800-38D, section 8.3. */
export const MOST_WRAPS = 2 ** 32;

/** When a key is to be rotated. */
export interface RotationRule {
  readonly maxAgeDays?: number;
  /** Data keys wrapped by one version. */
  readonly maxWraps?: number;
  /** Rotated by the scheduler when due, where the KMS can; else only reported. */
  readonly automatic: boolean;
  /** Starts a rewrap job to the newest version after each rotation. */
  readonly rewrap: boolean;
}

/** Why a key is due: its newest version is too old, it never had another one, or it has wrapped too much. */
export type RotationReason = 'age' | 'never-rotated' | 'wraps';

/** What is known of the newest version of a key. */
export interface RotationFacts {
  /** When it came into use; undefined where nobody knows. */
  readonly since?: Date;
  readonly wraps: number;
  readonly rotatedBefore: boolean;
}

/** What a rule says of a key. */
export interface RotationVerdict {
  readonly due: boolean;
  /** Why it is due, or why it will be. */
  readonly reason?: RotationReason;
  /** When it is, or was, due; by wraps an estimate from the pace so far. */
  readonly nextDue?: Date;
}

/**
 * Judges a key. Without a rule, or with one about age alone, a key is due all the same at {@link MOST_WRAPS}.
 */
export function judgeRotation(rule: RotationRule | undefined, facts: RotationFacts, now: Date): RotationVerdict {
  const byWraps = dueByWraps(Math.min(rule?.maxWraps ?? MOST_WRAPS, MOST_WRAPS), facts, now);
  if (byWraps.due) {
    return byWraps;
  }
  const byAge = dueByAge(rule?.maxAgeDays, facts, now);
  if (byAge.due || rule?.maxWraps === undefined) {
    return byAge;
  }
  return [byAge, byWraps].sort((left, right) => timeOf(left) - timeOf(right))[0] ?? byAge;
}

function dueByWraps(limit: number, { since, wraps }: RotationFacts, now: Date): RotationVerdict {
  if (wraps >= limit) {
    return { due: true, reason: 'wraps', nextDue: now };
  }
  const elapsed = since === undefined ? 0 : now.getTime() - since.getTime();
  if (since === undefined || wraps === 0 || elapsed <= 0) {
    return { due: false };
  }
  const nextDue = new Date(Math.min(since.getTime() + Math.ceil((elapsed * limit) / wraps), LATEST));
  return { due: false, reason: 'wraps', nextDue };
}

function dueByAge(days: number | undefined, { since, rotatedBefore }: RotationFacts, now: Date): RotationVerdict {
  if (days === undefined || since === undefined) {
    return { due: false };
  }
  const nextDue = new Date(since.getTime() + days * DAY);
  return { due: nextDue <= now, reason: rotatedBefore ? 'age' : 'never-rotated', nextDue };
}

function timeOf({ nextDue }: RotationVerdict): number {
  return nextDue?.getTime() ?? Infinity;
}
