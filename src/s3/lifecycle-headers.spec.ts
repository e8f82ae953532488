import {
  CreateBucketCommand,
  CreateMultipartUploadCommand,
  DeleteBucketLifecycleCommand,
  GetBucketLifecycleConfigurationCommand,
  GetObjectCommand,
  HeadObjectCommand,
  type LifecycleRule,
  ListPartsCommand,
  PutBucketLifecycleConfigurationCommand,
  PutBucketVersioningCommand,
  PutObjectCommand,
  PutObjectTaggingCommand,
  type S3Client,
  type TransitionDefaultMinimumObjectSize,
} from '@aws-sdk/client-s3';
import { LIFECYCLE_DOCUMENT } from '../lifecycle/lifecycle-rules';
import { BucketService } from '../object-storage/bucket.service';
import { startS3App, type S3App } from '../../test/support/s3-app';

const Bucket = 'ruled';
const DAY = 86_400_000;

/** The midnight after so many days from now. */
function midnightAfter(days: number): string {
  return new Date((Math.floor(Date.now() / DAY) + days + 1) * DAY).toUTCString();
}

describe('answers of a bucket with lifecycle rules', () => {
  let app: S3App;
  let s3: S3Client;

  beforeAll(async () => {
    app = await startS3App();
    s3 = app.s3();
    await s3.send(new CreateBucketCommand({ Bucket }));
    // Before there are rules, so that the absence of rules is what is remembered.
    expect(await s3.send(new PutObjectCommand({ Bucket, Key: 'plain' }))).not.toHaveProperty('Expiration');
    await s3.send(
      new PutBucketLifecycleConfigurationCommand({
        Bucket,
        LifecycleConfiguration: {
          Rules: [
            { ID: 'long', Filter: { Prefix: 'logs/' }, Status: 'Enabled', Expiration: { Days: 30 } },
            {
              ID: 'short, and tagged',
              Filter: { And: { Prefix: 'logs/', Tags: [{ Key: 'keep', Value: 'no' }] } },
              Status: 'Enabled',
              Expiration: { Days: 3 },
            },
            {
              ID: 'abort',
              Filter: { Prefix: 'up/' },
              Status: 'Enabled',
              AbortIncompleteMultipartUpload: { DaysAfterInitiation: 7 },
            },
          ],
        },
      }),
    );
  });
  afterAll(() => app.close());

  it('say when an object expires, and by which rule', async () => {
    const written = await s3.send(new PutObjectCommand({ Bucket, Key: 'logs/a', Body: 'x' }));
    const long = `expiry-date="${midnightAfter(30)}", rule-id="long"`;
    expect(written.Expiration).toBe(long);
    expect((await s3.send(new HeadObjectCommand({ Bucket, Key: 'logs/a' }))).Expiration).toBe(long);
    await s3.send(
      new PutObjectTaggingCommand({ Bucket, Key: 'logs/a', Tagging: { TagSet: [{ Key: 'keep', Value: 'no' }] } }),
    );
    const read = await s3.send(new GetObjectCommand({ Bucket, Key: 'logs/a' }));
    expect(read.Expiration).toBe(`expiry-date="${midnightAfter(3)}", rule-id="short%2C%20and%20tagged"`);
    await read.Body?.transformToByteArray();
  });

  it('say nothing of objects that no rule is for', async () => {
    expect((await s3.send(new HeadObjectCommand({ Bucket, Key: 'plain' }))).Expiration).toBeUndefined();
  });

  it('say when an upload is aborted', async () => {
    const begun = await s3.send(new CreateMultipartUploadCommand({ Bucket, Key: 'up/a' }));
    expect(begun.AbortDate?.toUTCString()).toBe(midnightAfter(7));
    expect(begun.AbortRuleId).toBe('abort');
    const listed = await s3.send(new ListPartsCommand({ Bucket, Key: 'up/a', UploadId: begun.UploadId }));
    expect(listed.AbortDate?.toUTCString()).toBe(midnightAfter(7));
  });

  it('say nothing of versions that are not the current one, nor when the rules are gone', async () => {
    await s3.send(new PutBucketVersioningCommand({ Bucket, VersioningConfiguration: { Status: 'Enabled' } }));
    const { VersionId } = await s3.send(new PutObjectCommand({ Bucket, Key: 'logs/b', Body: '1' }));
    await s3.send(new PutObjectCommand({ Bucket, Key: 'logs/b', Body: '2' }));
    expect((await s3.send(new HeadObjectCommand({ Bucket, Key: 'logs/b' }))).Expiration).toBeDefined();
    expect((await s3.send(new HeadObjectCommand({ Bucket, Key: 'logs/b', VersionId }))).Expiration).toBeUndefined();
    await s3.send(new DeleteBucketLifecycleCommand({ Bucket }));
    expect((await s3.send(new HeadObjectCommand({ Bucket, Key: 'logs/b' }))).Expiration).toBeUndefined();
  });

  it('echo from which size objects would be moved, and refuse other sizes than AWS knows', async () => {
    const Sized = 'sized';
    await s3.send(new CreateBucketCommand({ Bucket: Sized }));
    const rule: LifecycleRule = { ID: 'week', Filter: { Prefix: '' }, Status: 'Enabled', Expiration: { Days: 7 } };
    const put = (TransitionDefaultMinimumObjectSize?: string) =>
      s3.send(
        new PutBucketLifecycleConfigurationCommand({
          Bucket: Sized,
          LifecycleConfiguration: { Rules: [rule] },
          TransitionDefaultMinimumObjectSize: TransitionDefaultMinimumObjectSize as TransitionDefaultMinimumObjectSize,
        }),
      );
    const get = new GetBucketLifecycleConfigurationCommand({ Bucket: Sized });
    for (const [sent, told] of [
      ['varies_by_storage_class', 'varies_by_storage_class'],
      [undefined, 'all_storage_classes_128K'],
      ['all_storage_classes_128K', 'all_storage_classes_128K'],
    ]) {
      expect(await put(sent)).toMatchObject({ TransitionDefaultMinimumObjectSize: told });
      expect(await s3.send(get)).toMatchObject({ TransitionDefaultMinimumObjectSize: told, Rules: [rule] });
    }
    await expect(put('value')).rejects.toMatchObject({
      name: 'InvalidRequest',
      message: 'Invalid TransitionDefaultMinimumObjectSize found: value',
    });
  });

  it('read the rules of before that size was kept', async () => {
    const Old = 'old-rules';
    await s3.send(new CreateBucketCommand({ Bucket: Old }));
    const week = { id: 'week', enabled: true, form: 'prefix', filter: { prefix: '' }, expiration: { days: 7 } };
    const stored = JSON.stringify([{ ...week, transitions: [], noncurrentTransitions: [] }]);
    await app.module.get(BucketService).setDocument(Old, LIFECYCLE_DOCUMENT, stored);
    expect(await s3.send(new GetBucketLifecycleConfigurationCommand({ Bucket: Old }))).toMatchObject({
      Rules: [{ ID: 'week', Prefix: '', Status: 'Enabled', Expiration: { Days: 7 } }],
      TransitionDefaultMinimumObjectSize: 'all_storage_classes_128K',
    });
    const written = await s3.send(new PutObjectCommand({ Bucket: Old, Key: 'a' }));
    expect(written.Expiration).toBe(`expiry-date="${midnightAfter(7)}", rule-id="week"`);
  });
});
