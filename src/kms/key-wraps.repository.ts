import { Injectable } from '@nestjs/common';
import { Database } from '../database/database';
import type { Statement } from '../database/statement';

/** How many data keys a key version has wrapped. */
export interface KeyWraps {
  readonly kms: string;
  readonly keyId: string;
  /** Empty where the KMS tells none. */
  readonly keyVersion: string;
  /** Never too few; too many by what processes have reserved and not used. */
  readonly wraps: number;
  /** When the version was first used from here. */
  readonly firstAt: Date;
}

const COLUMNS = `kms, key_id AS "keyId", key_version AS "keyVersion", wraps::float8 AS wraps, first_at AS "firstAt"`;

const ADD: Statement = {
  name: 'kms.add-wraps',
  text: `INSERT INTO kms_key_wraps (kms, key_id, key_version, wraps) VALUES ($1, $2, $3, $4)
    ON CONFLICT (kms, key_id, key_version) DO UPDATE SET wraps = greatest(0, kms_key_wraps.wraps + excluded.wraps)`,
};
const FIND: Statement = {
  name: 'kms.find-wraps',
  text: `SELECT ${COLUMNS} FROM kms_key_wraps WHERE kms = $1 AND key_id = ANY ($2::text[])`,
};
const AT_LEAST: Statement = {
  name: 'kms.find-worn-keys',
  text: `SELECT ${COLUMNS} FROM kms_key_wraps WHERE wraps >= $1`,
};
const FORGET: Statement = {
  name: 'kms.forget-wraps',
  text: 'DELETE FROM kms_key_wraps WHERE kms = $1 AND key_id = $2',
};

/** Counts of wrapped data keys, by key version. */
@Injectable()
export class KeyWrapsRepository {
  constructor(private readonly database: Database) {}

  /** @param wraps to add; negative to give back what was added before */
  async add(kms: string, keyId: string, keyVersion: string, wraps: number): Promise<void> {
    await this.database.execute(ADD, [kms, keyId, keyVersion, wraps]);
  }

  /** Every counted version of some keys of one KMS. */
  async find(kms: string, keyIds: readonly string[]): Promise<KeyWraps[]> {
    return keyIds.length === 0 ? [] : this.database.query<KeyWraps>(FIND, [kms, keyIds]);
  }

  /** Versions of any key that have wrapped so many or more. */
  async atLeast(wraps: number): Promise<KeyWraps[]> {
    return this.database.query<KeyWraps>(AT_LEAST, [wraps]);
  }

  /** For a key that is no more, or another one under the same name. */
  async forget(kms: string, keyId: string): Promise<void> {
    await this.database.execute(FORGET, [kms, keyId]);
  }
}
