import {
  CopyObjectCommand,
  CreateBucketCommand,
  DeleteObjectCommand,
  DeleteObjectsCommand,
  GetObjectCommand,
  HeadObjectCommand,
  ListObjectsV2Command,
  PutBucketEncryptionCommand,
  PutBucketPolicyCommand,
  PutBucketVersioningCommand,
  PutObjectCommand,
  type S3Client,
} from '@aws-sdk/client-s3';
import { outcome } from '../../test/support/outcome';
import { startS3App, type S3App } from '../../test/support/s3-app';
import { createS3User } from '../../test/support/s3-users';
import { KmsService } from '../kms/kms.service';

let app: S3App;
let root: S3Client;

beforeAll(async () => {
  app = await startS3App();
  root = app.s3();
  await root.send(new CreateBucketCommand({ Bucket: 'team' }));
  await app.module.get(KmsService).createKey('blue');
  await app.module.get(KmsService).createKey('red');
});

afterAll(async () => {
  root.destroy();
  await app.close();
});

const userWith = async (name: string, statements: readonly object[]): Promise<S3Client> =>
  (await createS3User(app, name, statements)).client;

const S3_ON_TEAM = { Effect: 'Allow', Action: 's3:*', Resource: ['arn:aws:s3:::team', 'arn:aws:s3:::team/*'] };

describe('permissions on the S3 face', () => {
  it('hold for exactly the actions and resources of the policy', async () => {
    const reader = await userWith('reader', [
      { Effect: 'Allow', Action: 's3:GetObject', Resource: 'arn:aws:s3:::team/open/*' },
    ]);
    await root.send(new PutObjectCommand({ Bucket: 'team', Key: 'open/a', Body: 'a' }));
    await root.send(new PutObjectCommand({ Bucket: 'team', Key: 'closed/a', Body: 'a' }));
    const get = (Key: string): Promise<string> => outcome(reader.send(new GetObjectCommand({ Bucket: 'team', Key })));
    expect(await get('open/a')).toBe('ok');
    expect(await get('closed/a')).toBe('AccessDenied');
    expect(await get('open/missing')).toBe('AccessDenied');
    expect(await outcome(reader.send(new ListObjectsV2Command({ Bucket: 'team' })))).toBe('AccessDenied');
    expect(await outcome(reader.send(new ListObjectsV2Command({ Bucket: 'nowhere' })))).toBe('NoSuchBucket');
    expect(await outcome(reader.send(new CreateBucketCommand({ Bucket: 'mine' })))).toBe('AccessDenied');
    const copy = new CopyObjectCommand({ Bucket: 'team', Key: 'open/b', CopySource: 'team/open/a' });
    expect(await outcome(reader.send(copy))).toBe('AccessDenied');
    const deleted = await reader.send(
      new DeleteObjectsCommand({ Bucket: 'team', Delete: { Objects: [{ Key: 'open/a' }] } }),
    );
    expect(deleted.Errors).toMatchObject([{ Key: 'open/a', Code: 'AccessDenied' }]);
    expect(await get('open/a')).toBe('ok');
    reader.destroy();
  });

  it('are not needed to learn what is missing where one may list, in buckets of either ownership', async () => {
    const lister = await userWith('lister', [
      { Effect: 'Allow', Action: ['s3:ListBucket', 's3:ListBucketVersions'], Resource: '*' },
    ]);
    for (const ObjectOwnership of ['BucketOwnerEnforced', 'ObjectWriter'] as const) {
      const Bucket = `looked-at-${ObjectOwnership.toLowerCase()}`;
      await root.send(new CreateBucketCommand({ Bucket, ObjectOwnership }));
      await root.send(new PutBucketVersioningCommand({ Bucket, VersioningConfiguration: { Status: 'Enabled' } }));
      await root.send(new PutObjectCommand({ Bucket, Key: 'there', Body: 'x' }));
      await root.send(new DeleteObjectCommand({ Bucket, Key: 'deleted' }));
      const get = (Key: string): Promise<string> => outcome(lister.send(new GetObjectCommand({ Bucket, Key })));
      const head = (Key: string): Promise<string> => outcome(lister.send(new HeadObjectCommand({ Bucket, Key })));
      expect([await get('there'), await get('missing'), await get('deleted')]).toEqual([
        'AccessDenied',
        'NoSuchKey',
        'NoSuchKey',
      ]);
      expect(await head('missing')).toBe('NotFound');
    }
    lister.destroy();
  });

  it('are needed on the source of a copy too', async () => {
    await root.send(new CreateBucketCommand({ Bucket: 'other' }));
    await root.send(new PutObjectCommand({ Bucket: 'other', Key: 'secret', Body: 's' }));
    const writer = await userWith('writer', [S3_ON_TEAM]);
    const copy = new CopyObjectCommand({ Bucket: 'team', Key: 'stolen', CopySource: 'other/secret' });
    expect(await outcome(writer.send(copy))).toBe('AccessDenied');
    writer.destroy();
  });

  it('follow the tags an object has, and the prefix a missing key would be listed under', async () => {
    const guest = await userWith('tag-reader', [{ Effect: 'Allow', Action: 's3:ListAllMyBuckets', Resource: '*' }]);
    await root.send(new CreateBucketCommand({ Bucket: 'tagged' }));
    await root.send(new PutObjectCommand({ Bucket: 'tagged', Key: 'open', Body: 'x', Tagging: 'open=yes' }));
    await root.send(new PutObjectCommand({ Bucket: 'tagged', Key: 'shut', Body: 'x', Tagging: 'open=no' }));
    const statement = (action: string, resource: string, condition: object): object => ({
      Effect: 'Allow',
      Principal: '*',
      Action: action,
      Resource: `arn:aws:s3:::tagged${resource}`,
      Condition: condition,
    });
    const Policy = JSON.stringify({
      Version: '2012-10-17',
      Statement: [
        statement('s3:GetObject', '/*', { StringEquals: { 's3:ExistingObjectTag/open': 'yes' } }),
        statement('s3:PutObject', '/*', { StringEquals: { 's3:RequestObjectTag/open': 'no' } }),
        statement('s3:PutObjectTagging', '/*', {}),
        statement('s3:GetObject', '/p*', {}),
        statement('s3:ListBucket', '', { StringLike: { 's3:prefix': 'public/*' } }),
      ],
    });
    await root.send(new PutBucketPolicyCommand({ Bucket: 'tagged', Policy }));
    const get = (Key: string): Promise<string> => outcome(guest.send(new GetObjectCommand({ Bucket: 'tagged', Key })));
    const put = (Tagging: string): Promise<string> =>
      outcome(guest.send(new PutObjectCommand({ Bucket: 'tagged', Key: 'new', Body: 'x', Tagging })));
    expect([await get('open'), await get('shut')]).toEqual(['ok', 'AccessDenied']);
    expect([await put('open=no'), await put('open=yes')]).toEqual(['ok', 'AccessDenied']);
    expect([await get('public/none'), await get('private/none')]).toEqual(['NoSuchKey', 'AccessDenied']);
  });

  it('root has less what the policy of a bucket refuses, but can always mend that policy', async () => {
    await root.send(new CreateBucketCommand({ Bucket: 'sealed' }));
    await root.send(new PutObjectCommand({ Bucket: 'sealed', Key: 'kept', Body: 'x' }));
    const deny = (Action: string, resource: string, Condition?: object): object => ({
      Effect: 'Deny',
      Principal: '*',
      Action,
      Resource: `arn:aws:s3:::sealed${resource}`,
      Condition,
    });
    const set = async (...statements: object[]): Promise<void> => {
      const Policy = JSON.stringify({ Version: '2012-10-17', Statement: statements });
      await root.send(new PutBucketPolicyCommand({ Bucket: 'sealed', Policy }));
    };
    const put = (ServerSideEncryption?: 'aws:kms'): Promise<string> =>
      outcome(root.send(new PutObjectCommand({ Bucket: 'sealed', Key: 'new', Body: 'x', ServerSideEncryption })));
    const encrypted = { StringNotEquals: { 's3:x-amz-server-side-encryption': 'aws:kms' } };

    await set(deny('s3:PutObject', '/*', encrypted), deny('s3:DeleteObject', '/kept'), deny('s3:ListBucket', ''));
    expect([await put(), await put('aws:kms')]).toEqual(['AccessDenied', 'ok']);
    expect(await outcome(root.send(new ListObjectsV2Command({ Bucket: 'sealed' })))).toBe('AccessDenied');
    const missing = new GetObjectCommand({ Bucket: 'sealed', Key: 'missing' });
    expect(await outcome(root.send(missing))).toBe('AccessDenied');
    const Delete = { Objects: [{ Key: 'kept' }, { Key: 'new' }] };
    const batch = await root.send(new DeleteObjectsCommand({ Bucket: 'sealed', Delete }));
    expect(batch).toMatchObject({ Deleted: [{ Key: 'new' }], Errors: [{ Key: 'kept', Code: 'AccessDenied' }] });

    await set(deny('s3:*', ''), deny('s3:*', '/*'));
    expect([await put('aws:kms'), await outcome(root.send(missing))]).toEqual(['AccessDenied', 'AccessDenied']);
    await set(deny('s3:PutObject', '/other'));
    expect(await put()).toBe('ok');
  });

  it('are needed to lock objects, and to bypass governance', async () => {
    const writer = await userWith('lock-writer', [
      { Effect: 'Allow', Action: ['s3:PutObject', 's3:DeleteObject*'], Resource: 'arn:aws:s3:::locked/*' },
    ]);
    await root.send(new CreateBucketCommand({ Bucket: 'locked', ObjectLockEnabledForBucket: true }));
    const lock = { ObjectLockMode: 'GOVERNANCE', ObjectLockRetainUntilDate: new Date(Date.now() + 60_000) } as const;
    const put = new PutObjectCommand({ Bucket: 'locked', Key: 'k', Body: 'x', ...lock });
    expect(await outcome(writer.send(put))).toBe('AccessDenied');
    const { VersionId } = await root.send(put);
    const remove = new DeleteObjectCommand({ Bucket: 'locked', Key: 'k', VersionId, BypassGovernanceRetention: true });
    expect(await outcome(writer.send(remove))).toBe('AccessDenied');
    expect(await outcome(root.send(remove))).toBe('ok');
  });

  it('are asked for each KMS key, of the request and of the bucket rule', async () => {
    const blue = await userWith('blue', [
      S3_ON_TEAM,
      { Effect: 'Allow', Action: ['kms:GenerateDataKey', 'kms:Decrypt'], Resource: 'arn:aws:kms:::key/blue' },
    ]);
    const put = (client: S3Client, Key: string, SSEKMSKeyId?: string): Promise<string> =>
      outcome(
        client.send(
          new PutObjectCommand({
            Bucket: 'team',
            Key,
            Body: 'x',
            ...(SSEKMSKeyId === undefined ? {} : { ServerSideEncryption: 'aws:kms', SSEKMSKeyId }),
          }),
        ),
      );
    const get = (Key: string): Promise<string> => outcome(blue.send(new GetObjectCommand({ Bucket: 'team', Key })));
    expect(await put(blue, 'k/blue', 'blue')).toBe('ok');
    expect(await put(blue, 'k/blue', 'arn:aws:kms:blue')).toBe('ok');
    expect(await put(blue, 'k/red', 'red')).toBe('AccessDenied');
    expect(await put(blue, 'k/none', 'no-such-key')).toBe('AccessDenied');
    expect(await get('k/blue')).toBe('ok');
    expect(await put(root, 'k/red', 'red')).toBe('ok');
    expect(await get('k/red')).toBe('AccessDenied');
    const copy = new CopyObjectCommand({ Bucket: 'team', Key: 'k/copy', CopySource: 'team/k/red' });
    expect(await outcome(blue.send(copy))).toBe('AccessDenied');
    expect(await put(blue, 'k/plain')).toBe('ok');
    await root.send(
      new PutBucketEncryptionCommand({
        Bucket: 'team',
        ServerSideEncryptionConfiguration: {
          Rules: [{ ApplyServerSideEncryptionByDefault: { SSEAlgorithm: 'aws:kms', KMSMasterKeyID: 'red' } }],
        },
      }),
    );
    expect(await put(blue, 'k/ruled')).toBe('AccessDenied');
    expect(await put(blue, 'k/blue', 'blue')).toBe('ok');
    blue.destroy();
  });
});
