import { Injectable } from '@nestjs/common';
import { Database, type Transaction } from '../database/database';
import type { Statement } from '../database/statement';
import type { KeyState } from './kms-provider';

export type KeyringKind = 'aes' | 'minio-static';

/** One key of the embedded keyring as stored. */
export interface KeyringRow {
  readonly keyId: string;
  readonly kind: KeyringKind;
  readonly state: KeyState;
  readonly createdAt: Date;
  readonly createdBy: string | null;
  readonly deletionDate: Date | null;
}

/** One version of a key; the material is a sealed box. */
export interface KeyringVersionRow {
  readonly version: number;
  readonly sealedMaterial: Buffer;
  readonly createdAt: Date;
}

const KEY_COLUMNS = `key_id AS "keyId", kind, state, created_at AS "createdAt", created_by AS "createdBy",
  deletion_date AS "deletionDate"`;

const INSERT_KEY: Statement = {
  name: 'kms.insert-key',
  text: 'INSERT INTO kms_key (key_id, kind, created_by) VALUES ($1, $2, $3) ON CONFLICT (key_id) DO NOTHING',
};
const INSERT_VERSION: Statement = {
  name: 'kms.insert-version',
  text: 'INSERT INTO kms_key_version (key_id, version, sealed_material) VALUES ($1, $2, $3)',
};
const LOCK_KEY: Statement = {
  name: 'kms.lock-key',
  text: `SELECT ${KEY_COLUMNS} FROM kms_key WHERE key_id = $1 FOR UPDATE`,
};
const LATEST_VERSION: Statement = {
  name: 'kms.latest-version',
  text: 'SELECT coalesce(max(version), 0) AS latest FROM kms_key_version WHERE key_id = $1',
};
const FIND_KEY: Statement = { name: 'kms.find-key', text: `SELECT ${KEY_COLUMNS} FROM kms_key WHERE key_id = $1` };
const FIND_VERSIONS: Statement = {
  name: 'kms.find-versions',
  text: `SELECT version, sealed_material AS "sealedMaterial", created_at AS "createdAt"
    FROM kms_key_version WHERE key_id = $1 ORDER BY version`,
};
const LIST_KEYS: Statement = {
  name: 'kms.list-keys',
  text: `SELECT ${KEY_COLUMNS}, (SELECT max(version) FROM kms_key_version v WHERE v.key_id = k.key_id) AS latest
    FROM kms_key k WHERE key_id > $1 AND key_id LIKE $2 ORDER BY key_id LIMIT $3`,
};
const SET_STATE: Statement = {
  name: 'kms.set-state',
  text: `UPDATE kms_key SET state = $2, deletion_date = $3 WHERE key_id = $1`,
};
const DELETE_DUE: Statement = {
  name: 'kms.delete-due',
  text: `DELETE FROM kms_key WHERE state = 'pending-deletion' AND deletion_date <= now() RETURNING key_id AS "keyId"`,
};

/** The keyring's tables. Every change is announced on {@link KEYRING_CHANNEL} with the key id as payload. */
@Injectable()
export class KeyringRepository {
  constructor(private readonly database: Database) {}

  /**
   * Stores a new key with its first version.
   * @returns false when a key of that id exists already
   */
  async insert(
    keyId: string,
    kind: KeyringKind,
    createdBy: string | undefined,
    sealedMaterial: Buffer,
  ): Promise<boolean> {
    return this.database.transaction(async (transaction) => {
      if ((await transaction.execute(INSERT_KEY, [keyId, kind, createdBy ?? null])) === 0) {
        return false;
      }
      await transaction.execute(INSERT_VERSION, [keyId, 1, sealedMaterial]);
      await transaction.notify(KEYRING_CHANNEL, keyId);
      return true;
    });
  }

  async find(keyId: string): Promise<{ key: KeyringRow; versions: KeyringVersionRow[] } | undefined> {
    const [key] = await this.database.query<KeyringRow>(FIND_KEY, [keyId]);
    return key && { key, versions: await this.database.query<KeyringVersionRow>(FIND_VERSIONS, [keyId]) };
  }

  /** Lists keys after `marker` in byte order. @param like an SQL LIKE pattern */
  async list(like: string, marker: string, limit: number): Promise<(KeyringRow & { readonly latest: number })[]> {
    return this.database.query(LIST_KEYS, [marker, like, limit]);
  }

  /**
   * Adds a version to a locked key.
   * @param decide sees the locked row (undefined when there is none) and may throw to leave all as it is
   */
  async addVersion(
    keyId: string,
    decide: (row: KeyringRow | undefined) => void,
    seal: (version: number) => Buffer,
  ): Promise<void> {
    await this.locked(keyId, async (transaction, row) => {
      decide(row);
      const [latest] = await transaction.query<{ latest: number }>(LATEST_VERSION, [keyId]);
      const version = (latest?.latest ?? 0) + 1;
      await transaction.execute(INSERT_VERSION, [keyId, version, seal(version)]);
    });
  }

  /** Changes the state of a locked key. @param decide returns the new state, or throws to leave all as it is */
  async setState(
    keyId: string,
    decide: (row: KeyringRow | undefined) => { readonly state: KeyState; readonly deletionDate?: Date },
  ): Promise<void> {
    await this.locked(keyId, async (transaction, row) => {
      const next = decide(row);
      await transaction.execute(SET_STATE, [keyId, next.state, next.deletionDate ?? null]);
    });
  }

  /** Destroys the keys whose waiting time is over. @returns their ids */
  async deleteDue(): Promise<string[]> {
    return this.database.transaction(async (transaction) => {
      const rows = await transaction.query<{ keyId: string }>(DELETE_DUE);
      for (const { keyId } of rows) {
        await transaction.notify(KEYRING_CHANNEL, keyId);
      }
      return rows.map(({ keyId }) => keyId);
    });
  }

  private async locked(
    keyId: string,
    work: (transaction: Transaction, row: KeyringRow | undefined) => Promise<void>,
  ): Promise<void> {
    await this.database.transaction(async (transaction) => {
      const [row] = await transaction.query<KeyringRow>(LOCK_KEY, [keyId]);
      await work(transaction, row);
      await transaction.notify(KEYRING_CHANNEL, keyId);
    });
  }
}

/** Postgres channel that carries the id of every changed key. */
export const KEYRING_CHANNEL = 'strongroom_kms_keyring';
