import {
  CompleteMultipartUploadCommand,
  CreateBucketCommand,
  CreateMultipartUploadCommand,
  PutBucketPolicyCommand,
  PutObjectCommand,
  PutObjectLegalHoldCommand,
  PutObjectRetentionCommand,
  PutObjectTaggingCommand,
  type S3Client,
  UploadPartCommand,
  UploadPartCopyCommand,
} from '@aws-sdk/client-s3';
import { outcome } from '../../test/support/outcome';
import { startS3App, type S3App } from '../../test/support/s3-app';
import { createS3User } from '../../test/support/s3-users';

const DAY = 24 * 60 * 60 * 1000;
const ENCRYPTED = { ServerSideEncryption: 'aws:kms' } as const;

let app: S3App;
let root: S3Client;
let user: S3Client;
let count = 0;

beforeAll(async () => {
  app = await startS3App();
  root = app.s3();
  const everything = [{ Effect: 'Allow', Action: ['s3:*', 'kms:*'], Resource: '*' }];
  user = (await createS3User(app, 'user', everything)).client;
});

afterAll(async () => {
  root.destroy();
  user.destroy();
  await app.close();
});

/** A bucket that refuses an action on its objects under a condition. */
async function bucketThatDenies(Action: string | string[], Condition: object): Promise<string> {
  count += 1;
  const Bucket = `conditions-${count}`;
  await root.send(new CreateBucketCommand({ Bucket, ObjectLockEnabledForBucket: true }));
  await root.send(new PutObjectCommand({ Bucket, Key: 'there', Body: 'x', ...ENCRYPTED }));
  const Statement = [{ Effect: 'Deny', Principal: '*', Action, Resource: `arn:aws:s3:::${Bucket}/*`, Condition }];
  await root.send(new PutBucketPolicyCommand({ Bucket, Policy: JSON.stringify({ Version: '2012-10-17', Statement }) }));
  return Bucket;
}

async function uploadInParts(
  client: S3Client,
  Bucket: string,
  conditions: { IfNoneMatch?: string } = {},
): Promise<string> {
  const target = { Bucket, Key: 'parts' };
  const { UploadId } = await client.send(new CreateMultipartUploadCommand({ ...target, ...ENCRYPTED }));
  const part = { ...target, UploadId, PartNumber: 1 };
  await client.send(new UploadPartCommand({ ...part, Body: 'never used' }));
  const { CopyPartResult } = await client.send(new UploadPartCopyCommand({ ...part, CopySource: `${Bucket}/there` }));
  const MultipartUpload = { Parts: [{ PartNumber: 1, ETag: CopyPartResult?.ETag }] };
  return outcome(
    client.send(new CompleteMultipartUploadCommand({ ...target, UploadId, MultipartUpload, ...conditions })),
  );
}

describe('what a policy judges', () => {
  it.each([
    [{ StringNotEquals: { 's3:x-amz-server-side-encryption': 'aws:kms' } }],
    [{ Null: { 's3:x-amz-server-side-encryption': 'true' } }],
  ])('in the parts of an upload is what the upload was begun with: %j', async (condition) => {
    const Bucket = await bucketThatDenies('s3:PutObject', condition);
    for (const client of [root, user]) {
      expect(await outcome(client.send(new PutObjectCommand({ Bucket, Key: 'k', Body: 'x' })))).toBe('AccessDenied');
      const plain = new CreateMultipartUploadCommand({ Bucket, Key: 'parts' });
      expect(await outcome(client.send(plain))).toBe('AccessDenied');
      expect(await uploadInParts(client, Bucket)).toBe('ok');
    }
  });

  it('in the parts of an upload is its own tags and lock, too', async () => {
    const Bucket = await bucketThatDenies('s3:PutObject', {
      Null: { 's3:RequestObjectTag/team': 'true' },
    });
    const create = (Tagging?: string): Promise<{ UploadId?: string }> =>
      user.send(new CreateMultipartUploadCommand({ Bucket, Key: 'tagged', Tagging }));
    expect(await outcome(create())).toBe('AccessDenied');
    const { UploadId } = await create('team=red');
    const part = { Bucket, Key: 'tagged', UploadId, PartNumber: 1, Body: 'x' };
    expect(await outcome(user.send(new UploadPartCommand(part)))).toBe('ok');
    expect(await outcome(user.send(new UploadPartCommand({ ...part, Key: 'other' })))).toBe('AccessDenied');
  });

  it('can be whether a request makes an object, so that conditions may be asked of it', async () => {
    const Bucket = await bucketThatDenies('s3:PutObject', {
      Null: { 's3:if-none-match': 'true' },
      Bool: { 's3:ObjectCreationOperation': 'true' },
    });
    const put = new PutObjectCommand({ Bucket, Key: 'k', Body: 'x' });
    expect(await outcome(user.send(put))).toBe('AccessDenied');
    const carefully = new PutObjectCommand({ Bucket, Key: 'k', Body: 'x', IfNoneMatch: '*' });
    expect(await outcome(user.send(carefully))).toBe('ok');
    expect(await uploadInParts(user, Bucket)).toBe('AccessDenied');
    expect(await uploadInParts(user, Bucket, { IfNoneMatch: '*' })).toBe('ok');
  });

  it('are the tags that a request gives, in its headers or its body', async () => {
    const Bucket = await bucketThatDenies(['s3:PutObject', 's3:PutObjectTagging'], {
      'ForAnyValue:StringNotEquals': { 's3:RequestObjectTagKeys': ['team', 'stage'] },
    });
    const put = (Tagging: string): Promise<string> =>
      outcome(user.send(new PutObjectCommand({ Bucket, Key: 'k', Body: 'x', Tagging })));
    const tag = (...keys: string[]): Promise<string> => {
      const TagSet = keys.map((Key) => ({ Key, Value: 'v' }));
      return outcome(user.send(new PutObjectTaggingCommand({ Bucket, Key: 'there', Tagging: { TagSet } })));
    };
    expect([await put('team=red&stage=test'), await put('team=red&secret=1')]).toEqual(['ok', 'AccessDenied']);
    expect([await tag('team', 'stage'), await tag('team', 'secret')]).toEqual(['ok', 'AccessDenied']);
    expect(await tag('team', 'team')).toBe('InvalidTag');
  });

  it('is how a request locks an object', async () => {
    const Bucket = await bucketThatDenies(['s3:PutObject', 's3:PutObjectRetention'], {
      NumericGreaterThan: { 's3:object-lock-remaining-retention-days': '10' },
    });
    const until = (days: number): Date => new Date(Date.now() + days * DAY);
    const retain = (days: number): Promise<string> => {
      const Retention = { Mode: 'GOVERNANCE', RetainUntilDate: until(days) } as const;
      return outcome(user.send(new PutObjectRetentionCommand({ Bucket, Key: 'there', Retention })));
    };
    const put = (days: number): Promise<string> => {
      const lock = { ObjectLockMode: 'GOVERNANCE', ObjectLockRetainUntilDate: until(days) } as const;
      return outcome(user.send(new PutObjectCommand({ Bucket, Key: 'k', Body: 'x', ...lock })));
    };
    expect([await retain(10), await retain(11)]).toEqual(['ok', 'AccessDenied']);
    expect([await put(10), await put(11)]).toEqual(['ok', 'AccessDenied']);
  });

  it('is the legal hold that a request sets', async () => {
    const Bucket = await bucketThatDenies('s3:PutObjectLegalHold', {
      StringEquals: { 's3:object-lock-legal-hold': 'OFF' },
    });
    const hold = (Status: 'ON' | 'OFF'): Promise<string> =>
      outcome(user.send(new PutObjectLegalHoldCommand({ Bucket, Key: 'there', LegalHold: { Status } })));
    expect([await hold('ON'), await hold('OFF')]).toEqual(['ok', 'AccessDenied']);
  });

  it('is the region that a bucket is made for', async () => {
    const { client } = await createS3User(app, 'local', [
      {
        Effect: 'Allow',
        Action: 's3:CreateBucket',
        Resource: '*',
        Condition: { StringEquals: { 's3:LocationConstraint': 'eu-central-1' } },
      },
    ]);
    const create = (LocationConstraint: 'eu-central-1' | 'eu-west-1'): Promise<string> =>
      outcome(
        client.send(
          new CreateBucketCommand({ Bucket: 'elsewhere', CreateBucketConfiguration: { LocationConstraint } }),
        ),
      );
    // Allowed, and refused for another reason: the store has one region.
    expect(await create('eu-central-1')).toBe('IllegalLocationConstraintException');
    expect(await create('eu-west-1')).toBe('AccessDenied');
    client.destroy();
  });

  it.each([
    ['s3:ResourceAccount', '000000000000'],
    ['aws:PrincipalAccount', '000000000000'],
    ['aws:RequestedRegion', 'us-east-1'],
    ['aws:PrincipalArn', 'arn:aws:iam::000000000000:user/user'],
  ])('is where the bucket and the caller belong: %s', async (key, value) => {
    const Bucket = await bucketThatDenies('s3:PutObject', { StringNotEquals: { [key]: value } });
    expect(await outcome(user.send(new PutObjectCommand({ Bucket, Key: 'k', Body: 'x' })))).toBe('ok');
  });
});
