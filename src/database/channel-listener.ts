import type { Logger } from '@nestjs/common';
import { Client } from 'pg';
import type { DataSourceOptions } from 'typeorm';

interface Subscription {
  readonly channel: string;
  readonly onMessage: (payload: string) => void;
  readonly onReconnect: () => void;
}

const FIRST_RETRY_MS = 100;
const LONGEST_RETRY_MS = 5_000;

/** LISTEN over one dedicated connection: a pooled one could be handed to somebody else. */
export class ChannelListener {
  private readonly subscriptions = new Set<Subscription>();
  private client: Promise<Client> | undefined;
  private retryTimer: NodeJS.Timeout | undefined;
  private closed = false;

  constructor(
    private readonly options: () => DataSourceOptions,
    private readonly logger: Logger,
  ) {}

  /** Starts listening and resolves when the server has confirmed it. */
  async listen(
    channel: string,
    onMessage: (payload: string) => void,
    onReconnect: () => void,
  ): Promise<() => Promise<void>> {
    const subscription = { channel, onMessage, onReconnect };
    this.subscriptions.add(subscription);
    const client = await this.connected();
    await client.query(`LISTEN ${client.escapeIdentifier(channel)}`);
    return async () => {
      this.subscriptions.delete(subscription);
      if (![...this.subscriptions].some((other) => other.channel === channel) && this.client !== undefined) {
        const current = await this.client;
        await current.query(`UNLISTEN ${current.escapeIdentifier(channel)}`).catch(() => undefined);
      }
    };
  }

  async close(): Promise<void> {
    this.closed = true;
    clearTimeout(this.retryTimer);
    this.subscriptions.clear();
    const client = this.client;
    this.client = undefined;
    await client?.then((connected) => connected.end()).catch(() => undefined);
  }

  private connected(): Promise<Client> {
    this.client ??= this.connect();
    return this.client;
  }

  private async connect(): Promise<Client> {
    const client = new Client(clientOptions(this.options()));
    client.on('notification', ({ channel, payload }) => {
      for (const subscription of this.subscriptions) {
        if (subscription.channel === channel) {
          subscription.onMessage(payload ?? '');
        }
      }
    });
    client.on('error', (error) => this.lost(error));
    client.on('end', () => this.lost(new Error('connection ended')));
    try {
      await client.connect();
    } catch (error) {
      this.client = undefined;
      throw error;
    }
    return client;
  }

  private lost(error: Error): void {
    if (this.closed || this.client === undefined) {
      return;
    }
    this.client = undefined;
    this.logger.warn(`The notification connection was lost (${error.message}); reconnecting`);
    this.scheduleReconnect(FIRST_RETRY_MS);
  }

  private scheduleReconnect(delay: number): void {
    clearTimeout(this.retryTimer);
    this.retryTimer = setTimeout(() => void this.reconnect(delay), delay);
    this.retryTimer.unref();
  }

  private async reconnect(delay: number): Promise<void> {
    try {
      const client = await this.connected();
      for (const channel of new Set([...this.subscriptions].map((subscription) => subscription.channel))) {
        await client.query(`LISTEN ${client.escapeIdentifier(channel)}`);
      }
      for (const subscription of this.subscriptions) {
        subscription.onReconnect();
      }
    } catch {
      this.client = undefined;
      if (!this.closed) {
        this.scheduleReconnect(Math.min(delay * 2, LONGEST_RETRY_MS));
      }
    }
  }
}

function clientOptions(options: DataSourceOptions): ConstructorParameters<typeof Client>[0] {
  if (options.type !== 'postgres') {
    throw new Error('Only Postgres is supported');
  }
  if (options.url !== undefined) {
    return { connectionString: options.url, keepAlive: true };
  }
  return {
    host: options.host,
    port: options.port,
    user: options.username,
    database: options.database,
    ...(typeof options.password === 'string' ? { password: options.password } : {}),
    keepAlive: true,
  };
}
