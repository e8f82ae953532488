import { parseXml } from '../xml';
import { notificationsXml, readNotifications } from './notification-document';

const ARN = 'arn:minio:sqs::hook:webhook';
const read = (content: string) =>
  readNotifications(
    parseXml(
      Buffer.from(`<NotificationConfiguration>${content}</NotificationConfiguration>`),
      'NotificationConfiguration',
    ),
  );
const queue = (content: string, id = 'one') =>
  `<QueueConfiguration><Id>${id}</Id><Queue>${ARN}</Queue>${content}</QueueConfiguration>`;
const filter = (...rules: [string, string][]) =>
  `<Filter><S3Key>${rules.map(([name, value]) => `<FilterRule><Name>${name}</Name><Value>${value}</Value></FilterRule>`).join('')}</S3Key></Filter>`;
const PUT = '<Event>s3:ObjectCreated:Put</Event>';

describe('a notification configuration', () => {
  it('is read in all three forms, and written as it was', () => {
    const rules = read(
      `<TopicConfiguration><Topic>${ARN}</Topic>${PUT}${filter(['prefix', 'a&amp;b'], ['Suffix', ''])}</TopicConfiguration>` +
        queue('<Event>s3:ObjectRemoved:*</Event><Event>s3:ObjectTagging:Put</Event>') +
        `<CloudFunctionConfiguration><Id>f</Id><CloudFunction>${ARN}</CloudFunction><Event>s3:ObjectAcl:Put</Event></CloudFunctionConfiguration>`,
    );
    expect(rules).toMatchObject([
      { kind: 'topic', arn: ARN, events: ['s3:ObjectCreated:Put'], prefix: 'a&b', suffix: '' },
      { kind: 'queue', id: 'one', events: ['s3:ObjectRemoved:*', 's3:ObjectTagging:Put'] },
      { kind: 'function', id: 'f' },
    ]);
    expect(rules[0]!.id).not.toBe('');
    expect(readNotifications(parseXml(Buffer.from(notificationsXml(rules)), 'NotificationConfiguration'))).toEqual(
      rules,
    );
    expect(read('')).toEqual([]);
  });

  it.each([
    ['an unknown event', queue('<Event>s3:ObjectCreated:Post2</Event>'), 'InvalidArgument'],
    ['no event', queue(''), 'MalformedXML'],
    ['no target', `<QueueConfiguration>${PUT}</QueueConfiguration>`, 'MalformedXML'],
    ['an unknown element', '<Other/>', 'MalformedXML'],
    ['EventBridge', '<EventBridgeConfiguration/>', 'NotImplemented'],
    ['two of one id', queue(PUT) + queue('<Event>s3:ObjectRemoved:*</Event>'), 'InvalidArgument'],
    ['overlapping types', queue(PUT) + queue('<Event>s3:ObjectCreated:*</Event>', 'two'), 'InvalidArgument'],
    [
      'overlapping prefixes',
      queue(PUT + filter(['prefix', 'a'])) + queue(PUT + filter(['prefix', 'ab']), 'two'),
      'InvalidArgument',
    ],
    ['an unknown filter', queue(PUT + filter(['infix', 'a'])), 'InvalidArgument'],
    ['two prefixes', queue(PUT + filter(['prefix', 'a'], ['prefix', 'b'])), 'InvalidArgument'],
    ['a long prefix', queue(PUT + filter(['prefix', 'ü'.repeat(513)])), 'InvalidArgument'],
    ['a long id', queue(PUT, 'x'.repeat(256)), 'InvalidArgument'],
  ])('is refused with %s', (_, content, kind) => {
    expect(() => read(content)).toThrow(expect.objectContaining({ kind }) as Error);
  });

  it('may send disjoint keys to two targets', () => {
    expect(read(queue(PUT + filter(['prefix', 'a'])) + queue(PUT + filter(['prefix', 'b']), 'two'))).toHaveLength(2);
  });
});
