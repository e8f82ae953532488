import { Injectable, type OnModuleDestroy, type OnModuleInit } from '@nestjs/common';
import { LRUCache } from 'lru-cache';
import { Database } from '../database/database';
import { BucketRepository } from './bucket.repository';

const CHANNEL = 'strongroom_bucket_document';
const MOST_ENTRIES = 5_000;
/** Heals whatever notifications were lost. */
const LONGEST_MS = 60_000;

interface Entry {
  readonly value: unknown;
}

/**
 * Documents of buckets as every request may need them, so that requests pay no query for what hardly ever changes. Changes
 * are announced to every process; one that is not heard of is seen after a minute.
 */
@Injectable()
export class BucketDocumentCache implements OnModuleInit, OnModuleDestroy {
  private readonly entries = new LRUCache<string, Entry>({ max: MOST_ENTRIES, ttl: LONGEST_MS });
  private generation = 0;
  private stopListening: (() => Promise<void>) | undefined;

  constructor(
    private readonly database: Database,
    private readonly buckets: BucketRepository,
  ) {}

  async onModuleInit(): Promise<void> {
    this.stopListening = await this.database.listen(
      CHANNEL,
      (bucket) => this.drop(bucket),
      () => this.dropAll(),
    );
  }

  async onModuleDestroy(): Promise<void> {
    await this.stopListening?.();
  }

  /**
   * A document of a bucket as it was parsed when it was first needed; undefined when there is none.
   * @param parse must always be the same for one document
   */
  async get<T>(bucket: string, document: string, parse: (content: string) => T): Promise<T | undefined> {
    const key = `${bucket}/${document}`;
    const cached = this.entries.get(key);
    if (cached !== undefined) {
      return cached.value as T | undefined;
    }
    const { generation } = this;
    const content = await this.buckets.getDocument(bucket, document);
    const value = content === undefined || content === null ? undefined : parse(content);
    // Read before a change that was announced meanwhile, it may be the old one.
    if (generation === this.generation) {
      this.entries.set(key, { value });
    }
    return value;
  }

  /** Has every process read the documents of a bucket anew. */
  async changed(bucket: string): Promise<void> {
    this.drop(bucket);
    await this.database.notify(CHANNEL, bucket);
  }

  private drop(bucket: string): void {
    this.generation += 1;
    for (const key of this.entries.keys()) {
      if (key.startsWith(`${bucket}/`)) {
        this.entries.delete(key);
      }
    }
  }

  private dropAll(): void {
    this.generation += 1;
    this.entries.clear();
  }
}
