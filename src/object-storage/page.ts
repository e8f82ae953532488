import type { ScanRow } from './skip-scan';

/** One page of a listing, cut from a scan that asked for one row more than the page holds. */
export interface CutPage<Row> {
  readonly entries: readonly Row[];
  readonly commonPrefixes: readonly string[];
  readonly truncated: boolean;
  /** Key or common prefix of the last row, when more follow. */
  readonly last?: string;
  /** The last row itself, when more follow and it is no common prefix. */
  readonly lastEntry?: Row;
}

/** Separates entries and common prefixes of a page, which count alike. */
export function cutPage<Row>(rows: readonly ScanRow<Row>[], limit: number): CutPage<ScanRow<Row>> {
  const truncated = rows.length > limit;
  const count = truncated ? limit : rows.length;
  const last = truncated ? rows[count - 1] : undefined;
  const entries: ScanRow<Row>[] = [];
  const commonPrefixes: string[] = [];
  for (let index = 0; index < count; index += 1) {
    const row = rows[index] as ScanRow<Row>;
    if (row.rolled === null) {
      entries.push(row);
    } else {
      commonPrefixes.push(row.rolled);
    }
  }
  return {
    entries,
    commonPrefixes,
    truncated,
    last: last === undefined ? undefined : (last.rolled ?? last.key),
    lastEntry: last?.rolled === null ? last : undefined,
  };
}
