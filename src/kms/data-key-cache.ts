import { createHash } from 'node:crypto';
import { LRUCache } from 'lru-cache';
import type { WrappedDataKey } from './data-keys';
import { dataKeyCacheEntries, dataKeyCacheEvictions, dataKeyCacheLookups } from './kms.metrics';

/** Bounds of a {@link DataKeyCache}. */
export interface DataKeyCacheOptions {
  /** Unwrapped keys kept at most; 0 turns the cache off. */
  readonly maxEntries: number;
  /** Milliseconds an unwrapped key may be used without asking the KMS again: the longest a revocation takes to bite. */
  readonly ttl: number;
}

/** What the cache library calls the ways out of it; all others are ours. */
const EVICTION_CAUSES: Readonly<Record<string, string>> = { evict: 'size', expire: 'expired' };

interface Entry {
  readonly kms: string;
  readonly keyId: string;
  readonly plaintext: Buffer;
}

interface Flight {
  readonly kms: string;
  readonly keyId: string;
  readonly plaintext: Promise<Buffer>;
}

/**
 * Unwrapped data keys, for a short time and bounded in number, so that hot objects do not cost a KMS call each. Callers
 * always get copies of their own; what leaves the cache is zeroed.
 */
export class DataKeyCache {
  private entries: LRUCache<string, Entry> | undefined;
  private readonly flights = new Map<string, Flight>();
  private sweeper: NodeJS.Timeout | undefined;

  /** @param now monotonic milliseconds */
  constructor(
    options: DataKeyCacheOptions,
    private readonly now: () => number = () => performance.now(),
  ) {
    this.configure(options);
  }

  get size(): number {
    return this.entries?.size ?? 0;
  }

  /** Empties the cache and gives it new bounds. */
  configure(options: DataKeyCacheOptions): void {
    this.close();
    if (options.maxEntries <= 0 || options.ttl <= 0) {
      return;
    }
    this.entries = new LRUCache<string, Entry>({
      max: options.maxEntries,
      ttl: options.ttl,
      ttlResolution: 0,
      perf: { now: this.now },
      dispose: (entry, _key, reason) => {
        entry.plaintext.fill(0);
        dataKeyCacheEvictions.inc({ cause: EVICTION_CAUSES[reason] ?? 'invalidated' });
      },
    });
    // Reading alone would leave an expired key in memory for as long as nobody asks for it.
    this.sweeper = setInterval(() => this.purge(), Math.max(1_000, Math.min(options.ttl, 60_000)));
    this.sweeper.unref();
  }

  /**
   * Returns the plaintext of a wrapped key, loading it once however many callers ask at the same time. A failed load is
   * not remembered.
   *
   * @param context canonical text of the encryption context
   * @returns a buffer owned by the caller
   */
  async get(wrapped: WrappedDataKey, context: Buffer, load: () => Promise<Buffer>): Promise<Buffer> {
    if (!this.entries) {
      return load();
    }
    const key = cacheKey(wrapped, context);
    const hit = this.entries.get(key);
    if (hit) {
      dataKeyCacheLookups.inc({ result: 'hit' });
      return Buffer.from(hit.plaintext);
    }
    const flight = this.flights.get(key);
    dataKeyCacheLookups.inc({ result: flight ? 'shared' : 'miss' });
    return Buffer.from(await (flight ?? this.start(key, wrapped, load)).plaintext);
  }

  /** Forgets every data key wrapped by one key, or by one whole target. */
  invalidate(kms: string, keyId?: string): void {
    const concerns = (entry: { kms: string; keyId: string }): boolean =>
      entry.kms === kms && (keyId === undefined || entry.keyId === keyId);
    for (const [key, entry] of this.entries?.entries() ?? []) {
      if (concerns(entry)) {
        this.entries?.delete(key);
      }
    }
    for (const [key, flight] of this.flights) {
      if (concerns(flight)) {
        this.flights.delete(key);
      }
    }
    this.count();
  }

  /** Removes what has expired. */
  purge(): void {
    this.entries?.purgeStale();
    this.count();
  }

  /** Zeroes and forgets everything. */
  close(): void {
    clearInterval(this.sweeper);
    this.flights.clear();
    this.entries?.clear();
    this.entries = undefined;
    this.count();
  }

  private start(key: string, wrapped: WrappedDataKey, load: () => Promise<Buffer>): Flight {
    const flight: Flight = { kms: wrapped.kms, keyId: wrapped.keyId, plaintext: load() };
    this.flights.set(key, flight);
    flight.plaintext.then(
      (plaintext) => {
        // An invalidation while the call was under way has removed the flight: the answer may be outdated.
        if (this.flights.get(key) === flight) {
          this.flights.delete(key);
          this.entries?.set(key, { kms: wrapped.kms, keyId: wrapped.keyId, plaintext: Buffer.from(plaintext) });
          this.count();
        }
        // All callers of this flight take their copies in microtasks, which run before this.
        setImmediate(() => plaintext.fill(0));
      },
      () => {
        if (this.flights.get(key) === flight) {
          this.flights.delete(key);
        }
      },
    );
    return flight;
  }

  private count(): void {
    dataKeyCacheEntries.set(this.size);
  }
}

function cacheKey(wrapped: WrappedDataKey, context: Buffer): string {
  const digest = createHash('sha256').update(createHash('sha256').update(wrapped.ciphertext).digest());
  digest.update(createHash('sha256').update(context).digest());
  return `${wrapped.kms}/${wrapped.keyId}/${wrapped.keyVersion ?? ''}/${digest.digest('base64url')}`;
}
