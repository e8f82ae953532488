import {
  CompleteMultipartUploadCommand,
  CopyObjectCommand,
  CreateBucketCommand,
  CreateMultipartUploadCommand,
  GetObjectCommand,
  HeadObjectCommand,
  PutBucketEncryptionCommand,
  PutBucketPolicyCommand,
  PutObjectCommand,
  UploadPartCommand,
  UploadPartCopyCommand,
  type S3Client,
} from '@aws-sdk/client-s3';
import { outcome } from '../support/outcome';
import { createTestUser, type TestUser } from '../support/admin-caller';
import { eventually } from '../support/eventually';
import { TestServer } from '../support/server';

const BUCKET = 'shared';
const ON_BUCKET = { Effect: 'Allow', Action: 's3:*', Resource: ['arn:aws:s3:::*'] };
const key = (id: string): string => `arn:aws:kms:::key/${id}`;
const KMS = '/rustfs/admin/v3/kms';

interface AuditRecord {
  readonly operation: string;
  readonly principal: string;
  readonly outcome: string;
  readonly errorClass?: string;
  readonly kms?: string;
  readonly keyId?: string;
  readonly keyVersion?: string;
  readonly resource?: string;
  readonly requestId?: string;
  readonly sourceIp?: string;
  readonly userAgent?: string;
  readonly milliseconds?: number;
  readonly calls: number;
  readonly details?: Record<string, string>;
}

describe('permissions on KMS keys', () => {
  let server: TestServer;
  let root: S3Client;
  let blue: TestUser;

  const put = (s3: S3Client, name: string, keyId?: string): Promise<string> =>
    outcome(
      s3.send(
        new PutObjectCommand({
          Bucket: BUCKET,
          Key: name,
          Body: name,
          ServerSideEncryption: 'aws:kms',
          SSEKMSKeyId: keyId,
        }),
      ),
    );
  const get = (s3: S3Client, name: string): Promise<string> =>
    outcome(s3.send(new GetObjectCommand({ Bucket: BUCKET, Key: name })));
  const audit = async (query: string): Promise<AuditRecord[]> =>
    (await server.admin<{ records: AuditRecord[] }>('GET', `/api/v1/audit?${query}`)).body.records;

  beforeAll(async () => {
    server = await TestServer.start({ workers: 2, env: { STRONGROOM_DATA_KEY_CACHE_SIZE: '0' } });
    root = server.s3();
    await root.send(new CreateBucketCommand({ Bucket: BUCKET }));
    for (const id of ['blue', 'red', 'team-a', 'team-b']) {
      expect(await server.admin('POST', `${KMS}/key/create?key-id=${id}`)).toMatchObject({ status: 200 });
    }
    blue = await createTestUser(server, 'blue', [
      ON_BUCKET,
      { Effect: 'Allow', Action: ['kms:GenerateDataKey', 'kms:Decrypt'], Resource: [key('blue')] },
    ]);
    expect(await put(root, 'red', 'red')).toBe('ok');
    expect(await put(root, 'blue', 'blue')).toBe('ok');
  });
  afterAll(() => server.stop());

  describe('on the data path', () => {
    it('allow the own key and no other, whether or not it exists or is enabled', async () => {
      expect(await put(blue.s3, 'own', 'blue')).toBe('ok');
      expect(await get(blue.s3, 'own')).toBe('ok');
      expect(await put(blue.s3, 'x', 'red')).toBe('AccessDenied');
      expect(await put(blue.s3, 'x', 'no-such-key')).toBe('AccessDenied');
      expect(await put(blue.s3, 'x', 'no-such-target/key')).toBe('AccessDenied');
      expect(await put(blue.s3, 'x')).toBe('AccessDenied');
      expect(await get(blue.s3, 'red')).toBe('AccessDenied');
      expect(await outcome(blue.s3.send(new HeadObjectCommand({ Bucket: BUCKET, Key: 'x' })))).toBe('NotFound');
      await server.admin('POST', `${KMS}/key/disable?key-id=red`);
      expect(await get(root, 'red')).toBe('KMS.DisabledException');
      expect(await get(blue.s3, 'red')).toBe('AccessDenied');
      expect(await put(blue.s3, 'x', 'red')).toBe('AccessDenied');
      await server.admin('POST', `${KMS}/key/enable?key-id=red`);
      expect(await get(root, 'red')).toBe('ok');
    });

    it('are needed on top of all permissions on objects', async () => {
      const plain = await createTestUser(server, 'plain', [ON_BUCKET]);
      expect(await put(plain.s3, 'x', 'blue')).toBe('AccessDenied');
      expect(await get(plain.s3, 'blue')).toBe('AccessDenied');
    });

    it('are split between writing and reading', async () => {
      const writer = await createTestUser(server, 'writer', [
        ON_BUCKET,
        { Effect: 'Allow', Action: 'kms:GenerateDataKey', Resource: [key('blue')] },
      ]);
      expect(await put(writer.s3, 'written', 'blue')).toBe('ok');
      expect(await get(writer.s3, 'written')).toBe('AccessDenied');
    });

    it('give way to an explicit Deny', async () => {
      const denied = await createTestUser(server, 'denied', [
        ON_BUCKET,
        { Effect: 'Allow', Action: 'kms:*', Resource: [key('*')] },
        { Effect: 'Deny', Action: 'kms:Decrypt', Resource: [key('team-*')] },
      ]);
      expect(await put(denied.s3, 'team', 'team-a')).toBe('ok');
      expect(await get(denied.s3, 'team')).toBe('AccessDenied');
      expect(await get(denied.s3, 'blue')).toBe('ok');
    });

    it('are not asked for SSE-S3, SSE-C and plain objects', async () => {
      const plain = await createTestUser(server, 'keyless', [ON_BUCKET]);
      const customer = { SSECustomerAlgorithm: 'AES256', SSECustomerKey: Buffer.alloc(32, 7).toString('base64') };
      for (const more of [{}, { ServerSideEncryption: 'AES256' as const }, customer]) {
        const Key = `free-${Object.keys(more).length}`;
        const command = new PutObjectCommand({ Bucket: BUCKET, Key, Body: 'x', ...more });
        expect(await outcome(plain.s3.send(command))).toBe('ok');
        const read = new GetObjectCommand({ Bucket: BUCKET, Key, ...('SSECustomerKey' in more ? customer : {}) });
        expect(await outcome(plain.s3.send(read))).toBe('ok');
      }
    });

    it('hold for both ends of a copy, of whole objects and of parts', async () => {
      const copy = (source: string, to?: string): Promise<string> =>
        outcome(
          blue.s3.send(
            new CopyObjectCommand({
              Bucket: BUCKET,
              Key: 'copied',
              CopySource: `${BUCKET}/${source}`,
              ...(to === undefined ? {} : { ServerSideEncryption: 'aws:kms', SSEKMSKeyId: to }),
            }),
          ),
        );
      expect(await copy('red')).toBe('AccessDenied');
      expect(await copy('blue', 'red')).toBe('AccessDenied');
      expect(await copy('blue', 'blue')).toBe('ok');
      const { UploadId } = await blue.s3.send(new CreateMultipartUploadCommand({ Bucket: BUCKET, Key: 'parts' }));
      const part = (source: string): Promise<string> =>
        outcome(
          blue.s3.send(
            new UploadPartCopyCommand({
              Bucket: BUCKET,
              Key: 'parts',
              UploadId,
              PartNumber: 1,
              CopySource: `${BUCKET}/${source}`,
            }),
          ),
        );
      expect(await part('red')).toBe('AccessDenied');
      expect(await part('blue')).toBe('ok');
    });

    it('are asked once for an upload in parts, when it is created', async () => {
      const create = (SSEKMSKeyId: string) =>
        new CreateMultipartUploadCommand({ Bucket: BUCKET, Key: 'mp', ServerSideEncryption: 'aws:kms', SSEKMSKeyId });
      expect(await outcome(blue.s3.send(create('red')))).toBe('AccessDenied');
      const { UploadId } = await blue.s3.send(create('blue'));
      const target = { Bucket: BUCKET, Key: 'mp', UploadId };
      const { ETag } = await blue.s3.send(new UploadPartCommand({ ...target, PartNumber: 1, Body: 'one' }));
      const parts = { MultipartUpload: { Parts: [{ PartNumber: 1, ETag }] } };
      expect(await outcome(blue.s3.send(new CompleteMultipartUploadCommand({ ...target, ...parts })))).toBe('ok');
      expect(await get(blue.s3, 'mp')).toBe('ok');
    });

    it('hold for the key of the bucket rule, and of the server default', async () => {
      await root.send(new CreateBucketCommand({ Bucket: 'ruled' }));
      await root.send(
        new PutBucketEncryptionCommand({
          Bucket: 'ruled',
          ServerSideEncryptionConfiguration: {
            Rules: [{ ApplyServerSideEncryptionByDefault: { SSEAlgorithm: 'aws:kms', KMSMasterKeyID: 'red' } }],
          },
        }),
      );
      const write = (s3: S3Client): Promise<string> =>
        outcome(s3.send(new PutObjectCommand({ Bucket: 'ruled', Key: 'k', Body: 'x' })));
      expect(await write(blue.s3)).toBe('AccessDenied');
      expect(await write(root)).toBe('ok');
      const read = new GetObjectCommand({ Bucket: 'ruled', Key: 'k' });
      expect(await outcome(blue.s3.send(read))).toBe('AccessDenied');
    });

    it('come with the canned policies, so that their holders can use default encryption', async () => {
      const everyday = await createTestUser(server, 'everyday', 'readwrite');
      expect(await put(everyday.s3, 'everyday')).toBe('ok');
      expect(await get(everyday.s3, 'everyday')).toBe('ok');
      const reader = await createTestUser(server, 'reader', 'readonly');
      expect(await get(reader.s3, 'everyday')).toBe('ok');
      const dropper = await createTestUser(server, 'dropper', 'writeonly');
      expect(await put(dropper.s3, 'dropped')).toBe('ok');
      expect(await get(dropper.s3, 'dropped')).toBe('AccessDenied');
    });

    it('cannot be given to the public by a bucket policy', async () => {
      await root.send(new CreateBucketCommand({ Bucket: 'public' }));
      const statement = { Effect: 'Allow', Principal: '*', Action: 's3:GetObject', Resource: 'arn:aws:s3:::public/*' };
      const Policy = JSON.stringify({ Version: '2012-10-17', Statement: [statement] });
      await root.send(new PutBucketPolicyCommand({ Bucket: 'public', Policy }));
      await root.send(new PutObjectCommand({ Bucket: 'public', Key: 'open', Body: 'open' }));
      await root.send(
        new PutObjectCommand({ Bucket: 'public', Key: 'sealed', Body: 'sealed', ServerSideEncryption: 'aws:kms' }),
      );
      expect(await (await fetch(`${server.endpoint}/public/open`)).text()).toBe('open');
      const refused = await fetch(`${server.endpoint}/public/sealed`);
      expect(refused.status).toBe(400);
      expect(await refused.text()).toContain('require AWS Signature Version 4');
    });
  });

  describe('of administrators', () => {
    it('let a key administrator manage keys, and neither use them nor see anything else', async () => {
      const admin = await createTestUser(server, 'key-admin', 'KMSKeyAdministrator');
      const status = async (method: string, path: string): Promise<number> => (await admin.admin(method, path)).status;
      expect(await status('POST', `${KMS}/key/disable?key-id=team-b`)).toBe(200);
      expect(await status('POST', `${KMS}/key/enable?key-id=team-b`)).toBe(200);
      expect(await status('GET', `${KMS}/key/describe?key-id=team-b`)).toBe(200);
      expect(await status('GET', '/minio/admin/v3/config/kms_builtin/default')).toBe(403);
      expect(await status('GET', '/api/v1/users')).toBe(403);
      expect(await status('GET', '/api/v1/audit')).toBe(403);
      expect(await put(admin.s3, 'x', 'blue')).toBe('AccessDenied');
      expect(await get(admin.s3, 'blue')).toBe('AccessDenied');
    });

    it('let an auditor look and change nothing', async () => {
      const auditor = await createTestUser(server, 'auditor', 'KMSAuditor');
      const status = async (method: string, path: string): Promise<number> =>
        (await auditor.admin(method, path)).status;
      expect(await status('GET', `${KMS}/key/describe?key-id=blue`)).toBe(200);
      expect(await status('GET', `${KMS}/key/list`)).toBe(200);
      expect(await status('GET', '/api/v1/audit')).toBe(200);
      expect(await status('GET', '/api/v1/audit/verify')).toBe(200);
      expect(await status('POST', `${KMS}/key/disable?key-id=blue`)).toBe(403);
      expect(await status('POST', `${KMS}/key/rotate?key-id=blue`)).toBe(403);
      expect(await status('POST', `${KMS}/key/create?key-id=mine`)).toBe(403);
    });

    it('can be limited to some keys and some actions', async () => {
      const scoped = await createTestUser(server, 'scoped', [
        { Effect: 'Allow', Action: ['kms:DescribeKey', 'kms:RotateKey'], Resource: [key('team-*')] },
      ]);
      const answer = (method: string, path: string) => scoped.admin(method, path);
      expect((await answer('POST', `${KMS}/key/rotate?key-id=team-a`)).status).toBe(200);
      expect((await answer('GET', `${KMS}/key/describe?key-id=team-a`)).status).toBe(200);
      for (const path of ['rotate?key-id=blue', 'disable?key-id=team-a', 'rotate?key-id=no-such-key']) {
        expect(await answer('POST', `${KMS}/key/${path}`)).toMatchObject({
          status: 403,
          body: { Code: 'AccessDenied' },
        });
      }
    });
  });

  describe('and their use', () => {
    it('are recorded: administration at once, refusals soon, uses with their number', async () => {
      const [rotated] = await audit('operation=AdminRotateKey&outcome=success&limit=1');
      expect(rotated).toMatchObject({
        principal: 'scoped',
        kms: 'builtin:default',
        keyId: 'team-a',
        keyVersion: '2',
        sourceIp: '127.0.0.1',
        resource: `${KMS}/key/rotate`,
        details: { accessKeyId: 'key-of-scoped' },
        requestId: expect.any(String) as string,
        milliseconds: expect.any(Number) as number,
        userAgent: 'node',
        calls: 1,
      });
      await server.admin('POST', '/minio/admin/v3/config/kms/default', { cache_ttl: '10s' });
      expect((await audit('category=config&limit=1'))[0]).toMatchObject({
        principal: 'root',
        resource: 'kms:default',
        outcome: 'success',
        details: { action: 'set', fields: 'cache_ttl' },
      });
      expect((await audit('operation=AdminCreateUser')).length).toBeGreaterThan(5);
      await eventually(async () => {
        const denials = await audit('principal=blue&outcome=denied&category=kms&keyId=red');
        expect(denials.map((record) => record.operation)).toEqual(
          expect.arrayContaining(['PutObject', 'GetObject', 'CopyObject', 'UploadPartCopy', 'CreateMultipartUpload']),
        );
        expect(denials.every((record) => record.errorClass === 'AccessDenied')).toBe(true);
        expect((await audit('outcome=denied&category=kms')).map((record) => record.principal)).toContain('scoped');
        expect(await audit('operation=CreateBucket&category=bucket')).not.toEqual([]);
      });
      await eventually(async () => {
        const uses = await audit('principal=blue&operation=KmsGenerateDataKey&keyId=blue');
        expect(uses.reduce((sum, record) => sum + record.calls, 0)).toBe(3);
        expect(await audit('operation=KmsDecrypt&outcome=failure&keyId=red')).toMatchObject([
          { principal: 'root', errorClass: 'kms-key-disabled' },
        ]);
        expect(await audit('operation=GetObject&principal=anonymous&outcome=denied')).not.toEqual([]);
      }, 15_000);
      expect(await server.admin('GET', '/api/v1/audit/verify')).toMatchObject({ status: 200, body: { ok: true } });
      expect(JSON.stringify(await audit('limit=1000'))).not.toMatch(/secret-of-|root-password|BQcHBwc/);
    });
  });
});
