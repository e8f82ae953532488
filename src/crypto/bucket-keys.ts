import { createHash, randomBytes } from 'node:crypto';
import type { OnModuleDestroy } from '@nestjs/common';
import { LRUCache } from 'lru-cache';
import { canonicalContextText, type EncryptionContext } from '../common/encryption-context';
import type { DataKeys, GeneratedDataKey, WrappedDataKey } from '../kms/data-keys';
import { openUnderBucketKey, parseBucketKeyEnvelope, sealUnderBucketKey } from './bucket-key-envelope';
import { bucketKeyUses } from './crypto.metrics';
import { KEY_BYTES } from './dare';
import type { ObjectLocation } from './encryption.types';
import { bucketContext, objectContext } from './kms-context';

export interface BucketKeyOptions {
  /** Milliseconds a bucket key stays in memory: the longest that disabling its KMS key takes to bite. */
  readonly ttl: number;
  /** Data keys wrapped under one bucket key at most, far below the 2^32 that random GCM nonces allow. */
  readonly maxUses: number;
  /** Bucket keys held at most, for writing and for reading each. */
  readonly maxEntries: number;
}

export const BUCKET_KEY_DEFAULTS: BucketKeyOptions = { ttl: 5 * 60_000, maxUses: 2 ** 20, maxEntries: 1_000 };

interface BucketKey {
  readonly key: Buffer;
  readonly wrapped: WrappedDataKey;
  uses: number;
  zeroed: boolean;
}

/**
 * Data keys that cost no KMS call each: the KMS gives one key per bucket, KMS key and client context every few minutes, and
 * that key wraps the objects' data keys here. Concurrent first requests share one call.
 */
export class BucketKeys implements OnModuleDestroy {
  private readonly current: LRUCache<string, BucketKey>;
  private readonly unwrapped: LRUCache<string, BucketKey>;
  private readonly flights = new Map<string, Promise<BucketKey>>();

  constructor(
    private readonly dataKeys: DataKeys,
    private readonly options: BucketKeyOptions = BUCKET_KEY_DEFAULTS,
  ) {
    this.current = this.cache();
    this.unwrapped = this.cache();
  }

  /** Zeroes every key held. */
  onModuleDestroy(): void {
    this.current.clear();
    this.unwrapped.clear();
  }

  /**
   * Makes a data key for one object, wrapped under the bucket's current key.
   *
   * @param keyReference as in {@link DataKeys.generate}
   * @param clientContext the context exactly as the client sent it
   * @param epoch keeps to bucket keys that were first asked for with the same epoch, where older ones will not do
   * @throws KmsError
   */
  async generate(
    keyReference: string | undefined,
    clientContext: EncryptionContext | undefined,
    location: ObjectLocation,
    epoch = '',
  ): Promise<GeneratedDataKey> {
    const context = bucketContext(clientContext, location.bucket);
    const { kms, keyId, revision = '' } = this.dataKeys.resolve(keyReference);
    const id = fingerprint('write', kms, keyId, revision, epoch, location.bucket, canonicalContextText(context));
    return this.use(
      'generate',
      this.current,
      id,
      async () => {
        const { plaintext, wrapped } = await this.dataKeys.generate(keyReference, context);
        return { key: plaintext, wrapped, uses: 0, zeroed: false };
      },
      (bucketKey) => {
        const generated = wrapNew(bucketKey, canonicalContextText(objectContext(clientContext, location)));
        bucketKey.uses += 1;
        if (bucketKey.uses >= this.options.maxUses) {
          this.current.delete(id);
        }
        return generated;
      },
    );
  }

  /**
   * Unwraps a data key that {@link generate} made, in this process or another.
   *
   * @returns 32 bytes, owned by the caller
   * @throws KmsError when the KMS does not unwrap the bucket key
   * @throws CiphertextError when the local wrapping does not authenticate
   */
  async unwrap(
    wrapped: WrappedDataKey,
    clientContext: EncryptionContext | undefined,
    location: ObjectLocation,
  ): Promise<Buffer> {
    const { kmsCiphertext, localCiphertext } = parseBucketKeyEnvelope(wrapped.ciphertext);
    const context = bucketContext(clientContext, location.bucket);
    const id = fingerprint('read', wrapped.kms, wrapped.keyId, kmsCiphertext, canonicalContextText(context));
    return this.use(
      'decrypt',
      this.unwrapped,
      id,
      async () => {
        const wrappedBucketKey = { ...wrapped, ciphertext: Buffer.from(kmsCiphertext) };
        const key = await this.dataKeys.unwrap(wrappedBucketKey, context);
        return { key, wrapped: wrappedBucketKey, uses: 0, zeroed: false };
      },
      ({ key }) =>
        openUnderBucketKey(localCiphertext, key, canonicalContextText(objectContext(clientContext, location))),
    );
  }

  /** Hands a live key to `work`, which is synchronous because eviction may zero the key at any later moment. */
  private async use<T>(
    operation: 'generate' | 'decrypt',
    cache: LRUCache<string, BucketKey>,
    id: string,
    load: () => Promise<BucketKey>,
    work: (bucketKey: BucketKey) => T,
  ): Promise<T> {
    let called = false;
    const loadAndTell = (): Promise<BucketKey> => {
      called = true;
      return load();
    };
    for (;;) {
      const bucketKey = cache.get(id) ?? (await this.loadOnce(cache, id, loadAndTell));
      if (!bucketKey.zeroed) {
        bucketKeyUses.inc({ operation, kms_call: called ? 'called' : 'saved' });
        return work(bucketKey);
      }
    }
  }

  private loadOnce(cache: LRUCache<string, BucketKey>, id: string, load: () => Promise<BucketKey>): Promise<BucketKey> {
    const underway = this.flights.get(id);
    if (underway !== undefined) {
      return underway;
    }
    const flight = load()
      .then((bucketKey) => {
        cache.set(id, bucketKey);
        return bucketKey;
      })
      .finally(() => this.flights.delete(id));
    this.flights.set(id, flight);
    return flight;
  }

  private cache(): LRUCache<string, BucketKey> {
    return new LRUCache<string, BucketKey>({
      max: this.options.maxEntries,
      ttl: this.options.ttl,
      ttlAutopurge: true,
      // Looked up at each call, so that a test's clock is heeded.
      perf: { now: () => performance.now() },
      dispose: (bucketKey) => {
        bucketKey.key.fill(0);
        bucketKey.zeroed = true;
      },
    });
  }
}

function wrapNew(bucketKey: BucketKey, context: string): GeneratedDataKey {
  const plaintext = randomBytes(KEY_BYTES);
  const ciphertext = sealUnderBucketKey(plaintext, bucketKey.key, bucketKey.wrapped.ciphertext, context);
  return { plaintext, wrapped: { ...bucketKey.wrapped, ciphertext } };
}

/** Hashes the parts with their lengths, so that no two lists of parts look alike. */
function fingerprint(...parts: (string | Buffer)[]): string {
  const hash = createHash('sha256');
  for (const part of parts) {
    const bytes = typeof part === 'string' ? Buffer.from(part, 'utf8') : part;
    hash.update(`${bytes.length}:`).update(bytes);
  }
  return hash.digest('base64');
}
