import { Injectable } from '@nestjs/common';
import { Database } from '../database/database';
import type { Queryable, Statement } from '../database/statement';
import type { ChainCut, ChainHead } from './audit-chain';
import type { AuditRecord } from './audit-record';

/** What to look for; absent means anything. */
export interface AuditFilter {
  readonly category?: string;
  readonly operation?: string;
  readonly principal?: string;
  readonly outcome?: string;
  readonly kms?: string;
  readonly keyId?: string;
  readonly requestId?: string;
  readonly since?: Date;
  readonly until?: Date;
}

/** A record with its hash. */
export interface ChainedRecord {
  readonly record: AuditRecord;
  readonly hash: Buffer;
}

interface HeadRow {
  readonly sequence: string;
  readonly hash: Buffer;
  readonly seal: Buffer | null;
  readonly last: string;
  readonly cut_sequence: string | null;
  readonly cut_hash: Buffer | null;
  readonly cut_seal: Buffer | null;
}

interface Row extends Omit<AuditRecord, 'sequence'> {
  readonly sequence: string;
  readonly hash: Buffer;
}

const COLUMNS = `sequence, at, category, operation, principal, outcome, error_class AS "errorClass", resource, kms,
  key_id AS "keyId", key_version AS "keyVersion", source_ip AS "sourceIp", user_agent AS "userAgent",
  request_id AS "requestId", microseconds, calls, details, hash`;

const LOCK_HEAD: Statement = {
  name: 'audit.lock-head',
  text: 'SELECT sequence, hash, seal FROM audit_head WHERE id = 1 FOR UPDATE',
};

const READ_HEAD: Statement = {
  name: 'audit.read-head',
  text: `SELECT h.sequence, h.hash, h.seal, (SELECT coalesce(max(sequence), 0) FROM audit_record) AS last,
      c.sequence AS cut_sequence, c.hash AS cut_hash, c.seal AS cut_seal
    FROM audit_head h LEFT JOIN audit_cut c ON c.id = 1 WHERE h.id = 1`,
};

const INSERT: Statement = {
  name: 'audit.insert',
  text: `
    INSERT INTO audit_record (sequence, at, category, operation, principal, outcome, error_class, resource, kms, key_id,
      key_version, source_ip, user_agent, request_id, microseconds, calls, details, hash)
    SELECT r.sequence, r.at, r.category, r.operation, r.principal, r.outcome, r."errorClass", r.resource, r.kms, r."keyId",
      r."keyVersion", r."sourceIp", r."userAgent", r."requestId", r.microseconds, r.calls, r.details, decode(r.hash, 'hex')
    FROM json_to_recordset($1::json) AS r(sequence bigint, at timestamptz, category text, operation text, principal text,
      outcome text, "errorClass" text, resource text, kms text, "keyId" text, "keyVersion" text, "sourceIp" text,
      "userAgent" text, "requestId" text, microseconds integer, calls integer, details text, hash text)`,
};

const MOVE_HEAD: Statement = {
  name: 'audit.move-head',
  text: 'UPDATE audit_head SET sequence = $1, hash = $2, seal = $3 WHERE id = 1',
};

const READ_CUT: Statement = { name: 'audit.read-cut', text: 'SELECT sequence, hash, seal FROM audit_cut WHERE id = 1' };

const OLD: Statement = {
  name: 'audit.old',
  text: `SELECT ${COLUMNS} FROM audit_record
    WHERE sequence < coalesce((SELECT sequence FROM audit_record WHERE at >= $1 ORDER BY sequence LIMIT 1), $2)
    ORDER BY sequence LIMIT $3`,
};

const ALLOW_CUT: Statement = { name: 'audit.allow-cut', text: `SET LOCAL strongroom.audit_cut = 'on'` };

const REMOVE: Statement = { name: 'audit.remove', text: 'DELETE FROM audit_record WHERE sequence <= $1' };

const MOVE_CUT: Statement = {
  name: 'audit.move-cut',
  text: `INSERT INTO audit_cut (id, sequence, hash, seal) VALUES (1, $1, $2, $3)
    ON CONFLICT (id) DO UPDATE SET sequence = excluded.sequence, hash = excluded.hash, seal = excluded.seal,
      cut_at = clock_timestamp()`,
};

const FIND: Statement = {
  name: 'audit.find',
  text: `
    SELECT ${COLUMNS} FROM audit_record
    WHERE ($1::bigint IS NULL OR sequence < $1)
      AND ($2::text IS NULL OR category = $2)
      AND ($3::text IS NULL OR operation = $3)
      AND ($4::text IS NULL OR principal = $4)
      AND ($5::text IS NULL OR outcome = $5)
      AND ($6::text IS NULL OR kms = $6)
      AND ($7::text IS NULL OR key_id = $7)
      AND ($8::text IS NULL OR request_id = $8)
      AND ($9::timestamptz IS NULL OR at >= $9)
      AND ($10::timestamptz IS NULL OR at < $10)
    ORDER BY sequence DESC
    LIMIT $11`,
};

const READ_ON: Statement = {
  name: 'audit.read-on',
  text: `SELECT ${COLUMNS} FROM audit_record WHERE sequence >= $1 AND sequence <= $2 ORDER BY sequence LIMIT $3`,
};

/** The table of the audit log. */
@Injectable()
export class AuditRepository {
  constructor(private readonly database: Database) {}

  /**
   * Appends records behind the head, which stays locked until they are stored.
   *
   * @param chain gives the records their places and hashes, and the new head
   * @returns the new head
   */
  async append(
    chain: (head: ChainHead) => { readonly records: readonly ChainedRecord[]; readonly head: ChainHead },
  ): Promise<ChainHead> {
    return this.database.transaction(async (transaction) => {
      const { records, head } = chain(await this.lockHead(transaction));
      const rows = records.map(({ record, hash }) => ({ ...record, hash: hash.toString('hex') }));
      await transaction.execute(INSERT, [JSON.stringify(rows)]);
      await transaction.execute(MOVE_HEAD, [head.sequence, head.hash, head.seal]);
      return head;
    });
  }

  /** Head, cut, and the highest sequence number there is, as they were at one moment. */
  async ends(): Promise<{ readonly head: ChainHead; readonly last: number; readonly cut?: ChainCut }> {
    const [row] = await this.database.query<HeadRow>(READ_HEAD);
    if (row === undefined) {
      throw new Error('The audit log has lost its head');
    }
    const { sequence, hash, seal, last, cut_sequence: cutSequence, cut_hash: cutHash, cut_seal: cutSeal } = row;
    return {
      head: { sequence: Number(sequence), hash, seal },
      last: Number(last),
      ...(cutSequence === null || cutHash === null || cutSeal === null
        ? {}
        : { cut: { sequence: Number(cutSequence), hash: cutHash, seal: cutSeal } }),
    };
  }

  /**
   * Removes the oldest records from before a time, while nothing is appended.
   *
   * @param seal gets the last cut and what is to be removed, and gives the new cut, or undefined to remove nothing
   * @returns the new cut; undefined when nothing was removed
   */
  async cut(
    before: Date,
    limit: number,
    seal: (last: ChainCut | undefined, records: readonly ChainedRecord[]) => ChainCut | undefined,
  ): Promise<ChainCut | undefined> {
    return this.database.transaction(async (transaction) => {
      const head = await this.lockHead(transaction);
      const [last] = await transaction.query<{ sequence: string; hash: Buffer; seal: Buffer }>(READ_CUT);
      // The head's own record stays, so that the log never seems to be empty.
      const records = (await transaction.query<Row>(OLD, [before, head.sequence, limit])).map(chained);
      const cut =
        records.length === 0
          ? undefined
          : seal(last === undefined ? undefined : { ...last, sequence: Number(last.sequence) }, records);
      if (cut !== undefined) {
        await transaction.execute(ALLOW_CUT);
        await transaction.execute(REMOVE, [cut.sequence]);
        await transaction.execute(MOVE_CUT, [cut.sequence, cut.hash, cut.seal]);
      }
      return cut;
    });
  }

  /** Finds records, newest first. @param before exclusive upper bound of the sequence number */
  async find(filter: AuditFilter, before: number | undefined, limit: number): Promise<ChainedRecord[]> {
    const rows = await this.database.query<Row>(FIND, [
      before ?? null,
      filter.category ?? null,
      filter.operation ?? null,
      filter.principal ?? null,
      filter.outcome ?? null,
      filter.kms ?? null,
      filter.keyId ?? null,
      filter.requestId ?? null,
      filter.since ?? null,
      filter.until ?? null,
      limit,
    ]);
    return rows.map(chained);
  }

  /** Reads records in their order, both bounds inclusive. */
  async readOn(from: number, to: number, limit: number): Promise<ChainedRecord[]> {
    return (await this.database.query<Row>(READ_ON, [from, to, limit])).map(chained);
  }

  private async lockHead(on: Queryable): Promise<ChainHead> {
    const [row] = await on.query<{ sequence: string; hash: Buffer; seal: Buffer | null }>(LOCK_HEAD);
    if (row === undefined) {
      throw new Error('The audit log has lost its head');
    }
    return { ...row, sequence: Number(row.sequence) };
  }
}

function chained({ hash, sequence, ...row }: Row): ChainedRecord {
  return { record: { ...row, sequence: Number(sequence) }, hash };
}
