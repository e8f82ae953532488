import { CreateBucketCommand, GetObjectCommand, PutObjectCommand, type S3Client } from '@aws-sdk/client-s3';
import { createDatabase, dropDatabase } from '../support/database';
import { eventually } from '../support/eventually';
import { Gateway } from '../support/gateway';
import { TestServer } from '../support/server';

const BUCKET = 'kept';
const ENCRYPTED = { Bucket: BUCKET, Key: 'a', ServerSideEncryption: 'aws:kms' } as const;

describe('a database server that goes away and comes back', () => {
  let databaseUrl: string;
  let gateway: Gateway;
  let server: TestServer;
  let s3: S3Client;

  beforeAll(async () => {
    databaseUrl = await createDatabase();
    gateway = await Gateway.open(databaseUrl);
    const { username, pathname } = new URL(databaseUrl);
    const { host } = new URL(gateway.url);
    server = await TestServer.start({ databaseUrl: `postgres://${username}@${host}${pathname}` });
    s3 = server.s3({ maxAttempts: 1 });
    await s3.send(new CreateBucketCommand({ Bucket: BUCKET }));
    await s3.send(new PutObjectCommand({ ...ENCRYPTED, Body: 'kept' }));
  });
  afterAll(async () => {
    await server.stop();
    await gateway.takeDown();
    await dropDatabase(databaseUrl);
  });
  beforeEach(() => gateway.takeDown());
  afterEach(async () => {
    await gateway.bringUp();
    await eventually(async () => expect(await read()).toBe('kept'));
  });

  const read = async (): Promise<string> => {
    const { Body } = await s3.send(new GetObjectCommand({ Bucket: BUCKET, Key: 'a' }));
    return Body!.transformToString();
  };
  const administer = (path: string): Promise<Response> =>
    fetch(`${server.endpoint}${path}`, {
      headers: { authorization: `Basic ${btoa(`${server.accessKeyId}:${server.secretAccessKey}`)}` },
    });

  it.each([
    ['reads', (): Promise<unknown> => read()],
    ['writes', (): Promise<unknown> => s3.send(new PutObjectCommand({ ...ENCRYPTED, Body: 'other' }))],
    ['buckets', (): Promise<unknown> => s3.send(new CreateBucketCommand({ Bucket: 'another' }))],
  ])('answers %s with a clear 503 meanwhile, and goes on afterwards', async (_, request) => {
    await expect(request()).rejects.toMatchObject({
      name: 'ServiceUnavailable',
      message: 'The database cannot be reached at the moment',
      $metadata: { httpStatusCode: 503 },
      $response: { headers: { 'retry-after': '5' } },
    });
  });

  it('tells administrators what to do', async () => {
    const answer = await administer('/api/v1/rewrap-jobs');
    expect(answer.status).toBe(503);
    expect(await answer.json()).toMatchObject({
      type: 'urn:strongroom:problem:database-unavailable',
      remedy: 'See that the Postgres server runs and takes connections.',
    });
  });

  it('is not ready, by the name of the database', async () => {
    const answer = await fetch(`${server.endpoint}/health/ready`);
    expect(answer.status).toBe(503);
    expect(await answer.json()).toMatchObject({ checks: { database: { status: 'down' } } });
  });

  it('keeps its workers', () => {
    expect(server.output).not.toContain('starting another');
  });
});
