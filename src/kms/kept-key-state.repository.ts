import { Injectable } from '@nestjs/common';
import { Database } from '../database/database';
import type { Statement } from '../database/statement';
import type { KeyState } from './kms-provider';

/** Announced with every change; the payload is empty, for there are few such states and all are read again. */
export const KEY_STATE_CHANNEL = 'kms_key_state';

/** A state that this store keeps of a key; keys without one are as their KMS has them. */
export interface KeptKeyState {
  /** `<type>:<target>` */
  readonly kms: string;
  readonly keyId: string;
  readonly state: Exclude<KeyState, 'enabled'>;
  readonly deletionDate: Date | null;
}

/** A key whose time has come. */
export interface DueKey {
  readonly kms: string;
  readonly keyId: string;
  /** Whoever scheduled the deletion knew what hangs on the key. */
  readonly lossesAccepted: boolean;
}

const ALL: Statement = {
  name: 'kms.key-states',
  text: 'SELECT kms, key_id AS "keyId", state, deletion_date AS "deletionDate" FROM kms_key_state',
};
const DISABLE: Statement = {
  name: 'kms.disable-kept',
  text: `INSERT INTO kms_key_state (kms, key_id, state) VALUES ($1, $2, 'disabled')
    ON CONFLICT (kms, key_id) DO UPDATE SET changed_at = clock_timestamp() WHERE kms_key_state.state = 'disabled'`,
};
const ENABLE: Statement = {
  name: 'kms.enable-kept',
  text: `WITH enabled AS (DELETE FROM kms_key_state WHERE kms = $1 AND key_id = $2 AND state = 'disabled')
    SELECT state FROM kms_key_state WHERE kms = $1 AND key_id = $2 AND state <> 'disabled'`,
};
const SCHEDULE: Statement = {
  name: 'kms.schedule-kept',
  text: `INSERT INTO kms_key_state (kms, key_id, state, deletion_date, losses_accepted)
    VALUES ($1, $2, 'pending-deletion', clock_timestamp() + make_interval(days => $3), $4)
    ON CONFLICT (kms, key_id) DO UPDATE SET state = excluded.state, deletion_date = excluded.deletion_date,
      losses_accepted = excluded.losses_accepted, next_attempt_at = NULL, changed_at = clock_timestamp()`,
};
const CANCEL: Statement = {
  name: 'kms.cancel-kept',
  text: `UPDATE kms_key_state SET state = 'disabled', deletion_date = NULL, losses_accepted = false,
      next_attempt_at = NULL, changed_at = clock_timestamp()
    WHERE kms = $1 AND key_id = $2 AND state = 'pending-deletion'`,
};
const CLAIM_DUE: Statement = {
  name: 'kms.claim-due-key',
  text: `UPDATE kms_key_state SET next_attempt_at = clock_timestamp() + make_interval(secs => $1)
    WHERE (kms, key_id) = (
      SELECT kms, key_id FROM kms_key_state
      WHERE state = 'pending-deletion' AND deletion_date <= clock_timestamp()
        AND (next_attempt_at IS NULL OR next_attempt_at <= clock_timestamp())
      ORDER BY deletion_date LIMIT 1 FOR UPDATE SKIP LOCKED)
    RETURNING kms, key_id AS "keyId", losses_accepted AS "lossesAccepted"`,
};
const LOCK_PENDING: Statement = {
  name: 'kms.lock-pending-key',
  text: `SELECT FROM kms_key_state WHERE kms = $1 AND key_id = $2 AND state = 'pending-deletion' FOR UPDATE`,
};
const FORGET: Statement = {
  name: 'kms.forget-key-state',
  text: 'DELETE FROM kms_key_state WHERE kms = $1 AND key_id = $2',
};

/** The states of keys that this store keeps in place of their KMS. */
@Injectable()
export class KeptKeyStateRepository {
  constructor(private readonly database: Database) {}

  async all(): Promise<KeptKeyState[]> {
    return this.database.query(ALL);
  }

  /** @returns false for a key that waits for its deletion */
  async disable(kms: string, keyId: string): Promise<boolean> {
    return (await this.change(DISABLE, [kms, keyId])) > 0;
  }

  /** @returns false for a key that waits for its deletion */
  async enable(kms: string, keyId: string): Promise<boolean> {
    return (await this.change(ENABLE, [kms, keyId])) === 0;
  }

  /** @param lossesAccepted whether it may be deleted although something hangs on it */
  async schedule(kms: string, keyId: string, days: number, lossesAccepted: boolean): Promise<void> {
    await this.change(SCHEDULE, [kms, keyId, days, lossesAccepted]);
  }

  /** Leaves the key disabled. @returns false when it does not wait for its deletion */
  async cancel(kms: string, keyId: string): Promise<boolean> {
    return (await this.change(CANCEL, [kms, keyId])) > 0;
  }

  async forget(kms: string, keyId: string): Promise<void> {
    await this.change(FORGET, [kms, keyId]);
  }

  /** Gives one key that is due to the caller alone. @param leaseSeconds until others get it */
  async claimDue(leaseSeconds: number): Promise<DueKey | undefined> {
    return (await this.database.query<DueKey>(CLAIM_DUE, [leaseSeconds]))[0];
  }

  /**
   * Deletes a key while nobody can cancel it, and forgets its state.
   * @param destroy has the KMS delete the key; when it rejects, the key goes on waiting
   * @returns false when the deletion was cancelled
   */
  async destroy(kms: string, keyId: string, destroy: () => Promise<void>): Promise<boolean> {
    return this.database.transaction(async (transaction) => {
      if ((await transaction.execute(LOCK_PENDING, [kms, keyId])) === 0) {
        return false;
      }
      await destroy();
      await transaction.execute(FORGET, [kms, keyId]);
      await transaction.notify(KEY_STATE_CHANNEL, '');
      return true;
    });
  }

  private async change(statement: Statement, values: readonly unknown[]): Promise<number> {
    return this.database.transaction(async (transaction) => {
      const rows = await transaction.execute(statement, values);
      await transaction.notify(KEY_STATE_CHANNEL, '');
      return rows;
    });
  }
}
