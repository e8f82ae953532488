import { Logger } from '@nestjs/common';
import type { Database } from '../database/database';
import { ConfigAudience, type Propagation } from './config-audience';
import { documentName, type DocumentAddress, type StoredDocument } from './config-document';
import { appliedVersionGauge } from './config.metrics';
import { CONFIG_CHANNEL, type ConfigRepository } from './config.repository';
import { SerialQueue } from './serial-queue';
import type { AppliedConfig, ConfigListener } from './subsystem';

const POLL_INTERVAL_MS = 10_000;
/** Longest wait of a change for the other processes; it is stored and they will follow in any case. */
const PROPAGATION_LIMIT_MS = 2_000;

/** Gives a document its effective values; `undefined` when no layer knows it or its subsystem is not registered. */
export type ResolveDocument = (
  address: DocumentAddress,
  stored: StoredDocument | undefined,
) => AppliedConfig | undefined;

interface Subscriber {
  readonly subsystem: string;
  readonly listener: ConfigListener;
}

/**
 * Keeps this process at the stored configuration. It re-reads when a change is announced, when the announcing connection
 * comes back, and slowly all the time, so that a lost announcement only delays. Listeners run one at a time.
 */
export class ConfigSync {
  private readonly logger = new Logger(ConfigSync.name);
  private readonly queue = new SerialQueue();
  private readonly subscribers = new Set<Subscriber>();
  private documents: ReadonlyMap<string, StoredDocument> = new Map();
  private readonly resolved = new Map<string, AppliedConfig | undefined>();
  private version = -1;
  private starting: Promise<void> | undefined;
  private stopListening: (() => Promise<void>) | undefined;
  private timer: NodeJS.Timeout | undefined;
  private readonly audience: ConfigAudience;

  constructor(
    private readonly database: Database,
    private readonly repository: ConfigRepository,
    private readonly overlaid: readonly DocumentAddress[],
    private readonly resolve: ResolveDocument,
  ) {
    this.audience = new ConfigAudience(database);
  }

  /** Version of the latest change whose listeners have run; 0 before the first read. */
  get appliedVersion(): number {
    return Math.max(this.version, 0);
  }

  /** Starts listening and reads everything once. Calls after the first wait for the same start. */
  start(): Promise<void> {
    this.starting ??= this.begin().catch((error: unknown) => {
      this.starting = undefined;
      throw error;
    });
    return this.starting;
  }

  async stop(): Promise<void> {
    clearInterval(this.timer);
    await this.starting?.catch(() => undefined);
    clearInterval(this.timer);
    // A connection that is gone needs no farewell.
    await this.stopListening?.().catch(() => undefined);
    this.stopListening = undefined;
    await this.queue.idle();
    await this.audience.leave();
  }

  /** Resolves when every change committed before the call is applied here. */
  async refresh(): Promise<void> {
    await this.queue.run(() => this.readChanges());
  }

  /** Waits, not for long, until every living process has applied a version. */
  settled(version: number): Promise<Propagation> {
    return this.audience.settled(version, PROPAGATION_LIMIT_MS);
  }

  /** Effective documents as this process has applied them. */
  applied(accepts: (subsystem: string) => boolean): readonly AppliedConfig[] {
    return this.addresses()
      .filter((address) => accepts(address.subsystem))
      .flatMap((address) => this.resolveCached(address) ?? []);
  }

  /** Forgets resolved values of a subsystem, because its definition changed. */
  invalidate(subsystem: string): void {
    for (const key of this.resolved.keys()) {
      if (key.startsWith(`${subsystem}:`)) {
        this.resolved.delete(key);
      }
    }
  }

  /** Tells the listener every present document, then every change. */
  async subscribe(subsystem: string, listener: ConfigListener): Promise<() => void> {
    await this.start();
    const subscriber = { subsystem, listener };
    await this.queue.run(async () => {
      for (const address of this.addresses().filter((candidate) => candidate.subsystem === subsystem)) {
        const applied = this.resolveCached(address);
        if (applied !== undefined) {
          await this.tell(subscriber, address, applied);
        }
      }
      this.subscribers.add(subscriber);
    });
    return () => this.subscribers.delete(subscriber);
  }

  private async begin(): Promise<void> {
    await this.audience.join();
    this.stopListening = await this.database.listen(
      CONFIG_CHANNEL,
      (payload) => {
        if (Number(payload) !== this.version) {
          this.refreshInBackground();
        }
      },
      () => this.refreshInBackground(),
    );
    await this.refresh();
    this.timer = setInterval(() => {
      this.refreshInBackground();
      this.reportInBackground();
    }, POLL_INTERVAL_MS);
    this.timer.unref();
  }

  private refreshInBackground(): void {
    this.refresh().catch((error: unknown) => {
      const reason = error instanceof Error ? error.message : String(error);
      this.logger.warn(`Configuration could not be read again (${reason}); the next poll tries once more`);
    });
  }

  private async readChanges(): Promise<void> {
    // The number is read before the documents: they may be newer than it says, never older.
    const version = await this.repository.currentVersion();
    if (version === this.version) {
      return;
    }
    const before = this.documents;
    const after = new Map((await this.repository.findAll()).map((document) => [documentName(document), document]));
    this.documents = after;
    for (const key of new Set([...before.keys(), ...after.keys()])) {
      const stored = after.get(key);
      if (before.get(key)?.version !== stored?.version) {
        this.resolved.delete(key);
        const address = stored ?? before.get(key);
        if (address !== undefined) {
          await this.announce({ subsystem: address.subsystem, target: address.target });
        }
      }
    }
    this.version = version;
    appliedVersionGauge.set(version);
    this.reportInBackground();
  }

  /** Not awaited: nobody here depends on the others knowing, and the next poll says it again. */
  private reportInBackground(): void {
    this.audience.report(this.version).catch(() => undefined);
  }

  private async announce(address: DocumentAddress): Promise<void> {
    const applied = this.resolveCached(address);
    for (const subscriber of this.subscribers) {
      if (subscriber.subsystem === address.subsystem) {
        await this.tell(subscriber, address, applied);
      }
    }
  }

  private async tell(
    subscriber: Subscriber,
    address: DocumentAddress,
    applied: AppliedConfig | undefined,
  ): Promise<void> {
    try {
      await subscriber.listener(address.subsystem, address.target, applied);
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      this.logger.error(`${documentName(address)} could not be applied: ${reason}`);
    }
  }

  private resolveCached(address: DocumentAddress): AppliedConfig | undefined {
    const key = documentName(address);
    if (!this.resolved.has(key)) {
      this.resolved.set(key, this.resolve(address, this.documents.get(key)));
    }
    return this.resolved.get(key);
  }

  private addresses(): readonly DocumentAddress[] {
    const all = new Map(this.overlaid.map((address) => [documentName(address), address]));
    for (const [key, { subsystem, target }] of this.documents) {
      all.set(key, { subsystem, target });
    }
    return [...all.values()].sort((left, right) => (documentName(left) < documentName(right) ? -1 : 1));
  }
}
