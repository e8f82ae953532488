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
  const page = rows.slice(0, limit);
  const truncated = rows.length > limit;
  const last = truncated ? page.at(-1) : undefined;
  return {
    entries: page.filter((row) => row.rolled === null),
    commonPrefixes: page.flatMap((row) => (row.rolled === null ? [] : [row.rolled])),
    truncated,
    last: last === undefined ? undefined : (last.rolled ?? last.key),
    lastEntry: last?.rolled === null ? last : undefined,
  };
}
