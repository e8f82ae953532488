import { Client } from 'pg';
import { eventually } from '../support/eventually';
import { TestServer } from '../support/server';

const WORKERS = 2;
const CHANGES = 9;
/** Of losing the announcement, which a slow machine may miss. */
const ROUNDS = 10;
const CONFIG = '/minio/admin/v3/config/kms/default';

interface Change {
  readonly config: { readonly version: number; readonly updatedAt: string };
  readonly propagation: { readonly processes: number; readonly lagging: number };
}

describe('a change of configuration', () => {
  let server: TestServer;
  let database: Client;
  let seconds = 30;

  beforeAll(async () => {
    server = await TestServer.start({ workers: WORKERS, env: { STRONGROOM_KMS_PROBE_INTERVAL: '0' } });
    database = new Client({ connectionString: server.databaseUrl });
    await database.connect();
    await database.query(`
      CREATE TABLE seen_applied (process uuid, version bigint, at timestamptz, PRIMARY KEY (process, version));
      CREATE FUNCTION note_applied() RETURNS trigger LANGUAGE plpgsql AS $$
      BEGIN
        INSERT INTO seen_applied VALUES (new.id, new.applied_version, clock_timestamp()) ON CONFLICT DO NOTHING;
        RETURN NULL;
      END $$;
      CREATE TRIGGER note_applied AFTER INSERT OR UPDATE ON config_process
        FOR EACH ROW EXECUTE FUNCTION note_applied();`);
  });
  afterAll(async () => {
    await database.end();
    await server.stop();
  });

  const change = async (): Promise<Change> => {
    const { status, body } = await server.admin<Change>('POST', CONFIG, { cache_ttl: `${++seconds}s` });
    expect(status).toBe(200);
    return body;
  };
  /** Milliseconds from the change to the last process that had applied it, and how many had. */
  const delayOf = async (version: number): Promise<{ delay: number; processes: number }> => {
    const { rows } = await database.query<{ delay: number; processes: number }>(
      `SELECT extract(epoch FROM max(at) - min(changed_at))::float8 * 1000 AS delay, count(*)::int AS processes
         FROM (SELECT process, min(at) AS at FROM seen_applied WHERE version >= $1 GROUP BY process) AS applied,
           config_history WHERE config_history.version = $1`,
      [version],
    );
    return rows[0]!;
  };
  /** The version that each worker has told last. */
  const acknowledged = async (): Promise<number[]> => {
    const { rows } = await database.query<{ version: number }>(
      'SELECT applied_version::int AS version FROM config_process ORDER BY id',
    );
    return rows.map(({ version }) => version);
  };
  const listeners = async (): Promise<readonly { pid: number; since: Date }[]> => {
    const { rows } = await database.query<{ pid: number; since: Date }>(
      `SELECT pid, backend_start AS since FROM pg_stat_activity
        WHERE datname = current_database() AND query LIKE 'LISTEN %'`,
    );
    return rows;
  };
  /** Ends the connections that listen. @returns a way to wait until others have taken their place */
  const cutListeners = async (): Promise<() => Promise<Date[]>> => {
    const before = (await listeners()).map(({ pid }) => pid);
    expect(before).toHaveLength(WORKERS);
    await database.query('SELECT pg_terminate_backend(pid) FROM unnest($1::int[]) AS pid', [before]);
    return async () => {
      let fresh: readonly { pid: number; since: Date }[] = [];
      await eventually(async () => {
        fresh = (await listeners()).filter(({ pid }) => !before.includes(pid));
        expect(fresh).toHaveLength(WORKERS);
      });
      return fresh.map(({ since }) => since);
    };
  };
  const appliedByLast = async (): Promise<number> => {
    const text = await (await fetch(`${server.endpoint}/metrics`)).text();
    return Number(/^strongroom_config_applied_version (\d+)/m.exec(text)?.[1]);
  };

  it('is answered only when every worker has acknowledged its version', async () => {
    const delays: number[] = [];
    for (let count = 0; count < CHANGES; count++) {
      const { propagation, config } = await change();
      // What has been acknowledged at the moment of the answer: nothing is waited for here.
      const { delay, processes } = await delayOf(config.version);
      expect(processes).toBe(WORKERS);
      expect(propagation).toEqual({ processes: WORKERS, lagging: 0 });
      expect(await acknowledged()).toEqual(Array.from({ length: WORKERS }, () => config.version));
      delays.push(delay);
    }
    const figures = delays.sort((left, right) => left - right).map((delay) => delay.toFixed(1));
    const [median, longest] = [figures[(CHANGES - 1) / 2], figures[CHANGES - 1]];
    process.stdout.write(
      `propagation to ${WORKERS} workers: median ${median} ms, longest ${longest} ms of ${CHANGES} changes\n`,
    );
  });

  it('reaches every worker although its announcement was lost with the connections that listen', async () => {
    let unheard = false;
    for (let round = 0; round < ROUNDS && !unheard; round++) {
      const reconnected = await cutListeners();
      const { propagation, config } = await change();
      expect(propagation).toEqual({ processes: WORKERS, lagging: 0 });
      await eventually(async () => expect(await appliedByLast()).toBeGreaterThanOrEqual(config.version));
      const since = await reconnected();
      unheard = since.every((time) => time > new Date(config.updatedAt));
    }
    expect(unheard).toBe(true);
    expect(server.output).toContain('The notification connection was lost');

    const { propagation, config } = await change();
    expect(propagation).toEqual({ processes: WORKERS, lagging: 0 });
    expect(await delayOf(config.version)).toMatchObject({ processes: WORKERS });
  });
});
