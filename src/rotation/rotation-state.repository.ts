import { Injectable } from '@nestjs/common';
import { Database } from '../database/database';
import type { Statement } from '../database/statement';
import type { RotationReason } from './rotation-policy';

/** How far the scheduler is with a key. `rotating` and `rewrapping` are finished by whoever finds them. */
export type RotationStage = 'idle' | 'rotating' | 'rewrapping';

/** What the scheduler knows of a key. */
export interface RotationState {
  readonly kms: string;
  readonly keyId: string;
  readonly stage: RotationStage;
  readonly rewrap: boolean;
  readonly reason?: RotationReason;
  /** The newest version before a rotation under way. */
  readonly fromVersion?: string;
  /** The version that the last rotation made. */
  readonly version?: string;
  readonly rotatedAt?: Date;
  readonly rewrapJob?: string;
  readonly dueReason?: RotationReason;
  readonly attempts: number;
  readonly nextAttemptAt?: Date;
  readonly lastError?: string;
}

/** Keys of one KMS that are due and have not been rotated, for one reason. */
export interface DueCount {
  readonly kms: string;
  readonly reason: RotationReason;
  readonly keys: number;
}

type Row = { readonly [Name in keyof RotationState]: RotationState[Name] | null };

const READ = `SELECT kms, key_id AS "keyId", stage, rewrap, reason, from_version AS "fromVersion", version,
    rotated_at AS "rotatedAt", rewrap_job AS "rewrapJob", due_reason AS "dueReason", attempts,
    next_attempt_at AS "nextAttemptAt", last_error AS "lastError"
  FROM kms_key_rotation`;
const FIND: Statement = { name: 'rotation.find-states', text: `${READ} WHERE kms = $1 AND key_id = ANY ($2::text[])` };
const UNFINISHED: Statement = {
  name: 'rotation.find-unfinished',
  text: `${READ} WHERE stage <> 'idle' AND (next_attempt_at IS NULL OR next_attempt_at <= $1) ORDER BY kms, key_id`,
};
const LOOK: Statement = {
  name: 'rotation.look',
  text: `INSERT INTO kms_key_rotation (kms, key_id, due_reason, looked_at) VALUES ($1, $2, $3, $4)
    ON CONFLICT (kms, key_id) DO UPDATE SET due_reason = excluded.due_reason, looked_at = excluded.looked_at,
      attempts = CASE WHEN excluded.due_reason IS NULL THEN 0 ELSE kms_key_rotation.attempts END,
      next_attempt_at = CASE WHEN excluded.due_reason IS NULL THEN NULL ELSE kms_key_rotation.next_attempt_at END,
      last_error = CASE WHEN excluded.due_reason IS NULL THEN NULL ELSE kms_key_rotation.last_error END`,
};
const END_ROUND: Statement = {
  name: 'rotation.end-round',
  text: `UPDATE kms_key_rotation SET due_reason = NULL WHERE due_reason IS NOT NULL AND kms = ANY ($1::text[])
    AND (looked_at IS NULL OR looked_at < $2)`,
};
const BEGIN: Statement = {
  name: 'rotation.begin',
  text: `UPDATE kms_key_rotation SET stage = 'rotating', reason = $3, from_version = $4, rewrap = $5
    WHERE kms = $1 AND key_id = $2`,
};
const ROTATED: Statement = {
  name: 'rotation.rotated',
  text: `INSERT INTO kms_key_rotation (kms, key_id, stage, version, rotated_at) VALUES ($1, $2, $5, $3, $4)
    ON CONFLICT (kms, key_id) DO UPDATE SET stage = excluded.stage, version = excluded.version,
      rotated_at = excluded.rotated_at, from_version = NULL, due_reason = NULL, attempts = 0, next_attempt_at = NULL,
      last_error = NULL, rewrap_job = NULL`,
};
const REWRAPPED: Statement = {
  name: 'rotation.rewrapped',
  text: `UPDATE kms_key_rotation SET stage = 'idle', rewrap_job = $3, attempts = 0, next_attempt_at = NULL, last_error = NULL
    WHERE kms = $1 AND key_id = $2`,
};
const FAILED: Statement = {
  name: 'rotation.failed',
  text: `UPDATE kms_key_rotation SET attempts = attempts + 1, next_attempt_at = $3, last_error = $4, stage = $5
    WHERE kms = $1 AND key_id = $2`,
};
const FORGET: Statement = {
  name: 'rotation.forget',
  text: 'DELETE FROM kms_key_rotation WHERE kms = $1 AND key_id = $2',
};
const COUNT_DUE: Statement = {
  name: 'rotation.count-due',
  text: `SELECT kms, due_reason AS reason, count(*)::int AS keys FROM kms_key_rotation
    WHERE due_reason IS NOT NULL GROUP BY kms, due_reason`,
};

/** What the scheduler has found and done, key by key. */
@Injectable()
export class RotationStates {
  constructor(private readonly database: Database) {}

  async find(kms: string, keyIds: readonly string[]): Promise<ReadonlyMap<string, RotationState>> {
    const rows = keyIds.length === 0 ? [] : await this.database.query<Row>(FIND, [kms, keyIds]);
    return new Map(rows.map(stateOf).map((state) => [state.keyId, state]));
  }

  /** Rotations that somebody began and did not end, and that may be tried again. */
  async unfinished(now: Date): Promise<RotationState[]> {
    return (await this.database.query<Row>(UNFINISHED, [now])).map(stateOf);
  }

  /** Records that a key was looked at. @param due why it is due, where it is */
  async look(kms: string, keyId: string, due: RotationReason | undefined, at: Date): Promise<void> {
    await this.database.execute(LOOK, [kms, keyId, due ?? null, at]);
  }

  /** Keys of these KMSs that no round looked at since then are not due any more: they, or their policy, are gone. */
  async endRound(kmss: readonly string[], startedAt: Date): Promise<void> {
    await this.database.execute(END_ROUND, [kmss, startedAt]);
  }

  /** Records the intent before the KMS is asked, so that the next one can see what became of it. */
  async begin(state: Pick<RotationState, 'kms' | 'keyId' | 'reason' | 'fromVersion' | 'rewrap'>): Promise<void> {
    const { kms, keyId, reason, fromVersion, rewrap } = state;
    await this.database.execute(BEGIN, [kms, keyId, reason ?? null, fromVersion ?? null, rewrap]);
  }

  /** Records a rotation, whoever asked for it. @param rewrap whether a rewrap job is still to be started */
  async rotated(kms: string, keyId: string, version: string | undefined, at: Date, rewrap = false): Promise<void> {
    await this.database.execute(ROTATED, [kms, keyId, version ?? null, at, rewrap ? 'rewrapping' : 'idle']);
  }

  async rewrapped(kms: string, keyId: string, job: string): Promise<void> {
    await this.database.execute(REWRAPPED, [kms, keyId, job]);
  }

  /** @param stage `idle` when nothing came of it */
  async failed(
    { kms, keyId }: Pick<RotationState, 'kms' | 'keyId'>,
    stage: RotationStage,
    nextAttemptAt: Date,
    error: string,
  ): Promise<void> {
    await this.database.execute(FAILED, [kms, keyId, nextAttemptAt, error, stage]);
  }

  /** For a key that is no more, or another one under the same name. */
  async forget(kms: string, keyId: string): Promise<void> {
    await this.database.execute(FORGET, [kms, keyId]);
  }

  async countDue(): Promise<DueCount[]> {
    return this.database.query<DueCount>(COUNT_DUE);
  }
}

function stateOf(row: Row): RotationState {
  return Object.fromEntries(
    Object.entries(row).map(([name, value]) => [name, value ?? undefined]),
  ) as unknown as RotationState;
}
