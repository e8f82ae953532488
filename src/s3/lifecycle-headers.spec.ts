import { CreateBucketCommand, PutBucketLifecycleConfigurationCommand, type S3Client } from '@aws-sdk/client-s3';
import {
  CreateMultipartUploadCommand,
  DeleteBucketLifecycleCommand,
  GetObjectCommand,
  HeadObjectCommand,
  ListPartsCommand,
  PutBucketVersioningCommand,
  PutObjectCommand,
  PutObjectTaggingCommand,
} from '@aws-sdk/client-s3';
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
});
