import { Injectable } from '@nestjs/common';
import type { EncryptionRecord } from '../crypto/encryption.types';
import { Database } from '../database/database';
import type { Queryable, Statement } from '../database/statement';
import { ENCRYPTION_COLUMNS, type EncryptionRow } from './encryption-columns';
import { prefixEnd } from './key-bounds';

export type SealedKind = 'object' | 'upload';

/** The place of an object version in the order of the table. For an upload in progress `versionId` is the upload's id. */
export interface SealedPosition {
  readonly bucketId: number;
  readonly key: string;
  readonly versionId: string;
}

/** Before and behind everything. */
export const FIRST_POSITION: SealedPosition = { bucketId: 0, key: '', versionId: '' };

/** A key whose seals need no change; without a version none of its seals do. */
export interface SettledKey {
  readonly kms: string;
  readonly keyId: string;
  readonly keyVersion?: string;
}

/** What is to become of second seals: they stay, or all are to be under one key, or none is to be left. */
export type EscrowOrder =
  | { readonly action: 'keep' }
  | { readonly action: 'add'; readonly kms: string; readonly keyId: string }
  | { readonly action: 'drop' };

/** Which sealed object keys are meant. SSE-C and plain objects never are. */
export interface SealedKeySelection {
  readonly bucketId?: number;
  readonly prefix?: string;
  /** `<type>:<target>` */
  readonly kms?: string;
  readonly keyId?: string;
  readonly keyVersion?: string;
  /** Written (or, for an upload, begun) before. */
  readonly before?: Date;
  /** Whether SSE-S3, whose key is always one of the embedded keyring, is meant too. */
  readonly serverKeys: boolean;
  readonly settled: readonly SettledKey[];
  /** Second seals that are not as ordered make a key one to be changed, whether the first is settled or not. */
  readonly escrow: EscrowOrder;
}

/** An object version or an upload in progress, as far as its key goes. */
export interface SealedKey {
  readonly position: SealedPosition;
  readonly bucket: string;
  /** Bytes of plaintext; 0 for an upload. */
  readonly size: number;
  readonly row: EncryptionRow;
}

/** A new seal for what was read before. */
export interface Reseal {
  readonly sealed: SealedKey;
  readonly record: EncryptionRecord;
}

/** What is sealed under one key version. */
export interface SealedCount {
  readonly kms: string;
  readonly keyId: string;
  readonly keyVersion?: string;
  readonly kind: SealedKind;
  readonly count: number;
  readonly bytes: number;
}

/** Objects of a scope by how they are encrypted, delete markers left out. */
export interface ModeCount {
  readonly mode: string;
  readonly objects: number;
  readonly uploads: number;
}

interface Source {
  readonly table: string;
  readonly version: string;
  readonly size: string;
  readonly written: string;
  readonly open: string;
}

const SOURCES: Readonly<Record<SealedKind, Source>> = {
  object: {
    table: 'object_version',
    version: 'v.version_id',
    size: 'v.size',
    written: 'v.last_modified',
    open: 'NOT v.delete_marker',
  },
  upload: {
    table: 'multipart_upload',
    version: 'v.id',
    size: '0::bigint',
    written: 'v.initiated_at',
    open: 'v.completed_at IS NULL',
  },
};

const LAST_BUCKET = 2_147_483_647;

/** Parameters 1 to 3: bucket and keys from, below. */
const IN_SCOPE = (source: Source): string => `
  v.bucket_id BETWEEN coalesce($1::integer, 0) AND coalesce($1::integer, ${LAST_BUCKET})
  AND ($2::text IS NULL OR (v.key >= $2 AND v.key < $3::text))
  AND ($4::timestamptz IS NULL OR ${source.written} < $4) AND ${source.open}`;

/** Parameters 1 to 14, as {@link selectionValues} gives them. */
const SELECTED = (source: Source): string => `${IN_SCOPE(source)}
  AND v.kms IS NOT NULL AND v.mode <> 'sse-c' AND ($5::boolean OR v.mode <> 'sse-s3')
  AND ($6::text IS NULL OR v.kms = $6) AND ($7::text IS NULL OR v.kms_key_id = $7)
  AND ($8::text IS NULL OR v.kms_key_version = $8)
  AND (NOT EXISTS (SELECT FROM unnest($9::text[], $10::text[], $11::text[]) AS s (kms, key_id, version)
      WHERE s.kms = v.kms AND s.key_id = v.kms_key_id AND (s.version IS NULL OR s.version = v.kms_key_version))
    OR $12::text = 'drop' AND v.escrow_kms IS NOT NULL
    OR $12::text = 'add' AND v.mode IN ('sse-kms', 'dsse-kms') AND (v.kms, v.kms_key_id) <> ($13::text, $14::text)
      AND (v.escrow_kms, v.escrow_key_id) IS DISTINCT FROM ($13::text, $14::text))`;

const BETWEEN = (source: Source): string => `
  (v.bucket_id, v.key, ${source.version}) > ($15::integer, $16::text, $17::text)
  AND (v.bucket_id, v.key, ${source.version}) <= ($18::integer, $19::text, $20::text)`;

interface Statements {
  readonly count: Statement;
  readonly modes: Statement;
  readonly walk: Statement;
  readonly read: Statement;
  readonly lock: Statement;
  readonly update: Statement;
}

const GIVEN = `unnest($1::integer[], $2::text[], $3::text[]`;
const SAME_ROW = (source: Source): string =>
  `v.bucket_id = g.bucket_id AND v.key = g.key AND ${source.version} = g.version_id`;

/** What changes with a seal, with the type and where a record has it. */
const SEAL_COLUMNS: readonly (readonly [string, string, (record: EncryptionRecord) => unknown])[] = [
  ['iv', 'bytea', (record) => record.iv],
  ['seal_algorithm', 'text', (record) => record.sealAlgorithm],
  ['sealed_key', 'bytea', (record) => record.sealedKey],
  ['wrapped_key', 'bytea', (record) => record.wrappedKey?.ciphertext],
  ['kms', 'text', (record) => record.wrappedKey?.kms],
  ['kms_key_id', 'text', (record) => record.wrappedKey?.keyId],
  ['kms_key_version', 'text', (record) => record.wrappedKey?.keyVersion],
  ['escrow_iv', 'bytea', ({ escrow }) => escrow?.iv],
  ['escrow_seal_algorithm', 'text', ({ escrow }) => escrow?.sealAlgorithm],
  ['escrow_sealed_key', 'bytea', ({ escrow }) => escrow?.sealedKey],
  ['escrow_wrapped_key', 'bytea', ({ escrow }) => escrow?.wrappedKey.ciphertext],
  ['escrow_kms', 'text', ({ escrow }) => escrow?.wrappedKey.kms],
  ['escrow_key_id', 'text', ({ escrow }) => escrow?.wrappedKey.keyId],
  ['escrow_key_version', 'text', ({ escrow }) => escrow?.wrappedKey.keyVersion],
];

function statements(kind: SealedKind): Statements {
  const source = SOURCES[kind];
  const order = `v.bucket_id, v.key, ${source.version}`;
  return {
    count: {
      name: `sealed-key.count-${kind}`,
      text: `SELECT v.kms, v.kms_key_id, v.kms_key_version, count(*) AS count, sum(${source.size}) AS bytes
        FROM ${source.table} v WHERE ${SELECTED(source)} GROUP BY v.kms, v.kms_key_id, v.kms_key_version ORDER BY 1, 2, 3`,
    },
    modes: {
      name: `sealed-key.modes-${kind}`,
      text: `SELECT v.mode, count(*) AS count FROM ${source.table} v WHERE ${IN_SCOPE(source)} GROUP BY v.mode`,
    },
    walk: {
      name: `sealed-key.walk-${kind}`,
      text: `SELECT * FROM (
          SELECT v.bucket_id, v.key, ${source.version} AS version_id FROM ${source.table} v
          WHERE ${SELECTED(source)} AND (v.bucket_id, v.key, ${source.version}) > ($15::integer, $16::text, $17::text)
          ORDER BY ${order} LIMIT $18::integer) page
        ORDER BY bucket_id DESC, key DESC, version_id DESC LIMIT 1`,
    },
    read: {
      name: `sealed-key.read-${kind}`,
      text: `SELECT v.bucket_id, v.key, ${source.version} AS version_id, b.name AS bucket, ${source.size} AS size,
          ${ENCRYPTION_COLUMNS.map((column) => `v.${column}`).join(', ')}
        FROM ${source.table} v JOIN bucket b ON b.id = v.bucket_id
        WHERE ${SELECTED(source)} AND ${BETWEEN(source)} ORDER BY ${order} LIMIT $21::integer`,
    },
    // Rows that somebody else has locked are about to change anyway, and never waiting means never to be in a deadlock.
    lock: {
      name: `sealed-key.lock-${kind}`,
      text: `SELECT g.number FROM ${GIVEN}, $4::bytea[], $5::bytea[], $6::bytea[], $7::bytea[])
          WITH ORDINALITY AS g (bucket_id, key, version_id, iv, sealed_key, wrapped_key, escrow_wrapped_key, number)
        JOIN ${source.table} v ON ${SAME_ROW(source)} AND ${source.open}
          AND v.iv = g.iv AND v.sealed_key = g.sealed_key AND v.wrapped_key = g.wrapped_key
          AND v.escrow_wrapped_key IS NOT DISTINCT FROM g.escrow_wrapped_key
        FOR NO KEY UPDATE OF v SKIP LOCKED`,
    },
    update: {
      name: `sealed-key.update-${kind}`,
      text: `UPDATE ${source.table} v SET ${SEAL_COLUMNS.map(([column]) => `${column} = g.${column}`).join(', ')}
        FROM ${GIVEN}, ${SEAL_COLUMNS.map(([, type], index) => `$${index + 4}::${type}[]`).join(', ')})
          AS g (bucket_id, key, version_id, ${SEAL_COLUMNS.map(([column]) => column).join(', ')})
        WHERE ${SAME_ROW(source)}`,
    },
  };
}

const BUCKET_ID: Statement = { name: 'sealed-key.bucket-id', text: `SELECT id FROM bucket WHERE name = $1` };

const STATEMENTS: Readonly<Record<SealedKind, Statements>> = {
  object: statements('object'),
  upload: statements('upload'),
};

interface PositionRow {
  readonly bucket_id: number;
  readonly key: string;
  readonly version_id: string;
}

/** The sealed keys of object versions and of uploads in progress, to be walked and replaced without their data. */
@Injectable()
export class SealedKeyRepository {
  constructor(private readonly database: Database) {}

  /** The number that rows refer to a bucket by; undefined when there is no such bucket. */
  async bucketId(name: string): Promise<number | undefined> {
    const [row] = await this.database.query<{ id: number }>(BUCKET_ID, [name]);
    return row?.id;
  }

  /** Counts what is selected, by kind and key version. */
  async count(selection: SealedKeySelection): Promise<SealedCount[]> {
    const counted = (['object', 'upload'] as const).map(async (kind) => {
      const rows = await this.database.query<{
        kms: string;
        kms_key_id: string;
        kms_key_version: string | null;
        count: string;
        bytes: string;
      }>(STATEMENTS[kind].count, selectionValues(selection));
      return rows.map((row) => ({
        kms: row.kms,
        keyId: row.kms_key_id,
        keyVersion: row.kms_key_version ?? undefined,
        kind,
        count: Number(row.count),
        bytes: Number(row.bytes),
      }));
    });
    return (await Promise.all(counted)).flat();
  }

  /** Counts everything in the scope of a selection (bucket, prefix, age), whatever its key, by encryption mode. */
  async modes(selection: SealedKeySelection): Promise<ModeCount[]> {
    const scope = selectionValues(selection).slice(0, 4);
    const [objects, uploads] = await Promise.all(
      (['object', 'upload'] as const).map((kind) =>
        this.database.query<{ mode: string; count: string }>(STATEMENTS[kind].modes, scope),
      ),
    );
    const of = (rows: typeof objects, mode: string): number =>
      Number(rows?.find((row) => row.mode === mode)?.count ?? 0);
    return [...new Set([...(objects ?? []), ...(uploads ?? [])].map(({ mode }) => mode))].map((mode) => ({
      mode,
      objects: of(objects, mode),
      uploads: of(uploads, mode),
    }));
  }

  /**
   * Finds the end of the next stretch of selected keys.
   * @returns the position of the last of at most `limit` keys behind `after`; undefined when there is none
   */
  async walk(
    kind: SealedKind,
    selection: SealedKeySelection,
    after: SealedPosition,
    limit: number,
    on: Queryable = this.database,
  ): Promise<SealedPosition | undefined> {
    const values = [...selectionValues(selection), ...positionValues(after), limit];
    const [row] = await on.query<PositionRow>(STATEMENTS[kind].walk, values);
    return row === undefined ? undefined : positionOf(row);
  }

  /** Reads selected keys behind `after` up to and including `until`. */
  async read(
    kind: SealedKind,
    selection: SealedKeySelection,
    after: SealedPosition,
    until: SealedPosition,
    limit: number,
  ): Promise<SealedKey[]> {
    const values = [...selectionValues(selection), ...positionValues(after), ...positionValues(until), limit];
    const rows = await this.database.query<PositionRow & EncryptionRow & { bucket: string; size: string }>(
      STATEMENTS[kind].read,
      values,
    );
    return rows.map((row) => ({ position: positionOf(row), bucket: row.bucket, size: Number(row.size), row }));
  }

  /**
   * Stores new seals where the old one is still there; a version that was overwritten, deleted, sealed by somebody else
   * meanwhile, or is being changed at this moment stays as it is.
   *
   * @param on an open transaction
   * @returns those that were stored
   */
  async replace<T extends Reseal>(kind: SealedKind, reseals: readonly T[], on: Queryable): Promise<T[]> {
    if (reseals.length === 0) {
      return [];
    }
    const locked = await on.query<{ number: string }>(STATEMENTS[kind].lock, [
      ...positions(reseals),
      reseals.map(({ sealed }) => sealed.row.iv),
      reseals.map(({ sealed }) => sealed.row.sealed_key),
      reseals.map(({ sealed }) => sealed.row.wrapped_key),
      reseals.map(({ sealed }) => sealed.row.escrow_wrapped_key),
    ]);
    const unchanged = locked.map(({ number }) => reseals[Number(number) - 1] as T);
    if (unchanged.length === 0) {
      return [];
    }
    await on.execute(STATEMENTS[kind].update, [
      ...positions(unchanged),
      ...SEAL_COLUMNS.map(([, , valueOf]) => unchanged.map(({ record }) => valueOf(record) ?? null)),
    ]);
    return unchanged;
  }
}

function selectionValues(selection: SealedKeySelection): unknown[] {
  const { bucketId, prefix, before, serverKeys, kms, keyId, keyVersion, settled, escrow } = selection;
  const bounded = prefix === undefined || prefix === '' ? undefined : prefix;
  return [
    bucketId,
    bounded,
    bounded === undefined ? undefined : prefixEnd(bounded),
    before,
    serverKeys,
    kms,
    keyId,
    keyVersion,
    settled.map((key) => key.kms),
    settled.map((key) => key.keyId),
    settled.map((key) => key.keyVersion ?? null),
    escrow.action,
    escrow.action === 'add' ? escrow.kms : undefined,
    escrow.action === 'add' ? escrow.keyId : undefined,
  ];
}

function positionValues({ bucketId, key, versionId }: SealedPosition): unknown[] {
  return [bucketId, key, versionId];
}

function positionOf(row: PositionRow): SealedPosition {
  return { bucketId: row.bucket_id, key: row.key, versionId: row.version_id };
}

function positions(reseals: readonly Reseal[]): unknown[] {
  return [
    reseals.map(({ sealed }) => sealed.position.bucketId),
    reseals.map(({ sealed }) => sealed.position.key),
    reseals.map(({ sealed }) => sealed.position.versionId),
  ];
}
