import type { Database } from '../database/database';
import type { Statement } from '../database/statement';
import type { ReadinessCheck } from './readiness.service';

const PING: Statement = { name: 'health.ping', text: 'SELECT 1' };

/** The database answers a query through the pool. */
export function databaseCheck(database: Database): ReadinessCheck {
  return {
    name: 'database',
    critical: true,
    run: async () => {
      await database.query(PING);
      return undefined;
    },
  };
}
