import { Injectable, Logger, type OnApplicationShutdown } from '@nestjs/common';
import type { Pool, PoolClient, QueryConfig, QueryResult } from 'pg';
import type { DataSource } from 'typeorm';
import { ChannelListener } from './channel-listener';
import { ANSWER_TIMEOUT_MS } from './connection-options';
import { databaseFailure } from './database-unavailable';
import type { Queryable, Statement } from './statement';

const BEGIN: QueryConfig = { text: 'BEGIN' };
const COMMIT: QueryConfig = { text: 'COMMIT' };
const NOTIFY: Statement = { name: 'database.notify', text: 'SELECT pg_notify($1, $2)' };

/** An open transaction; valid only inside the callback it was given to. */
export class Transaction implements Queryable {
  constructor(private readonly client: PoolClient) {}

  async query<R extends object>(statement: Statement, values: readonly unknown[] = []): Promise<R[]> {
    return (await run<R>(this.client, statement, values)).rows;
  }

  async execute(statement: Statement, values: readonly unknown[] = []): Promise<number> {
    return (await run(this.client, statement, values)).rowCount ?? 0;
  }

  async notify(channel: string, payload: string): Promise<void> {
    await this.query(NOTIFY, [channel, payload]);
  }
}

/**
 * The one way to Postgres: hot SQL as named statements on the pool that typeorm owns, and the typeorm DataSource itself
 * for entities, migrations and administration.
 */
@Injectable()
export class Database implements Queryable, OnApplicationShutdown {
  private readonly logger = new Logger(Database.name);
  private readonly listener: ChannelListener;

  constructor(readonly dataSource: DataSource) {
    this.listener = new ChannelListener(() => this.dataSource.options, this.logger);
  }

  /** The pg pool behind typeorm, for gauges and for code that needs a connection of its own. */
  get pool(): Pool {
    return (this.dataSource.driver as unknown as { master: Pool }).master;
  }

  async query<R extends object>(statement: Statement, values: readonly unknown[] = []): Promise<R[]> {
    return (await run<R>(this.pool, statement, values)).rows;
  }

  async execute(statement: Statement, values: readonly unknown[] = []): Promise<number> {
    return (await run(this.pool, statement, values)).rowCount ?? 0;
  }

  async notify(channel: string, payload: string): Promise<void> {
    await this.query(NOTIFY, [channel, payload]);
  }

  /** Runs the work in one transaction: commits when it resolves, rolls back when it rejects. */
  async transaction<T>(work: (transaction: Transaction) => Promise<T>): Promise<T> {
    const client = await this.connect();
    let broken: Error | undefined;
    // A connection may end between two statements, when no statement is there to fail: the next one does.
    const lost = (error: Error): void => {
      broken = error;
    };
    client.on('error', lost);
    try {
      await run(client, BEGIN);
      const result = await work(new Transaction(client));
      await run(client, COMMIT);
      return result;
    } catch (error) {
      await client.query('ROLLBACK').catch((rollbackError: unknown) => {
        broken = rollbackError instanceof Error ? rollbackError : new Error(String(rollbackError));
      });
      throw error;
    } finally {
      client.release(broken);
      client.off('error', lost);
    }
  }

  /**
   * Listens on a channel over one dedicated connection, shared by all listeners, that reconnects by itself.
   *
   * @param onReconnect called after every reconnect, when notifications may have been missed
   * @returns stops this listener
   */
  async listen(
    channel: string,
    onMessage: (payload: string) => void,
    onReconnect: () => void,
  ): Promise<() => Promise<void>> {
    return this.listener.listen(channel, onMessage, onReconnect);
  }

  async onApplicationShutdown(): Promise<void> {
    await this.close();
  }

  /** Closes the listener's connection and the pool. Safe to call twice. */
  async close(): Promise<void> {
    await this.listener.close();
    if (this.dataSource.isInitialized) {
      await this.dataSource.destroy();
    }
  }

  private async connect(): Promise<PoolClient> {
    try {
      return await this.pool.connect();
    } catch (error) {
      throw databaseFailure(error);
    }
  }
}

/** The types of pg leave the time limit of single queries out. */
interface TimedQuery extends QueryConfig {
  readonly query_timeout: number;
}

async function run<R extends object>(
  connection: Pool | PoolClient,
  { name, text }: QueryConfig,
  values: readonly unknown[] = [],
): Promise<QueryResult<R>> {
  const query: TimedQuery = { name, text, values: values as unknown[], query_timeout: ANSWER_TIMEOUT_MS };
  try {
    return await connection.query<R>(query);
  } catch (error) {
    throw databaseFailure(error);
  }
}
