import { Injectable } from '@nestjs/common';
import { Database } from '../database/database';
import type { Statement } from '../database/statement';
import type { RotationRule } from './rotation-policy';

/** A rule with what it is about and who made it. */
export interface RotationPolicy extends RotationRule {
  readonly kms: string;
  /** Absent for the policy of all keys of the KMS that have none of their own. */
  readonly keyId?: string;
  readonly updatedAt: Date;
  readonly updatedBy: string;
}

interface PolicyRow {
  readonly kms: string;
  readonly key_id: string;
  readonly max_age_days: number | null;
  readonly max_wraps: number | null;
  readonly automatic: boolean;
  readonly rewrap: boolean;
  readonly updated_at: Date;
  readonly updated_by: string;
}

const READ = `SELECT kms, key_id, max_age_days, max_wraps::float8 AS max_wraps, automatic, rewrap, updated_at, updated_by
  FROM kms_rotation_policy`;
const LIST: Statement = { name: 'rotation.list-policies', text: `${READ} ORDER BY kms, key_id` };
const FIND: Statement = {
  name: 'rotation.find-policies',
  text: `${READ} WHERE kms = $1 AND key_id = ANY ($2::text[])`,
};
const PUT: Statement = {
  name: 'rotation.put-policy',
  text: `INSERT INTO kms_rotation_policy (kms, key_id, max_age_days, max_wraps, automatic, rewrap, updated_by)
    VALUES ($1, $2, $3, $4, $5, $6, $7)
    ON CONFLICT (kms, key_id) DO UPDATE SET max_age_days = excluded.max_age_days, max_wraps = excluded.max_wraps,
      automatic = excluded.automatic, rewrap = excluded.rewrap, updated_by = excluded.updated_by,
      updated_at = clock_timestamp()`,
};
const REMOVE: Statement = {
  name: 'rotation.remove-policy',
  text: 'DELETE FROM kms_rotation_policy WHERE kms = $1 AND key_id = $2',
};

const WHOLE_TARGET = '';

/** Rotation policies in Postgres. */
@Injectable()
export class RotationPolicies {
  constructor(private readonly database: Database) {}

  async list(): Promise<RotationPolicy[]> {
    return (await this.database.query<PolicyRow>(LIST)).map(policyOf);
  }

  /** The policy of one key itself, or of a whole KMS. */
  async find(kms: string, keyId = WHOLE_TARGET): Promise<RotationPolicy | undefined> {
    const [row] = await this.database.query<PolicyRow>(FIND, [kms, [keyId]]);
    return row && policyOf(row);
  }

  /** The policies that apply to keys of one KMS: their own, else that of the KMS. Keys without any are left out. */
  async effective(kms: string, keyIds: readonly string[]): Promise<ReadonlyMap<string, RotationPolicy>> {
    const rows = await this.database.query<PolicyRow>(FIND, [kms, [WHOLE_TARGET, ...keyIds]]);
    const byKey = new Map(rows.map((row) => [row.key_id, policyOf(row)]));
    return new Map(
      keyIds.flatMap((keyId) => {
        const policy = byKey.get(keyId) ?? byKey.get(WHOLE_TARGET);
        return policy === undefined ? [] : [[keyId, policy]];
      }),
    );
  }

  async put(kms: string, keyId: string | undefined, rule: RotationRule, updatedBy: string): Promise<void> {
    const { maxAgeDays = null, maxWraps = null, automatic, rewrap } = rule;
    const values = [kms, keyId ?? WHOLE_TARGET, maxAgeDays, maxWraps, automatic, rewrap, updatedBy];
    await this.database.execute(PUT, values);
  }

  /** False when there was none. */
  async remove(kms: string, keyId = WHOLE_TARGET): Promise<boolean> {
    return (await this.database.execute(REMOVE, [kms, keyId])) > 0;
  }
}

function policyOf(row: PolicyRow): RotationPolicy {
  return {
    kms: row.kms,
    keyId: row.key_id === WHOLE_TARGET ? undefined : row.key_id,
    maxAgeDays: row.max_age_days ?? undefined,
    maxWraps: row.max_wraps ?? undefined,
    automatic: row.automatic,
    rewrap: row.rewrap,
    updatedAt: row.updated_at,
    updatedBy: row.updated_by,
  };
}
