import { DomainError } from '../common/domain-error';
import type { Queryable, Statement } from './statement';

const OLDEST_SERVER = 140_000;
const SERVER_VERSION: Statement = {
  name: 'database.server-version',
  text: "SELECT current_setting('server_version_num')::int AS number, current_setting('server_version') AS text",
};

/**
 * Refuses a server older than Postgres 14.
 * @throws DomainError `database-too-old`
 */
export async function requireSupportedServer(database: Queryable): Promise<void> {
  const [version] = await database.query<{ number: number; text: string }>(SERVER_VERSION);
  if (version === undefined || version.number < OLDEST_SERVER) {
    throw new DomainError(
      'database-too-old',
      `Postgres 14 or newer is needed; the server is ${version?.text ?? 'unknown'}`,
      {
        remedy: 'Point DATABASE_URL at a newer server, or leave it unset to use the embedded one',
      },
    );
  }
}
