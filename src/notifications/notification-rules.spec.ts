import { eventMessage } from './event-record';
import { type NotificationRule, overlap, wants } from './notification-rules';
import { targetOfArn } from './target-arn';

const rule = (more: Partial<NotificationRule>): NotificationRule => ({
  kind: 'queue',
  id: 'id',
  arn: 'arn:minio:sqs::hook:webhook',
  events: ['s3:ObjectCreated:*'],
  ...more,
});

describe('a notification rule', () => {
  it('wants events of its types, of keys with its prefix and suffix', () => {
    const images = rule({ prefix: 'in/', suffix: '.jpg' });
    expect(wants(images, 's3:ObjectCreated:Put', 'in/a.jpg')).toBe(true);
    expect(wants(images, 's3:ObjectCreated:Put', 'in/a.png')).toBe(false);
    expect(wants(images, 's3:ObjectCreated:Put', 'out/a.jpg')).toBe(false);
    expect(wants(images, 's3:ObjectRemoved:Delete', 'in/a.jpg')).toBe(false);
    expect(wants(rule({ events: ['s3:ObjectCreated:Copy'] }), 's3:ObjectCreated:Put', 'a')).toBe(false);
  });

  it('overlaps another where both would want the same event of one key', () => {
    expect(overlap(rule({}), rule({ events: ['s3:ObjectCreated:Put'] }))).toBe(true);
    expect(overlap(rule({}), rule({ events: ['s3:ObjectRemoved:*'] }))).toBe(false);
    expect(overlap(rule({ prefix: 'a' }), rule({ prefix: 'ab' }))).toBe(true);
    expect(overlap(rule({ prefix: 'a' }), rule({ prefix: 'b' }))).toBe(false);
    expect(overlap(rule({ prefix: 'a', suffix: '.jpg' }), rule({ prefix: 'a', suffix: '.png' }))).toBe(false);
    expect(overlap(rule({ prefix: 'a', suffix: 'g' }), rule({ suffix: '.png' }))).toBe(true);
  });
});

describe('the ARN of a target', () => {
  it('names it in the forms of MinIO and AWS', () => {
    expect(targetOfArn('arn:minio:sqs::hook:webhook')).toBe('hook');
    expect(targetOfArn('arn:minio:sqs:us-east-1:HOOK:webhook')).toBe('hook');
    expect(targetOfArn('arn:aws:sqs:us-east-1:123456789012:hook')).toBe('hook');
    expect(targetOfArn('arn:aws:sns:us-east-1:123456789012:hook')).toBe('hook');
    expect(targetOfArn('arn:aws:lambda:us-east-1:123456789012:function:hook')).toBe('hook');
  });

  it('names none in others', () => {
    for (const arn of ['', 'hook', 'arn:minio:sqs::hook:kafka', 'arn:minio:sqs:::webhook', 'arn:aws:s3:::hook']) {
      expect(targetOfArn(arn)).toBeUndefined();
    }
  });
});

describe('the message about an event', () => {
  const cause = { principal: 'alice', sourceIp: '192.0.2.1', requestId: 'R', hostId: 'H' };
  const place = { region: 'us-east-1', bucket: 'bucket', bucketOwner: 'owner' };
  const objectOf = (at: Date, name = 's3:ObjectCreated:Put'): { sequencer: string; key: string } => {
    const message = JSON.parse(
      eventMessage({ name, key: 'a/b c+ü', versionId: 'null', at }, rule({}), cause, place),
    ) as {
      Records: [{ eventVersion: string; s3: { object: { sequencer: string; key: string } } }];
    };
    return message.Records[0].s3.object;
  };

  it('has its key as a form would, and names no null version', () => {
    expect(objectOf(new Date(1))).toEqual({ key: 'a/b+c%2B%C3%BC', sequencer: expect.any(String) as string });
  });

  it('has sequencers of one length that compare as the events followed each other', () => {
    const times = [1, 1, 2, 1_700_000_000_000, 1_700_000_000_000].map((time) => objectOf(new Date(time)).sequencer);
    expect(times).toEqual([...times].sort());
    expect(new Set(times.map((text) => text.length))).toEqual(new Set([18]));
  });
});
