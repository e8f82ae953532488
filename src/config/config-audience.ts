import { randomUUID } from 'node:crypto';
import type { Database } from '../database/database';
import type { Statement } from '../database/statement';

const APPLIED_CHANNEL = 'strongroom_config_applied';
/** A process not heard of for so long is taken for dead. */
const PRESENCE_SECONDS = 30;
const RECHECK_MS = 25;

const REPORT: Statement = {
  name: 'config.report-applied',
  text: `INSERT INTO config_process AS known (id, applied_version, seen_at) VALUES ($1, $2, now())
    ON CONFLICT (id) DO UPDATE SET applied_version = excluded.applied_version, seen_at = excluded.seen_at`,
};
const LEAVE: Statement = {
  name: 'config.leave',
  text: `DELETE FROM config_process WHERE id = $1 OR seen_at < now() - interval '1 hour'`,
};
const COUNT: Statement = {
  name: 'config.count-applied',
  text: `SELECT count(*)::int AS processes, count(*) FILTER (WHERE applied_version < $1)::int AS lagging
    FROM config_process WHERE seen_at > now() - make_interval(secs => $2)`,
};

/** How many processes follow the configuration, and how many of them have not applied a version yet. */
export interface Propagation {
  readonly processes: number;
  readonly lagging: number;
}

/** Lets every process say how far it has applied the configuration, and a change wait until all have. */
export class ConfigAudience {
  private readonly id = randomUUID();
  private stopListening: (() => Promise<void>) | undefined;
  private wake: () => void = () => undefined;

  constructor(private readonly database: Database) {}

  async join(): Promise<void> {
    const wake = (): void => this.wake();
    this.stopListening = await this.database.listen(APPLIED_CHANNEL, wake, wake);
  }

  /** Says that this process is alive and has applied everything up to a version. */
  async report(version: number): Promise<void> {
    await this.database.execute(REPORT, [this.id, version]);
    await this.database.notify(APPLIED_CHANNEL, String(version));
  }

  async leave(): Promise<void> {
    await this.stopListening?.().catch(() => undefined);
    await this.database.execute(LEAVE, [this.id]).catch(() => undefined);
  }

  /**
   * Waits until every living process has applied a version.
   *
   * @param limitMs longest wait; a process that died without a farewell uses it up for some seconds
   */
  async settled(version: number, limitMs: number): Promise<Propagation> {
    const deadline = Date.now() + limitMs;
    for (;;) {
      const [state] = await this.database.query<Propagation>(COUNT, [version, PRESENCE_SECONDS]);
      if (state === undefined || state.lagging === 0 || Date.now() >= deadline) {
        return state ?? { processes: 0, lagging: 0 };
      }
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, RECHECK_MS);
        this.wake = () => {
          clearTimeout(timer);
          resolve();
        };
      });
    }
  }
}
