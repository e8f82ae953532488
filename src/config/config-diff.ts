import { MASK, type ClearFields } from './config-document';
import type { FieldValue, HistoryEntry } from './subsystem';

/** The fields that differ between two states of a document, in alphabetical order, secrets masked. */
export function diffFields(
  before: ClearFields,
  after: ClearFields,
  secrets: ReadonlySet<string>,
): HistoryEntry['diff'] {
  const names = [...new Set([...Object.keys(before), ...Object.keys(after)])].sort();
  const show = (name: string, value: FieldValue | undefined): FieldValue | undefined =>
    value !== undefined && secrets.has(name) ? MASK : value;
  return names
    .filter((name) => before[name] !== after[name])
    .map((name) => ({ field: name, before: show(name, before[name]), after: show(name, after[name]) }));
}
