import type { NotificationRule } from './notification-rules';

/** Something that happened to an object. */
export interface ObjectEvent {
  /** e.g. `s3:ObjectCreated:Put` */
  readonly name: string;
  readonly key: string;
  /** Left out of the message when it is `null`. */
  readonly versionId?: string;
  /** Plaintext bytes; undefined where there is no object any more. */
  readonly size?: number;
  /** Without quotes. */
  readonly etag?: string;
  /** When it was committed; its order among the events of the key. */
  readonly at: Date;
}

/** Who caused an event, and by which request. */
export interface EventCause {
  readonly principal: string;
  readonly sourceIp: string;
  readonly requestId: string;
  readonly hostId: string;
}

/** Where an event happened. */
export interface EventPlace {
  readonly region: string;
  readonly bucket: string;
  readonly bucketOwner: string;
}

/** Those that S3 brought out with version 2.3 of the message. */
const LATER = /^s3:(LifecycleExpiration|ObjectTagging|ObjectAcl):/;
const SEQUENCE_DIGITS = 6;

let sequence = 0;

/**
 * The message about an event: S3's `Records`, in the envelope that MinIO puts around them.
 * @see https://docs.aws.amazon.com/AmazonS3/latest/userguide/notification-content-structure.html
 */
export function eventMessage(event: ObjectEvent, rule: NotificationRule, cause: EventCause, place: EventPlace): string {
  return JSON.stringify({
    EventName: event.name,
    Key: `${place.bucket}/${event.key}`,
    Records: [
      {
        eventVersion: LATER.test(event.name) ? '2.3' : '2.1',
        eventSource: 'aws:s3',
        awsRegion: place.region,
        eventTime: event.at.toISOString(),
        eventName: event.name.slice('s3:'.length),
        userIdentity: { principalId: cause.principal },
        requestParameters: { sourceIPAddress: cause.sourceIp },
        responseElements: { 'x-amz-request-id': cause.requestId, 'x-amz-id-2': cause.hostId },
        s3: {
          s3SchemaVersion: '1.0',
          configurationId: rule.id,
          bucket: {
            name: place.bucket,
            ownerIdentity: { principalId: place.bucketOwner },
            arn: `arn:aws:s3:::${place.bucket}`,
          },
          object: {
            key: encodedKey(event.key),
            size: event.size,
            eTag: event.etag,
            versionId: event.versionId === 'null' ? undefined : event.versionId,
            sequencer: sequencerOf(event.at),
          },
        },
      },
    ],
  });
}

/** The message that a target gets when it is configured, as S3 sends it. */
export function testMessage(bucket: string, at: Date, requestId: string, hostId: string): string {
  return JSON.stringify({
    Service: 'Amazon S3',
    Event: 's3:TestEvent',
    Time: at.toISOString(),
    Bucket: bucket,
    RequestId: requestId,
    HostId: hostId,
  });
}

/** Of equal length, so that texts compare as the events followed each other: the time of the commit, then a counter. */
function sequencerOf(at: Date): string {
  sequence = (sequence + 1) % 16 ** SEQUENCE_DIGITS;
  return (
    at.getTime().toString(16).padStart(12, '0') + sequence.toString(16).padStart(SEQUENCE_DIGITS, '0')
  ).toUpperCase();
}

/** As a form would have it, slashes left alone. */
function encodedKey(key: string): string {
  return new URLSearchParams([['', key]]).toString().slice(1).replaceAll('%2F', '/');
}
