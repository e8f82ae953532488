import { CreateBucketCommand, GetObjectCommand, PutObjectCommand } from '@aws-sdk/client-s3';
import { eventually } from '../support/eventually';
import { TestServer } from '../support/server';

describe('a store seen from outside', () => {
  let server: TestServer;

  beforeAll(async () => {
    server = await TestServer.start({ workers: 2 });
    await server.s3().send(new CreateBucketCommand({ Bucket: 'visible' }));
  });
  afterAll(() => server.stop());

  async function metric(line: RegExp): Promise<number> {
    const answer = await fetch(`${server.endpoint}/metrics`);
    expect(answer.headers.get('content-type')).toMatch(/^text\/plain; version=0\.0\.4/);
    return Number(line.exec(await answer.text())?.[1] ?? 0);
  }

  it('counts the requests of all workers, whichever is asked', async () => {
    const puts = 12;
    // A client of its own each time, hence a connection of its own: the workers take turns.
    for (let index = 0; index < puts; index++) {
      const client = server.s3();
      await client.send(new PutObjectCommand({ Bucket: 'visible', Key: `k${index}`, Body: 'x' }));
      client.destroy();
    }
    const line = /^strongroom_requests_total\{operation="PutObject",status="200"\} (\d+)$/m;
    await expect(Promise.all([1, 2, 3, 4].map(() => metric(line)))).resolves.toEqual([puts, puts, puts, puts]);
  });

  it('shows neither names nor credentials in the metrics', async () => {
    const text = await (await fetch(`${server.endpoint}/metrics`)).text();
    expect(text).toContain('strongroom_database_connections');
    expect(text).toContain('nodejs_eventloop_lag_seconds');
    expect(text).not.toMatch(/visible|rootuser|root-password/);
  });

  it('is alive and ready, under MinIO’s paths as well, and names what it leans on', async () => {
    for (const path of ['/health/live', '/minio/health/live', '/minio/health/ready', '/minio/health/cluster']) {
      expect((await fetch(`${server.endpoint}${path}`)).status).toBe(200);
    }
    const answer = await fetch(`${server.endpoint}/health/ready`);
    expect(await answer.json()).toEqual({
      status: 'ok',
      checks: { database: { status: 'up' }, blobStore: { status: 'up' }, 'kms builtin:default': { status: 'up' } },
    });
  });

  it('writes one line for a request, with its id, and no secret', async () => {
    const error = await server
      .s3()
      .send(new GetObjectCommand({ Bucket: 'visible', Key: 'missing' }))
      .then(
        () => undefined,
        (reason: { $metadata: { requestId?: string } }) => reason,
      );
    const id = error?.$metadata.requestId;
    expect(id).toBeDefined();
    const linesOf = () => server.output.split('\n').filter((line) => line.includes(`"requestId":"${id}"`));
    await eventually(() => expect(linesOf()).not.toHaveLength(0));
    const lines = linesOf();
    expect(lines).toHaveLength(1);
    expect(JSON.parse(lines[0] ?? '')).toMatchObject({ operation: 'GetObject', status: 404, errorCode: 'NoSuchKey' });
    expect(server.output).not.toContain(server.secretAccessKey);
  });
});
