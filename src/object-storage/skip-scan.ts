import type { Statement } from '../database/statement';

/** What a listing walks over. */
export interface ScanTarget {
  /** Prefix of the statements' names. */
  readonly name: string;
  readonly table: string;
  /** Condition on the table `t`, beside its bucket. */
  readonly filter: string;
  /** What is returned with an entry, by name: its type, and an expression over `t` where it is no column of that name. */
  readonly columns: Readonly<Record<string, { readonly type: string; readonly from?: string }>>;
  /** Second sorting column, since several rows may share a key; its type, and a value below all others. */
  readonly tie: { readonly column: string; readonly type: string; readonly least: string };
}

/** The two statements of a listing, see {@link skipScan}. */
export interface Scan {
  readonly flat: Statement;
  readonly delimited: Statement;
}

/** A row of a scan: an entry's columns, or a common prefix in `rolled`. */
export type ScanRow<Row> = Row & { readonly key: string; readonly rolled: string | null };

/**
 * Makes the statements that list rows of a bucket in key order.
 *
 * Without a delimiter it is one range of the index. With one, a recursive query takes one step of the index per entry and
 * jumps over everything under a common prefix, so its cost depends on the entries of the page and not on the keys they
 * stand for. Parameters of both: bucket id, first key, tie that the first row must exceed, end of the range, limit; of the
 * second also: delimiter, end of the delimiter (see `prefixEnd`), characters of the prefix.
 */
export function skipScan(target: ScanTarget): Scan {
  return {
    flat: { name: `${target.name}.flat`, text: flatText(target) },
    delimited: { name: `${target.name}.delimited`, text: delimitedText(target) },
  };
}

function flatText(target: ScanTarget): string {
  return `SELECT t.key, NULL AS rolled, ${sources(target)} FROM ${target.table} t
    WHERE t.bucket_id = $1 AND ${target.filter} AND ${lowerBound(target, '$2', '$3')} AND t.key < $4
    ORDER BY ${order(target)} LIMIT $5`;
}

function delimitedText(target: ScanTarget): string {
  const { table, filter, tie } = target;
  const least = `'${tie.least}'::${tie.type}`;
  const columns = Object.entries(target.columns);
  return `WITH RECURSIVE walk AS (
      SELECT 0::bigint AS step, $2::text COLLATE "C" AS resume_key, $3::${tie.type} AS resume_tie,
        NULL::text COLLATE "C" AS key, NULL::text COLLATE "C" AS rolled,
        ${columns.map(([name, { type }]) => `NULL::${type} AS ${name}`).join(', ')}
      UNION ALL
      SELECT w.step + 1,
        (CASE WHEN p.at > 0 THEN substr(o.key, 1, $8::integer + p.at - 1) || $7
          ELSE o.key END) COLLATE "C",
        CASE WHEN p.at > 0 THEN ${least} ELSE o.tie END,
        o.key,
        (CASE WHEN p.at > 0 THEN substr(o.key, 1, $8::integer + p.at - 1) || $6 END) COLLATE "C",
        ${columns.map(([name]) => `o.${name}`).join(', ')}
      FROM walk w
      CROSS JOIN LATERAL (
        SELECT t.key, t.${tie.column} AS tie, ${sources(target)}
        FROM ${table} t
        WHERE t.bucket_id = $1 AND ${filter} AND ${lowerBound(target, 'w.resume_key', 'w.resume_tie')} AND t.key < $4
        ORDER BY ${order(target)} LIMIT 1
      ) o
      CROSS JOIN LATERAL (SELECT position($6 IN substr(o.key, $8::integer + 1)) AS at) p
      WHERE w.step < $5
    )
    SELECT key, rolled, ${columns.map(([name]) => name).join(', ')} FROM walk WHERE step > 0 ORDER BY step`;
}

function lowerBound({ tie }: ScanTarget, key: string, value: string): string {
  return `(t.key, t.${tie.column}) > (${key}, ${value}::${tie.type})`;
}

function order({ tie }: ScanTarget): string {
  return `t.key, t.${tie.column}`;
}

function sources({ columns }: ScanTarget): string {
  return Object.entries(columns)
    .map(([name, { from }]) => `${from ?? `t.${name}`} AS ${name}`)
    .join(', ');
}
