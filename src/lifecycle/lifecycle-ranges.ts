import { compareKeys, prefixEnd } from '../object-storage/key-bounds';
import type { LifecycleRule } from './lifecycle-rules';

/** Keys from `from`, inclusive, to `until`, exclusive. */
export interface KeyRange {
  readonly from: string;
  readonly until: string;
}

/** The ranges of keys that enabled rules with such an action look at, in order and without overlaps. */
export function keyRanges(rules: readonly LifecycleRule[], hasAction: (rule: LifecycleRule) => boolean): KeyRange[] {
  const prefixes = rules
    .filter((rule) => rule.enabled && hasAction(rule))
    .map(({ filter }) => filter.prefix ?? '')
    .sort(compareKeys);
  return prefixes
    .filter((prefix, index) => !prefixes.slice(0, index).some((wider) => prefix.startsWith(wider)))
    .map((prefix) => ({ from: prefix, until: prefixEnd(prefix) }));
}

/** The range that a walk is in or comes to next, behind a key; undefined at its end. */
export function rangeAt(ranges: readonly KeyRange[], key: string): KeyRange | undefined {
  return ranges.find(({ until }) => compareKeys(key, until) < 0);
}

/** Whether a rule can remove objects or versions. */
export function removesObjects(rule: LifecycleRule): boolean {
  return rule.expiration !== undefined || rule.noncurrentExpiration !== undefined;
}

/** Whether a rule can end uploads. */
export function abortsUploads(rule: LifecycleRule): boolean {
  return rule.abortUploadsAfterDays !== undefined;
}
