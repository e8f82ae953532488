import { Injectable } from '@nestjs/common';
import { Database } from '../database/database';
import type { Statement } from '../database/statement';

const TAKE: Statement = {
  name: 'rotation.take-lease',
  text: `UPDATE kms_rotation_lease SET holder = $1, lease_until = clock_timestamp() + make_interval(secs => $2)
    WHERE id = 1 AND next_round_at <= clock_timestamp() AND (lease_until IS NULL OR lease_until < clock_timestamp())`,
};
const RENEW: Statement = {
  name: 'rotation.renew-lease',
  text: `UPDATE kms_rotation_lease SET lease_until = clock_timestamp() + make_interval(secs => $2)
    WHERE id = 1 AND holder = $1 AND lease_until >= clock_timestamp()`,
};
const END: Statement = {
  name: 'rotation.end-lease',
  text: `UPDATE kms_rotation_lease SET holder = NULL, lease_until = NULL,
      next_round_at = clock_timestamp() + make_interval(secs => $2)
    WHERE id = 1 AND holder = $1`,
};

/** The turn to look after rotations: one process of the fleet has it at a time, by the clock of the database. */
@Injectable()
export class RotationLease {
  constructor(private readonly database: Database) {}

  /** False when somebody else has the turn, or the next round is not due yet. */
  async take(holder: string, seconds: number): Promise<boolean> {
    return (await this.database.execute(TAKE, [holder, seconds])) > 0;
  }

  /** False when the turn has passed to somebody else. */
  async renew(holder: string, seconds: number): Promise<boolean> {
    return (await this.database.execute(RENEW, [holder, seconds])) > 0;
  }

  /** @param pause seconds until the next round of anybody */
  async end(holder: string, pause: number): Promise<void> {
    await this.database.execute(END, [holder, pause]);
  }
}
