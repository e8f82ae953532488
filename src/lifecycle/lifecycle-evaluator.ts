import { DAY_MS, dueAfterDays } from './lifecycle-calendar';
import type { LifecycleFilter, LifecycleRule } from './lifecycle-rules';

/** What the filters of rules are held against. */
export interface FilteredObject {
  readonly key: string;
  /** Plaintext bytes; 0 for a delete marker. */
  readonly size: number;
  readonly tags?: Readonly<Record<string, string>> | null;
}

/** A version as rules judge it. */
export interface JudgedVersion extends FilteredObject {
  readonly isCurrent: boolean;
  readonly deleteMarker: boolean;
  readonly lastModified: Date;
  /** Of a current delete marker: whether nothing is left under it. */
  readonly alone: boolean;
  /** When the version above it came; undefined for the current one. */
  readonly noncurrentSince?: Date;
  /** How many noncurrent versions are above it. */
  readonly newerNoncurrent: number;
}

/** What a rule has done with a version. */
export interface Verdict {
  readonly action: 'expire' | 'remove-marker' | 'remove-noncurrent';
  readonly ruleId: string;
  /** Noncurrent versions that must still be above it. */
  readonly newerVersions: number;
}

/** A date on which a rule takes effect. */
export interface DueDate {
  readonly at: Date;
  readonly ruleId: string;
}

/**
 * Decides what the rules do with a version now. Where several apply, what is due first decides, so nothing stays longer
 * than any rule says.
 *
 * @param day length of a day in milliseconds
 */
export function judge(
  version: JudgedVersion,
  rules: readonly LifecycleRule[],
  now: Date,
  day: number = DAY_MS,
): Verdict | undefined {
  if (!version.isCurrent) {
    return judgeNoncurrent(version, rules, now, day);
  }
  const due = expirationOf(version, rules, day);
  const expired = due !== undefined && due.at.getTime() <= now.getTime();
  if (!version.deleteMarker) {
    return expired ? { action: 'expire', ruleId: due.ruleId, newerVersions: 0 } : undefined;
  }
  if (!version.alone) {
    return undefined;
  }
  const ruleId = expired
    ? due.ruleId
    : applying(version, rules).find(({ expiration }) => expiration?.expiredDeleteMarker === true)?.id;
  return ruleId === undefined ? undefined : { action: 'remove-marker', ruleId, newerVersions: 0 };
}

/** When a current version expires by days or date, and by which rule. */
export function expirationOf(
  version: FilteredObject & { readonly lastModified: Date },
  rules: readonly LifecycleRule[],
  day: number = DAY_MS,
): DueDate | undefined {
  const dates = applying(version, rules).flatMap(({ id, expiration }): DueDate[] => {
    if (expiration?.days !== undefined) {
      return [{ at: dueAfterDays(version.lastModified, expiration.days, day), ruleId: id }];
    }
    return expiration?.date === undefined ? [] : [{ at: new Date(expiration.date), ruleId: id }];
  });
  return earliest(dates);
}

/** When an upload in progress is aborted, and by which rule. */
export function abortOf(
  upload: { readonly key: string; readonly initiatedAt: Date },
  rules: readonly LifecycleRule[],
  day: number = DAY_MS,
): DueDate | undefined {
  const dates = rules.flatMap(({ id, enabled, filter, abortUploadsAfterDays }): DueDate[] =>
    enabled && abortUploadsAfterDays !== undefined && upload.key.startsWith(filter.prefix ?? '')
      ? [{ at: dueAfterDays(upload.initiatedAt, abortUploadsAfterDays, day), ruleId: id }]
      : [],
  );
  return earliest(dates);
}

function judgeNoncurrent(
  version: JudgedVersion,
  rules: readonly LifecycleRule[],
  now: Date,
  day: number,
): Verdict | undefined {
  const { noncurrentSince, newerNoncurrent } = version;
  if (noncurrentSince === undefined) {
    return undefined;
  }
  for (const { id, noncurrentExpiration } of applying(version, rules)) {
    if (
      noncurrentExpiration !== undefined &&
      newerNoncurrent >= (noncurrentExpiration.newerVersions ?? 0) &&
      dueAfterDays(noncurrentSince, noncurrentExpiration.days, day).getTime() <= now.getTime()
    ) {
      return {
        action: 'remove-noncurrent',
        ruleId: id,
        newerVersions: noncurrentExpiration.newerVersions ?? 0,
      };
    }
  }
  return undefined;
}

function applying(object: FilteredObject, rules: readonly LifecycleRule[]): LifecycleRule[] {
  return rules.filter(({ enabled, filter }) => enabled && matches(object, filter));
}

function matches({ key, size, tags }: FilteredObject, filter: LifecycleFilter): boolean {
  return (
    key.startsWith(filter.prefix ?? '') &&
    (filter.sizeGreaterThan === undefined || size > filter.sizeGreaterThan) &&
    (filter.sizeLessThan === undefined || size < filter.sizeLessThan) &&
    Object.entries(filter.tags ?? {}).every(([name, value]) => tags?.[name] === value)
  );
}

function earliest(dates: readonly DueDate[]): DueDate | undefined {
  return dates.reduce<DueDate | undefined>(
    (first, date) => (first === undefined || date.at.getTime() < first.at.getTime() ? date : first),
    undefined,
  );
}
