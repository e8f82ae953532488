import { CreateBucketCommand, GetObjectCommand, PutObjectCommand, PutObjectTaggingCommand } from '@aws-sdk/client-s3';
import { TestServer } from '../support/server';

const BUCKET = 'tagged';
const POLICY = {
  Version: '2012-10-17',
  Statement: [
    { Effect: 'Allow', Action: ['s3:*', 'kms:*'], Resource: '*' },
    {
      Effect: 'Deny',
      Action: 's3:GetObject',
      Resource: `arn:aws:s3:::${BUCKET}/*`,
      Condition: { StringEquals: { 's3:ExistingObjectTag/class': 'secret' } },
    },
  ],
};

describe('policies of users', () => {
  let server: TestServer;

  beforeAll(async () => {
    server = await TestServer.start({ workers: 2 });
    await server.s3().send(new CreateBucketCommand({ Bucket: BUCKET }));
  });
  afterAll(() => server.stop());

  it('deny by the tags that an object has', async () => {
    expect((await server.admin('PUT', '/api/v1/policies/no-secrets', POLICY)).status).toBeLessThan(300);
    expect((await server.admin('POST', '/api/v1/users', { name: 'reader' })).status).toBeLessThan(300);
    const attached = await server.admin('POST', '/api/v1/policies/no-secrets/attach', { user: 'reader' });
    expect(attached.status).toBeLessThan(300);
    const { body } = await server.admin<{ accessKeyId: string; secretKey: string }>('POST', '/api/v1/access-keys', {
      userName: 'reader',
    });
    const reader = server.s3({ credentials: { accessKeyId: body.accessKeyId, secretAccessKey: body.secretKey } });
    await reader.send(new PutObjectCommand({ Bucket: BUCKET, Key: 'k', Body: 'x' }));
    const read = (): Promise<unknown> => reader.send(new GetObjectCommand({ Bucket: BUCKET, Key: 'k' }));
    await read();
    const tag = (Value: string): PutObjectTaggingCommand =>
      new PutObjectTaggingCommand({ Bucket: BUCKET, Key: 'k', Tagging: { TagSet: [{ Key: 'class', Value }] } });
    await server.s3().send(tag('secret'));
    await expect(read()).rejects.toMatchObject({ name: 'AccessDenied' });
    await server.s3().send(tag('open'));
    await read();
  });
});
