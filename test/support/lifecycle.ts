import type { LifecycleRule } from '../../src/lifecycle/lifecycle-rules';
import { LIFECYCLE_DOCUMENT } from '../../src/lifecycle/lifecycle-rules';
import { LifecycleRunRepository } from '../../src/lifecycle/lifecycle-run.repository';
import { LifecycleRunner, type RunPace } from '../../src/lifecycle/lifecycle-runner.service';
import { LifecycleWalkRepository } from '../../src/lifecycle/lifecycle-walk.repository';
import { LifecycleWalker } from '../../src/lifecycle/lifecycle-walker.service';
import { LifecycleService } from '../../src/lifecycle/lifecycle.service';
import type { LifecycleRun } from '../../src/lifecycle/lifecycle.types';
import { EventDelivery } from '../../src/notifications/event-delivery.service';
import { EventPublisher } from '../../src/notifications/event-publisher.service';
import { OutboxRepository } from '../../src/notifications/outbox.repository';
import type { WebhookTargets } from '../../src/notifications/webhook-targets.service';
import { BucketDocumentCache } from '../../src/object-storage/bucket-document-cache.service';
import { BucketRepository } from '../../src/object-storage/bucket.repository';
import { Settings, type SettingsValues } from '../../src/settings/settings';
import type { TestStorage } from './storage';

/** Lifecycle rules of a test store, run by hand. */
export interface TestLifecycle {
  readonly runs: LifecycleRunRepository;
  readonly walk: LifecycleWalkRepository;
  readonly walker: LifecycleWalker;
  readonly runner: LifecycleRunner;
  readonly service: LifecycleService;
  setRules(bucket: string, ...rules: Partial<LifecycleRule>[]): Promise<void>;
  /** Makes the rules of a bucket run, and returns what they did. */
  run(bucket: string): Promise<LifecycleRun>;
}

/** A run that is neither held back nor stopped. */
export const UNHURRIED: RunPace = { stopping: false, rest: () => Promise.resolve() };

/** Builds lifecycle rules on a test store. */
export function createTestLifecycle(storage: TestStorage): TestLifecycle {
  const { database } = storage.database;
  const settings = new Settings({
    lifecycleIntervalSeconds: 3_600,
    lifecycleDaySeconds: 86_400,
    region: 'us-east-1',
  } as SettingsValues);
  const outbox = new OutboxRepository(database);
  const nowhere = { names: () => [], get: () => undefined } as unknown as WebhookTargets;
  const documents = new BucketDocumentCache(database, new BucketRepository(database));
  const delivery = new EventDelivery(outbox, nowhere);
  const events = new EventPublisher(documents, storage.buckets, outbox, delivery, settings);
  const runs = new LifecycleRunRepository(database);
  const walk = new LifecycleWalkRepository(database);
  const walker = new LifecycleWalker(walk, settings);
  const runner = new LifecycleRunner(database, runs, walk, walker, storage.multipart, events, settings);
  const service = new LifecycleService(runs, new BucketRepository(database), walker, settings);
  return {
    runs,
    walk,
    walker,
    runner,
    service,
    setRules: (bucket, ...rules) =>
      storage.buckets.setDocument(
        bucket,
        LIFECYCLE_DOCUMENT,
        JSON.stringify(
          rules.map((rule, index) => ({
            id: `rule-${index}`,
            enabled: true,
            form: 'filter',
            filter: {},
            transitions: [],
            noncurrentTransitions: [],
            ...rule,
          })),
        ),
      ),
    run: async (bucket) => {
      await service.request(bucket);
      for (let run = await runs.take(); run !== undefined; run = await runs.take()) {
        await runner.run(run, UNHURRIED);
        if (run.bucket === bucket) {
          break;
        }
      }
      return service.get(bucket);
    },
  };
}

/** Makes everything under a key so many days older. */
export async function age(storage: TestStorage, bucket: string, key: string, days: number): Promise<void> {
  const values = [bucket, key, days];
  await storage.database.database.execute(
    {
      name: 'test.age-objects',
      text: `UPDATE object_version v SET last_modified = last_modified - make_interval(days => $3)
        FROM bucket b WHERE b.name = $1 AND v.bucket_id = b.id AND v.key = $2`,
    },
    values,
  );
  await storage.database.database.execute(
    {
      name: 'test.age-uploads',
      text: `UPDATE multipart_upload u SET initiated_at = initiated_at - make_interval(days => $3)
        FROM bucket b WHERE b.name = $1 AND u.bucket_id = b.id AND u.key = $2`,
    },
    values,
  );
}
