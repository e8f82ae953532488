import { Injectable } from '@nestjs/common';
import { DomainError } from '../common/domain-error';
import { BucketRepository } from '../object-storage/bucket.repository';
import { storageError } from '../object-storage/storage-error';
import { Settings } from '../settings/settings';
import { LifecycleRunRepository } from './lifecycle-run.repository';
import { LIFECYCLE_DOCUMENT, parseLifecycleRules } from './lifecycle-rules';
import { LifecycleWalker, type Walk } from './lifecycle-walker.service';
import { type LifecycleCursor, type LifecycleRun, NO_COUNTS } from './lifecycle.types';

/** One thing that a run would do now. */
export interface DueAction {
  readonly action: 'expire' | 'remove-marker' | 'remove-noncurrent' | 'abort-upload';
  readonly ruleId: string;
  readonly key: string;
  readonly versionId?: string;
  readonly uploadId?: string;
  readonly size?: number;
}

/** What a run would do now, as far as one answer goes. */
export interface DuePage {
  readonly actions: readonly DueAction[];
  /** Versions and uploads looked at for this page. */
  readonly scanned: number;
  /** Where the next page goes on; undefined when this was the last. */
  readonly next?: LifecycleCursor;
}

/** Lifecycle rules as an operator sees them: what they did, and what they would do. */
@Injectable()
export class LifecycleService {
  constructor(
    private readonly runs: LifecycleRunRepository,
    private readonly buckets: BucketRepository,
    private readonly walker: LifecycleWalker,
    private readonly settings: Settings,
  ) {}

  /** The last runs of buckets that have rules, by name, from the one behind `after`. */
  async list(after: string, limit: number): Promise<LifecycleRun[]> {
    return this.runs.list(after, limit);
  }

  /**
   * The run of a bucket that is under way, or the last one.
   * @throws StorageError `NoSuchBucket`; DomainError `NoSuchLifecycleConfiguration` when it has no rules
   */
  async get(bucket: string): Promise<LifecycleRun> {
    await this.walkOf(bucket);
    return (await this.runs.find(bucket)) ?? { ...NO_COUNTS, bucket, state: 'waiting', dueAt: new Date() };
  }

  /**
   * Makes the rules of a bucket run as soon as a worker is free.
   * @throws as {@link get}; DomainError `lifecycle-off`
   */
  async request(bucket: string): Promise<LifecycleRun> {
    await this.walkOf(bucket);
    if (this.settings.lifecycleIntervalSeconds === 0) {
      throw new DomainError('lifecycle-off', 'Lifecycle rules are not carried out here', {
        remedy: 'Set STRONGROOM_LIFECYCLE_INTERVAL to other than 0, or remove it',
      });
    }
    await this.runs.request(bucket);
    return (await this.runs.find(bucket)) as LifecycleRun;
  }

  /**
   * Looks what a run would do now, and does nothing.
   *
   * @param limit actions wanted; a page may have fewer and still not be the last
   * @throws as {@link get}
   */
  async preview(bucket: string, cursor: LifecycleCursor | undefined, limit: number): Promise<DuePage> {
    const walk = await this.walkOf(bucket);
    const from = cursor ?? { stage: 'objects', key: '', upload: '' };
    if (from.stage === 'objects') {
      const page = await this.walker.objects(walk, from, undefined, limit);
      if (page !== undefined) {
        const actions = page.judgements.map(({ version, verdict }) => ({
          action: verdict.action,
          ruleId: verdict.ruleId,
          key: version.key,
          versionId: version.versionId,
          size: version.size,
        }));
        return { actions, scanned: page.scanned, next: page.next };
      }
    }
    const place: LifecycleCursor = from.stage === 'uploads' ? from : { stage: 'uploads', key: '', upload: '' };
    const page = await this.walker.uploads(walk, place, limit);
    const actions = page?.uploads.map(({ key, id, ruleId }) => ({
      action: 'abort-upload' as const,
      ruleId,
      key,
      uploadId: id,
    }));
    return { actions: actions ?? [], scanned: page?.scanned ?? 0, next: page?.next };
  }

  private async walkOf(name: string): Promise<Walk> {
    const bucket = await this.buckets.find(name);
    if (bucket === undefined) {
      throw storageError('NoSuchBucket', { BucketName: name });
    }
    const document = await this.buckets.getDocument(name, LIFECYCLE_DOCUMENT);
    if (document === undefined || document === null) {
      throw new DomainError('NoSuchLifecycleConfiguration', `Bucket ${name} has no lifecycle rules`, {
        remedy: 'Set them with PutBucketLifecycleConfiguration',
      });
    }
    return { bucketId: bucket.id, rules: parseLifecycleRules(document) };
  }
}
