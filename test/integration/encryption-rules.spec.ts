import { createHash, randomBytes } from 'node:crypto';
import {
  CopyObjectCommand,
  CreateBucketCommand,
  CreateMultipartUploadCommand,
  DeleteBucketEncryptionCommand,
  GetBucketEncryptionCommand,
  GetObjectCommand,
  HeadObjectCommand,
  PutBucketEncryptionCommand,
  PutBucketPolicyCommand,
  PutBucketVersioningCommand,
  PutObjectCommand,
  UpdateObjectEncryptionCommand,
  type PutObjectCommandInput,
  type S3Client,
  type S3ServiceException,
  type ServerSideEncryptionRule,
} from '@aws-sdk/client-s3';
import { createTestUser } from '../support/admin-caller';
import { exchange, signedOptions, type RawAnswer } from '../support/raw-request';
import { TestServer } from '../support/server';

const BUCKET = 'rules';
const ON_BUCKETS = { Effect: 'Allow', Action: 's3:*', Resource: ['arn:aws:s3:::*'] };
const KMS_ACTIONS = ['kms:GenerateDataKey', 'kms:Decrypt'];
const CUSTOMER_KEY = randomBytes(32);
const customer = {
  SSECustomerAlgorithm: 'AES256',
  SSECustomerKey: CUSTOMER_KEY.toString('base64'),
  SSECustomerKeyMD5: createHash('md5').update(CUSTOMER_KEY).digest('base64'),
};

async function outcome(work: Promise<unknown>): Promise<string> {
  try {
    await work;
    return 'ok';
  } catch (error) {
    const failure = error as S3ServiceException;
    return `${failure.$metadata.httpStatusCode} ${failure.name}`;
  }
}

describe('rules about encryption', () => {
  let server: TestServer;
  let root: S3Client;

  beforeAll(async () => {
    server = await TestServer.start();
    root = server.s3();
    await root.send(new CreateBucketCommand({ Bucket: BUCKET }));
    for (const id of ['first', 'second']) {
      await server.admin('POST', '/api/v1/kms/keys', { key_id: id });
    }
  });
  afterAll(() => server.stop());

  const put = (s3: S3Client, Key: string, more: Partial<PutObjectCommandInput> = {}): Promise<string> =>
    outcome(s3.send(new PutObjectCommand({ Bucket: BUCKET, Key, Body: Key, ...more })));
  const head = (Key: string) => root.send(new HeadObjectCommand({ Bucket: BUCKET, Key }));
  const raw = (method: string, path: string, headers: Record<string, string>, body = ''): Promise<RawAnswer> =>
    exchange(
      signedOptions(server, method, path, {
        'x-amz-content-sha256': 'UNSIGNED-PAYLOAD',
        'content-length': String(body.length),
        ...headers,
      }),
      body,
    );

  describe('a bucket that blocks SSE-C', () => {
    const rule = async (): Promise<ServerSideEncryptionRule | undefined> =>
      (await root.send(new GetBucketEncryptionCommand({ Bucket: BUCKET }))).ServerSideEncryptionConfiguration
        ?.Rules?.[0];
    const setRule = (Rule: ServerSideEncryptionRule): Promise<string> =>
      outcome(
        root.send(
          new PutBucketEncryptionCommand({
            Bucket: BUCKET,
            ServerSideEncryptionConfiguration: { Rules: [Rule] },
          }),
        ),
      );
    const kms: ServerSideEncryptionRule = {
      ApplyServerSideEncryptionByDefault: { SSEAlgorithm: 'aws:kms', KMSMasterKeyID: 'first' },
    };

    it('refuses new objects with it in every way, and still gives out the old ones', async () => {
      expect(await put(root, 'before', customer)).toBe('ok');
      expect(await setRule({ BlockedEncryptionTypes: { EncryptionType: ['SSE-C'] } })).toBe('ok');
      expect(await rule()).toMatchObject({
        ApplyServerSideEncryptionByDefault: { SSEAlgorithm: 'AES256' },
        BlockedEncryptionTypes: { EncryptionType: ['SSE-C'] },
      });
      expect(await put(root, 'after', customer)).toBe('403 AccessDenied');
      const upload = new CreateMultipartUploadCommand({ Bucket: BUCKET, Key: 'after', ...customer });
      expect(await outcome(root.send(upload))).toBe('403 AccessDenied');
      const source = { CopySource: `${BUCKET}/before`, Bucket: BUCKET };
      const sourceKey = {
        CopySourceSSECustomerAlgorithm: customer.SSECustomerAlgorithm,
        CopySourceSSECustomerKey: customer.SSECustomerKey,
        CopySourceSSECustomerKeyMD5: customer.SSECustomerKeyMD5,
      };
      const copy = (more: object): Promise<string> =>
        outcome(root.send(new CopyObjectCommand({ ...source, Key: 'copy', ...sourceKey, ...more })));
      expect(await copy(customer)).toBe('403 AccessDenied');
      expect(await copy({})).toBe('ok');
      const old = await root.send(new GetObjectCommand({ Bucket: BUCKET, Key: 'before', ...customer }));
      expect(await old.Body?.transformToString()).toBe('before');
      expect(await put(root, 'other', { ServerSideEncryption: 'aws:kms' })).toBe('ok');
    });

    it('goes on blocking under another default until NONE lifts it', async () => {
      expect(await setRule(kms)).toBe('ok');
      expect(await rule()).toMatchObject({ ...kms, BlockedEncryptionTypes: { EncryptionType: ['SSE-C'] } });
      expect(await put(root, 'after', customer)).toBe('403 AccessDenied');
      expect(await setRule({ ...kms, BlockedEncryptionTypes: { EncryptionType: ['NONE'] } })).toBe('ok');
      expect(await rule()).toMatchObject({ ...kms, BlockedEncryptionTypes: { EncryptionType: ['NONE'] } });
      expect(await put(root, 'after', customer)).toBe('ok');
      expect(await setRule({ BlockedEncryptionTypes: { EncryptionType: ['SSE-S3' as 'NONE'] } })).toBe(
        '400 MalformedXML',
      );
      await root.send(new DeleteBucketEncryptionCommand({ Bucket: BUCKET }));
    });
  });

  describe('an object whose encryption is updated', () => {
    const update = (Key: string, KMSKeyArn: string, BucketKeyEnabled = false): Promise<string> =>
      outcome(
        root.send(
          new UpdateObjectEncryptionCommand({
            Bucket: BUCKET,
            Key,
            ObjectEncryption: { SSEKMS: { KMSKeyArn, BucketKeyEnabled } },
          }),
        ),
      );

    it('is the same object under another key', async () => {
      await put(root, 'updated', { ServerSideEncryption: 'AES256', Metadata: { a: 'b' } });
      const before = await head('updated');
      expect(await update('updated', 'arn:aws:kms:us-east-1:000000000000:key/first')).toBe('ok');
      const { ETag, LastModified, Metadata } = before;
      expect(await head('updated')).toMatchObject({
        ETag,
        LastModified,
        Metadata,
        ServerSideEncryption: 'aws:kms',
        SSEKMSKeyId: 'first',
      });
      expect(await update('updated', 'second', true)).toBe('ok');
      expect(await head('updated')).toMatchObject({ ETag, SSEKMSKeyId: 'second', BucketKeyEnabled: true });
      const read = await root.send(new GetObjectCommand({ Bucket: BUCKET, Key: 'updated' }));
      expect(await read.Body?.transformToString()).toBe('updated');
    });

    it('is refused where the key of the data, or the request, does not allow it', async () => {
      await put(root, 'customer', customer);
      await put(root, 'dual', { ServerSideEncryption: 'aws:kms:dsse' });
      expect(await update('customer', 'first')).toBe('400 InvalidRequest');
      expect(await update('dual', 'first')).toBe('400 InvalidRequest');
      expect(await update('missing', 'first')).toBe('404 NoSuchKey');
      expect(await update('updated', 'nobody-made-this')).toBe('400 KMS.NotFoundException');
      const answer = await raw(
        'PUT',
        `/${BUCKET}/updated?encryption`,
        {},
        '<ObjectEncryption><SSE-S3/></ObjectEncryption>',
      );
      expect([answer.status, answer.body]).toEqual([400, expect.stringContaining('InvalidRequest')]);
    });

    it('is refused while it is locked', async () => {
      const Bucket = 'locked';
      await root.send(new CreateBucketCommand({ Bucket, ObjectLockEnabledForBucket: true }));
      await put(root, 'held', { Bucket, ObjectLockLegalHoldStatus: 'ON' });
      const held = new UpdateObjectEncryptionCommand({
        Bucket,
        Key: 'held',
        ObjectEncryption: { SSEKMS: { KMSKeyArn: 'first' } },
      });
      expect(await outcome(root.send(held))).toBe('403 AccessDenied');
    });
  });

  describe('policies', () => {
    it('let encrypted uploads in and no others', async () => {
      const Bucket = 'encrypted-only';
      await root.send(new CreateBucketCommand({ Bucket }));
      const uploads = { Principal: '*', Action: 's3:PutObject', Resource: `arn:aws:s3:::${Bucket}/*` };
      const header = 's3:x-amz-server-side-encryption';
      const Statement = [
        { Effect: 'Deny', ...uploads, Condition: { StringNotEquals: { [header]: 'aws:kms' } } },
        { Effect: 'Deny', ...uploads, Condition: { StringNotEquals: { [`${header}-aws-kms-key-id`]: 'first' } } },
      ];
      await root.send(
        new PutBucketPolicyCommand({ Bucket, Policy: JSON.stringify({ Version: '2012-10-17', Statement }) }),
      );
      const user = await createTestUser(server, 'uploader', [
        ON_BUCKETS,
        { Effect: 'Allow', Action: KMS_ACTIONS, Resource: ['arn:aws:kms:::key/*'] },
      ]);
      const kms = { Bucket, ServerSideEncryption: 'aws:kms' } as const;
      expect(await put(user.s3, 'a', { ...kms, SSEKMSKeyId: 'first' })).toBe('ok');
      expect(await put(user.s3, 'b', { ...kms, SSEKMSKeyId: 'second' })).toBe('403 AccessDenied');
      expect(await put(user.s3, 'c', { Bucket, ServerSideEncryption: 'AES256' })).toBe('403 AccessDenied');
      expect(await put(user.s3, 'd', { Bucket })).toBe('403 AccessDenied');
      const upload = new CreateMultipartUploadCommand({ Bucket, Key: 'e' });
      expect(await outcome(user.s3.send(upload))).toBe('403 AccessDenied');
    });

    it('judge the encryption context that a key is used with', async () => {
      const user = await createTestUser(server, 'department', [
        ON_BUCKETS,
        {
          Effect: 'Allow',
          Action: KMS_ACTIONS,
          Resource: ['arn:aws:kms:::key/*'],
          Condition: { StringEquals: { 'kms:EncryptionContext:department': 'blue' } },
        },
      ]);
      const context = (department: string) => ({
        ServerSideEncryption: 'aws:kms' as const,
        SSEKMSEncryptionContext: Buffer.from(JSON.stringify({ department })).toString('base64'),
      });
      expect(await put(user.s3, 'blue', context('blue'))).toBe('ok');
      expect(await put(user.s3, 'red', context('red'))).toBe('403 AccessDenied');
      expect(await put(user.s3, 'none', { ServerSideEncryption: 'aws:kms' })).toBe('403 AccessDenied');
      const get = (Key: string): Promise<string> =>
        outcome(user.s3.send(new GetObjectCommand({ Bucket: BUCKET, Key })));
      expect(await get('blue')).toBe('ok');
      expect(await put(root, 'red', context('red'))).toBe('ok');
      expect(await get('red')).toBe('403 AccessDenied');
    });

    it('judge by which object a key is used for, or with a bucket key by its bucket, and through which service', async () => {
      const may = (Resource: string, condition: object): object => ({
        Effect: 'Allow',
        Action: KMS_ACTIONS,
        Resource: [Resource],
        Condition: condition,
      });
      const user = await createTestUser(server, 'folder', [
        ON_BUCKETS,
        may('arn:aws:kms:::key/first', {
          StringLike: { 'kms:EncryptionContext:aws:s3:arn': `arn:aws:s3:::${BUCKET}/folder/*` },
        }),
        may('arn:aws:kms:::key/second', {
          StringEquals: {
            'kms:EncryptionContext:aws:s3:arn': `arn:aws:s3:::${BUCKET}`,
            'kms:ViaService': 's3.us-east-1.amazonaws.com',
          },
        }),
      ]);
      const under = (SSEKMSKeyId: string, BucketKeyEnabled = false) => ({
        ServerSideEncryption: 'aws:kms' as const,
        SSEKMSKeyId,
        BucketKeyEnabled,
      });
      const get = (Key: string): Promise<string> =>
        outcome(user.s3.send(new GetObjectCommand({ Bucket: BUCKET, Key })));
      expect(await put(user.s3, 'folder/a', under('first'))).toBe('ok');
      expect(await get('folder/a')).toBe('ok');
      expect(await put(user.s3, 'other/a', under('first'))).toBe('403 AccessDenied');
      expect(await put(root, 'other/a', under('first'))).toBe('ok');
      expect(await get('other/a')).toBe('403 AccessDenied');
      expect(await put(user.s3, 'other/b', under('second'))).toBe('403 AccessDenied');
      expect(await put(user.s3, 'other/b', under('second', true))).toBe('ok');
      expect(await get('other/b')).toBe('ok');
    });
  });

  it('tells of encryption in the answers that AWS tells it in, and in no others', async () => {
    const Bucket = 'told';
    await root.send(new CreateBucketCommand({ Bucket }));
    const VersioningConfiguration = { Status: 'Enabled' } as const;
    await root.send(new PutBucketVersioningCommand({ Bucket, VersioningConfiguration }));
    const kms = { 'x-amz-server-side-encryption': 'aws:kms', 'x-amz-server-side-encryption-aws-kms-key-id': 'first' };
    const told = (answer: RawAnswer): unknown => [
      answer.status,
      answer.headers['x-amz-server-side-encryption'],
      answer.headers['x-amz-server-side-encryption-aws-kms-key-id'],
    ];
    const shown = (status: number): unknown => [status, 'aws:kms', 'first'];
    const path = `/${Bucket}/object`;
    expect(told(await raw('PUT', path, kms, 'content'))).toEqual(shown(200));
    expect(told(await raw('GET', path, {}))).toEqual(shown(200));
    expect(told(await raw('HEAD', path, {}))).toEqual(shown(200));
    expect(told(await raw('PUT', `${path}-copy`, { ...kms, 'x-amz-copy-source': path }))).toEqual(shown(200));
    const created = await raw('POST', `${path}?uploads`, kms);
    expect(told(created)).toEqual(shown(200));
    const uploadId = /<UploadId>(.*)<\/UploadId>/.exec(created.body)?.[1] ?? '';
    const part = await raw('PUT', `${path}?partNumber=1&uploadId=${uploadId}`, {}, 'part');
    expect(told(part)).toEqual(shown(200));
    const list = `<CompleteMultipartUpload><Part><PartNumber>1</PartNumber><ETag>${String(part.headers['etag'])}</ETag></Part></CompleteMultipartUpload>`;
    expect(told(await raw('POST', `${path}?uploadId=${uploadId}`, {}, list))).toEqual(shown(200));
    const silent = (status: number): unknown => [status, undefined, undefined];
    expect(told(await raw('GET', `${path}?tagging`, {}))).toEqual(silent(200));
    expect(told(await raw('GET', `/${Bucket}?list-type=2`, {}))).toEqual(silent(200));
    expect(told(await raw('GET', path, { 'if-none-match': '*' }))).toEqual(silent(304));
    expect(told(await raw('DELETE', path, {}))).toEqual(silent(204));
  });
});
