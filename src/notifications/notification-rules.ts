/** Name of the bucket's document that holds its notification configuration. */
export const NOTIFICATION_DOCUMENT = 'notification';

/** One configuration of a bucket: which events of which keys go where. */
export interface NotificationRule {
  /** The element it was written as; all of them go to a webhook here. */
  readonly kind: 'topic' | 'queue' | 'function';
  readonly id: string;
  readonly arn: string;
  /** e.g. `s3:ObjectCreated:*` */
  readonly events: readonly string[];
  readonly prefix?: string;
  readonly suffix?: string;
}

/** The kinds of events that happen here, by group. */
const GROUPS: Readonly<Record<string, readonly string[]>> = {
  's3:ObjectCreated': ['Put', 'Post', 'Copy', 'CompleteMultipartUpload'],
  's3:ObjectRemoved': ['Delete', 'DeleteMarkerCreated'],
  's3:ObjectTagging': ['Put', 'Delete'],
  's3:ObjectAcl': ['Put'],
  's3:ObjectAccessed': ['Get', 'Head'],
  's3:LifecycleExpiration': ['Delete', 'DeleteMarkerCreated'],
};

/** Kinds that AWS has and that never happen here: they may be asked for all the same. */
const NEVER: readonly string[] = [
  's3:ReducedRedundancyLostObject',
  's3:ObjectRestore:*',
  's3:ObjectRestore:Post',
  's3:ObjectRestore:Completed',
  's3:ObjectRestore:Delete',
  's3:Replication:*',
  's3:Replication:OperationFailedReplication',
  's3:Replication:OperationMissedThreshold',
  's3:Replication:OperationReplicatedAfterThreshold',
  's3:Replication:OperationNotTracked',
  's3:LifecycleTransition',
  's3:IntelligentTiering',
];

/** AWS has no group of access list events, since there is but one. */
const WITHOUT_GROUP: ReadonlySet<string> = new Set(['s3:ObjectAcl']);

/** Every kind of event that a configuration may name. */
export const EVENT_TYPES: ReadonlySet<string> = new Set([
  ...Object.entries(GROUPS).flatMap(([group, kinds]) => [
    ...(WITHOUT_GROUP.has(group) ? [] : [`${group}:*`]),
    ...kinds.map((kind) => `${group}:${kind}`),
  ]),
  ...NEVER,
]);

/** Reads the stored configuration of a bucket. */
export function parseNotificationRules(document: string): NotificationRule[] {
  return JSON.parse(document) as NotificationRule[];
}

/** Whether a rule wants an event, such as `s3:ObjectCreated:Put`, of a key. */
export function wants({ events, prefix = '', suffix = '' }: NotificationRule, event: string, key: string): boolean {
  return key.startsWith(prefix) && key.endsWith(suffix) && events.some((wanted) => covers(wanted, event));
}

/** Whether two rules would both want the same event of some key, which S3 refuses. */
export function overlap(left: NotificationRule, right: NotificationRule): boolean {
  return (
    left.events.some((one) => right.events.some((other) => covers(one, other) || covers(other, one))) &&
    eitherWay(left.prefix ?? '', right.prefix ?? '', (longer, shorter) => longer.startsWith(shorter)) &&
    eitherWay(left.suffix ?? '', right.suffix ?? '', (longer, shorter) => longer.endsWith(shorter))
  );
}

function covers(wanted: string, event: string): boolean {
  return wanted === event || (wanted.endsWith(':*') && event.startsWith(wanted.slice(0, -1)));
}

function eitherWay(left: string, right: string, within: (longer: string, shorter: string) => boolean): boolean {
  return within(left, right) || within(right, left);
}
