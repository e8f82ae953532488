import {
  CopyObjectCommand,
  CreateBucketCommand,
  DeleteObjectCommand,
  DeleteObjectsCommand,
  type Event as S3Event,
  GetBucketNotificationConfigurationCommand,
  PutBucketNotificationConfigurationCommand,
  PutBucketVersioningCommand,
  PutObjectCommand,
  PutObjectTaggingCommand,
  type S3Client,
} from '@aws-sdk/client-s3';
import { eventually } from '../support/eventually';
import { EventReceiver } from '../support/event-receiver';
import { TestServer } from '../support/server';

const TOKEN = 'a-token-nobody-else-knows';
const ARN = 'arn:minio:sqs::hook:webhook';

describe('bucket notifications', () => {
  const receiver = new EventReceiver();
  let server: TestServer;
  let first: TestServer;
  let s3: S3Client;

  const notify = (Bucket: string, Events: S3Event[], QueueArn = ARN) =>
    s3.send(
      new PutBucketNotificationConfigurationCommand({
        Bucket,
        NotificationConfiguration: { QueueConfigurations: [{ Id: 'all', QueueArn, Events }] },
      }),
    );
  const target = async () => {
    const { body } = await server.admin<{ targets: Record<string, unknown>[] }>('GET', '/api/v1/notification-targets');
    return body.targets.find(({ target: name }) => name === 'hook');
  };

  beforeAll(async () => {
    await receiver.start();
    server = await TestServer.start({ workers: 2 });
    first = server;
    s3 = server.s3();
    const set = await server.admin('PUT', '/minio/admin/v3/config/notify_webhook/hook', {
      endpoint: receiver.url,
      auth_token: TOKEN,
    });
    expect(set.status).toBe(200);
    expect(JSON.stringify(set.body)).not.toContain(TOKEN);
  });
  afterAll(async () => {
    await server.terminate();
    await first.stop();
    await receiver.stop();
  });
  beforeEach(() => {
    receiver.received.length = 0;
    receiver.status = 200;
  });

  it('tell the target that it was configured, and then of every object', async () => {
    const Bucket = 'told';
    await s3.send(new CreateBucketCommand({ Bucket }));
    await s3.send(new PutBucketVersioningCommand({ Bucket, VersioningConfiguration: { Status: 'Enabled' } }));
    await notify(Bucket, ['s3:ObjectCreated:*', 's3:ObjectRemoved:*', 's3:ObjectTagging:*']);
    await eventually(() => expect(receiver.received[0]?.body).toMatchObject({ Event: 's3:TestEvent', Bucket }));
    const put = await s3.send(new PutObjectCommand({ Bucket, Key: 'a b/ü', Body: 'content' }));
    await s3.send(new CopyObjectCommand({ Bucket, Key: 'copy', CopySource: `${Bucket}/a%20b/%C3%BC` }));
    await s3.send(
      new PutObjectTaggingCommand({ Bucket, Key: 'copy', Tagging: { TagSet: [{ Key: 'a', Value: 'b' }] } }),
    );
    const marker = await s3.send(new DeleteObjectCommand({ Bucket, Key: 'copy' }));
    await s3.send(
      new DeleteObjectsCommand({ Bucket, Delete: { Objects: [{ Key: 'copy', VersionId: marker.VersionId }] } }),
    );
    await eventually(() =>
      expect(receiver.names.slice(1)).toEqual([
        `s3:ObjectCreated:Put ${Bucket}/a b/ü`,
        `s3:ObjectCreated:Copy ${Bucket}/copy`,
        `s3:ObjectTagging:Put ${Bucket}/copy`,
        `s3:ObjectRemoved:DeleteMarkerCreated ${Bucket}/copy`,
        `s3:ObjectRemoved:Delete ${Bucket}/copy`,
      ]),
    );
    const { headers, body } = receiver.received[1]!;
    expect(headers).toMatchObject({ authorization: `Bearer ${TOKEN}`, 'content-type': 'application/json' });
    expect(body.Records).toEqual([
      {
        eventVersion: '2.1',
        eventSource: 'aws:s3',
        awsRegion: 'us-east-1',
        eventTime: expect.any(String),
        eventName: 'ObjectCreated:Put',
        userIdentity: { principalId: 'root' },
        requestParameters: { sourceIPAddress: '127.0.0.1' },
        responseElements: {
          'x-amz-request-id': put.$metadata.requestId,
          'x-amz-id-2': put.$metadata.extendedRequestId,
        },
        s3: {
          s3SchemaVersion: '1.0',
          configurationId: 'all',
          bucket: { name: Bucket, ownerIdentity: { principalId: expect.any(String) }, arn: `arn:aws:s3:::${Bucket}` },
          object: {
            key: 'a+b/%C3%BC',
            size: 7,
            eTag: put.ETag?.replaceAll('"', ''),
            versionId: put.VersionId,
            sequencer: expect.stringMatching(/^[0-9A-F]{18}$/),
          },
        },
      },
    ]);
    const sequencers = receiver.received
      .slice(2)
      .map(
        (event) =>
          (event.body.Records as unknown as [{ s3: { object: { sequencer: string } } }])[0].s3.object.sequencer,
      );
    expect(sequencers).toEqual([...sequencers].sort());
    expect(await target()).toMatchObject({ configured: true, arn: ARN, pending: 0, dead: 0 });
  });

  it('arrive after the target has failed, and after it was away', async () => {
    const Bucket = 'patient';
    await s3.send(new CreateBucketCommand({ Bucket }));
    receiver.status = 500;
    await notify(Bucket, ['s3:ObjectCreated:Put']);
    await s3.send(new PutObjectCommand({ Bucket, Key: 'first', Body: '1' }));
    await eventually(async () =>
      expect(await target()).toMatchObject({ pending: 2, lastError: 'notify_webhook:hook answered 500' }),
    );
    await receiver.stop();
    await server.admin('POST', '/api/v1/notification-targets/hook/redeliver');
    await eventually(async () => expect((await target())?.['lastError']).toMatch(/ECONNREFUSED/));
    receiver.received.length = 0;
    receiver.status = 200;
    await receiver.start();
    await server.admin('POST', '/api/v1/notification-targets/hook/redeliver');
    await eventually(() => expect(receiver.names).toEqual(['s3:TestEvent', `s3:ObjectCreated:Put ${Bucket}/first`]));
    await eventually(async () => expect(await target()).toMatchObject({ pending: 0, failures: 0 }));
  });

  it('arrive from a server that was killed with messages waiting', async () => {
    const Bucket = 'killed';
    await s3.send(new CreateBucketCommand({ Bucket }));
    receiver.status = 503;
    await notify(Bucket, ['s3:ObjectCreated:Put']);
    await s3.send(new PutObjectCommand({ Bucket, Key: 'kept', Body: '1' }));
    await eventually(async () => expect(await target()).toMatchObject({ pending: 2 }));
    await server.kill();
    receiver.received.length = 0;
    receiver.status = 200;
    const { dataDir, databaseUrl } = server;
    server = await TestServer.start({ dataDir, databaseUrl });
    s3 = server.s3();
    await server.admin('POST', '/api/v1/notification-targets/hook/redeliver');
    // A delivery that was under way when the server was killed keeps its lease until that runs out.
    await eventually(() => expect(receiver.names).toContain(`s3:ObjectCreated:Put ${Bucket}/kept`), 120_000);
  }, 180_000);

  it('give a message up that the target keeps refusing, while others go on', async () => {
    const Bucket = 'refused';
    await s3.send(new CreateBucketCommand({ Bucket }));
    await notify(Bucket, ['s3:ObjectCreated:Put']);
    await eventually(() => expect(receiver.names).toEqual(['s3:TestEvent']));
    receiver.status = 422;
    await s3.send(new PutObjectCommand({ Bucket, Key: 'bad', Body: '1' }));
    await eventually(async () => expect(await target()).toMatchObject({ dead: 1, pending: 0 }), 60_000);
    receiver.status = 200;
    receiver.received.length = 0;
    await s3.send(new PutObjectCommand({ Bucket, Key: 'good', Body: '1' }));
    await eventually(() => expect(receiver.names).toEqual([`s3:ObjectCreated:Put ${Bucket}/good`]));
    const { body } = await server.admin('POST', '/api/v1/notification-targets/hook/redeliver');
    expect(body).toEqual({ messages: 1 });
    await eventually(() => expect(receiver.names).toContain(`s3:ObjectCreated:Put ${Bucket}/bad`));
  }, 90_000);

  it('are shown as they were set, and taken back', async () => {
    const Bucket = 'shown';
    await s3.send(new CreateBucketCommand({ Bucket }));
    const NotificationConfiguration = {
      TopicConfigurations: [
        {
          Id: 'topic',
          TopicArn: 'arn:aws:sns:us-east-1:123456789012:hook',
          Events: ['s3:ObjectRemoved:*' as const],
          Filter: {
            Key: {
              FilterRules: [
                { Name: 'prefix' as const, Value: 'in/' },
                { Name: 'suffix' as const, Value: '.jpg' },
              ],
            },
          },
        },
      ],
      QueueConfigurations: [{ Id: 'queue', QueueArn: ARN, Events: ['s3:ObjectCreated:Put' as const] }],
    };
    await s3.send(new PutBucketNotificationConfigurationCommand({ Bucket, NotificationConfiguration }));
    const shown = await s3.send(new GetBucketNotificationConfigurationCommand({ Bucket }));
    expect(shown.QueueConfigurations).toEqual(NotificationConfiguration.QueueConfigurations);
    expect(shown.TopicConfigurations).toEqual([
      {
        ...NotificationConfiguration.TopicConfigurations[0],
        Filter: {
          Key: {
            FilterRules: [
              { Name: 'Prefix', Value: 'in/' },
              { Name: 'Suffix', Value: '.jpg' },
            ],
          },
        },
      },
    ]);
    await s3.send(new PutBucketNotificationConfigurationCommand({ Bucket, NotificationConfiguration: {} }));
    expect(await s3.send(new GetBucketNotificationConfigurationCommand({ Bucket }))).not.toHaveProperty(
      'QueueConfigurations',
    );
  });

  it('name a target that is not configured, and one that cannot be reached', async () => {
    const Bucket = 'unknown';
    await s3.send(new CreateBucketCommand({ Bucket }));
    await expect(notify(Bucket, ['s3:ObjectCreated:*'], 'arn:minio:sqs::nowhere:webhook')).rejects.toMatchObject({
      name: 'InvalidArgument',
      message: expect.stringContaining('arn:minio:sqs::nowhere:webhook'),
    });
    const set = await server.admin('PUT', '/minio/admin/v3/config/notify_webhook/gone', {
      endpoint: 'http://127.0.0.1:1/',
      auth_token: TOKEN,
    });
    expect(set.status).toBe(400);
    expect(JSON.stringify(set.body)).toContain('notify_webhook:gone: no connection to 127.0.0.1 port 1');
    expect(JSON.stringify(set.body)).not.toContain(TOKEN);
    expect(server.output).not.toContain(TOKEN);
  });
});
