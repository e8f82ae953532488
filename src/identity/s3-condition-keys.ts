/** Keys that come with requests of every kind. */
const COMMON_KEYS: readonly string[] = [
  'AccessGrantsInstanceArn',
  'AccessPointNetworkOrigin',
  'AccessPointTag/',
  'BucketTag/',
  'DataAccessPointAccount',
  'DataAccessPointArn',
  'ResourceAccount',
  'TlsVersion',
  'authType',
  'signatureAge',
  'signatureversion',
  'x-amz-content-sha256',
];

/**
 * Keys that come with some actions only, as AWS's Service Authorization Reference lists them, with those actions. A name
 * that ends in a slash goes on with the key of a tag.
 */
const KEYS_BY_ACTIONS: readonly (readonly [keys: readonly string[], actions: readonly string[]])[] = [
  [['AccessGrantScope'], ['CreateAccessGrant', 'DeleteAccessGrant', 'GetAccessGrant']],
  [
    ['AccessGrantsLocationScope'],
    [
      'CreateAccessGrantsLocation',
      'DeleteAccessGrantsLocation',
      'GetAccessGrantsLocation',
      'UpdateAccessGrantsLocation',
    ],
  ],
  [
    ['ExistingJobOperation', 'ExistingJobPriority'],
    ['DeleteJobTagging', 'PutJobTagging', 'UpdateJobPriority', 'UpdateJobStatus'],
  ],
  [
    ['ExistingObjectTag/'],
    [
      'DeleteObjectAnnotation',
      'DeleteObjectTagging',
      'DeleteObjectVersionAnnotation',
      'DeleteObjectVersionTagging',
      'GetObject',
      'GetObjectAcl',
      'GetObjectAnnotation',
      'GetObjectAttributes',
      'GetObjectTagging',
      'GetObjectVersion',
      'GetObjectVersionAcl',
      'GetObjectVersionAnnotation',
      'GetObjectVersionAttributes',
      'GetObjectVersionTagging',
      'ListObjectAnnotations',
      'ListObjectVersionAnnotations',
      'PutObjectAcl',
      'PutObjectAnnotation',
      'PutObjectTagging',
      'PutObjectVersionAcl',
      'PutObjectVersionAnnotation',
      'PutObjectVersionTagging',
      'UpdateObjectEncryption',
    ],
  ],
  [['InventoryAccessibleOptionalFields'], ['PutInventoryConfiguration']],
  [['JobSuspendedCause'], ['UpdateJobStatus']],
  [['ObjectCreationOperation', 'if-none-match', 'x-amz-object-annotation-directive'], ['PutObject']],
  [['RequestJobOperation'], ['CreateJob']],
  [['RequestJobPriority'], ['CreateJob', 'UpdateJobPriority']],
  [
    ['RequestObjectTag/', 'RequestObjectTagKeys'],
    ['BypassGovernanceRetention', 'PutObject', 'PutObjectTagging', 'PutObjectVersionTagging'],
  ],
  [
    ['annotation-prefix', 'max-annotation-results'],
    ['ListObjectAnnotations', 'ListObjectVersionAnnotations'],
  ],
  [
    ['delimiter', 'max-keys', 'prefix'],
    ['ListBucket', 'ListBucketVersions'],
  ],
  [['deliverySourceArn', 'logType', 'resourceArnBeingAuthorized'], ['AllowVendedLogDeliveryForResource']],
  [['destinationRegion'], ['PauseReplication']],
  [['if-match'], ['DeleteObject', 'PutObject']],
  [['isReplicationPauseRequest'], ['PutReplicationConfiguration']],
  [['locationconstraint'], ['CreateAccessPoint', 'CreateBucket']],
  [
    ['object-lock-event-hold', 'object-lock-event-hold-duration-days'],
    ['PutObject', 'PutObjectRetention', 'ReplicateObject'],
  ],
  [['object-lock-legal-hold'], ['PutObject', 'PutObjectLegalHold']],
  [
    ['object-lock-mode', 'object-lock-remaining-retention-days', 'object-lock-retain-until-date'],
    ['PutObject', 'PutObjectRetention'],
  ],
  [
    ['versionid'],
    [
      'DeleteObjectVersion',
      'DeleteObjectVersionAnnotation',
      'DeleteObjectVersionTagging',
      'GetObjectVersion',
      'GetObjectVersionAcl',
      'GetObjectVersionAnnotation',
      'GetObjectVersionAttributes',
      'GetObjectVersionTagging',
      'GetObjectVersionTorrent',
      'ListObjectVersionAnnotations',
      'PutObjectVersionAcl',
      'PutObjectVersionAnnotation',
      'PutObjectVersionTagging',
    ],
  ],
  [
    ['x-amz-acl'],
    [
      'BypassGovernanceRetention',
      'CreateAccessPoint',
      'CreateBucket',
      'PutBucketAcl',
      'PutObject',
      'PutObjectAcl',
      'PutObjectVersionAcl',
    ],
  ],
  [['x-amz-bucket-namespace', 'x-amz-object-ownership'], ['CreateBucket']],
  [
    ['x-amz-copy-source', 'x-amz-metadata-directive', 'x-amz-website-redirect-location'],
    ['BypassGovernanceRetention', 'PutObject'],
  ],
  [
    [
      'x-amz-grant-full-control',
      'x-amz-grant-read',
      'x-amz-grant-read-acp',
      'x-amz-grant-write',
      'x-amz-grant-write-acp',
    ],
    ['BypassGovernanceRetention', 'CreateBucket', 'PutBucketAcl', 'PutObject', 'PutObjectAcl', 'PutObjectVersionAcl'],
  ],
  [
    ['x-amz-object-if-match'],
    ['DeleteObjectAnnotation', 'DeleteObjectVersionAnnotation', 'PutObjectAnnotation', 'PutObjectVersionAnnotation'],
  ],
  [
    ['x-amz-server-side-encryption', 'x-amz-server-side-encryption-aws-kms-key-id'],
    ['BypassGovernanceRetention', 'PutObject', 'ReplicateObject', 'UpdateObjectEncryption'],
  ],
  [['x-amz-server-side-encryption-customer-algorithm'], ['BypassGovernanceRetention', 'PutObject', 'ReplicateObject']],
  [['x-amz-storage-class'], ['BypassGovernanceRetention', 'PutObject', 'PutObjectAcl', 'PutObjectVersionAcl']],
];

const COMMON: ReadonlySet<string> = new Set(COMMON_KEYS.map((key) => key.toLowerCase()));
const ACTION_KEYS: ReadonlyMap<string, ReadonlySet<string>> = new Map(
  KEYS_BY_ACTIONS.flatMap(([keys, actions]) => keys.map((key) => [key.toLowerCase(), new Set(actions)] as const)),
);

/**
 * Whether requests for an action carry a condition key of S3; undefined for a key that S3 does not have.
 * @param key with its prefix `s3:`, in any case
 * @returns asks of an action without its prefix, as S3_ACTIONS has it
 */
export function carriersOf(key: string): ((action: string) => boolean) | undefined {
  const name = nameOf(key);
  if (COMMON.has(name)) {
    return () => true;
  }
  const actions = ACTION_KEYS.get(name);
  return actions && ((action) => actions.has(action));
}

/** The name that the tables have: without prefix and key of a tag, in lower case. */
function nameOf(key: string): string {
  return (/^s3:([^/]*(?:\/(?=.))?)/is.exec(key)?.[1] ?? '').toLowerCase();
}
