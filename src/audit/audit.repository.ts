import { Injectable } from '@nestjs/common';
import { Database } from '../database/database';
import type { Queryable, Statement } from '../database/statement';
import type { ChainHead } from './audit-chain';
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
  text: `SELECT sequence, hash, seal, (SELECT coalesce(max(sequence), 0) FROM audit_record) AS last
    FROM audit_head WHERE id = 1`,
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

  /** The head, and the highest sequence number there is, as they were at one moment. */
  async head(): Promise<{ readonly head: ChainHead; readonly last: number }> {
    const [row] = await this.database.query<{ sequence: string; hash: Buffer; seal: Buffer | null; last: string }>(
      READ_HEAD,
    );
    if (row === undefined) {
      throw new Error('The audit log has lost its head');
    }
    return { head: { ...row, sequence: Number(row.sequence) }, last: Number(row.last) };
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
