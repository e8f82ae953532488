/** A policy that every installation has; it cannot be changed or deleted. */
export interface CannedPolicy {
  readonly name: string;
  readonly document: string;
}

function canned(name: string, statements: readonly Readonly<Record<string, unknown>>[]): CannedPolicy {
  return { name, document: JSON.stringify({ Version: '2012-10-17', Statement: statements }) };
}

const ALL_BUCKETS = ['arn:aws:s3:::*'];
const ALL_KEYS = ['arn:aws:kms:::key/*'];

/**
 * MinIO's names and meaning for the first five, RustFS's for the KMS ones. Since every use of a KMS key needs a permission
 * here, those of MinIO also allow the keys that go with what they allow on objects, as they do on MinIO; whoever is to use
 * only some keys needs a policy of their own.
 */
export const CANNED_POLICIES: readonly CannedPolicy[] = [
  canned('readonly', [
    { Effect: 'Allow', Action: ['s3:GetBucketLocation', 's3:GetObject', 's3:ListBucket'], Resource: ALL_BUCKETS },
    { Effect: 'Allow', Action: ['kms:Decrypt'], Resource: ALL_KEYS },
  ]),
  canned('readwrite', [
    { Effect: 'Allow', Action: ['s3:*'], Resource: ALL_BUCKETS },
    { Effect: 'Allow', Action: ['kms:GenerateDataKey', 'kms:Decrypt'], Resource: ALL_KEYS },
  ]),
  canned('writeonly', [
    { Effect: 'Allow', Action: ['s3:PutObject'], Resource: ALL_BUCKETS },
    // Every part of a multipart upload unwraps the key of the upload, so writing alone needs kms:Decrypt too.
    { Effect: 'Allow', Action: ['kms:GenerateDataKey', 'kms:Decrypt'], Resource: ALL_KEYS },
  ]),
  canned('consoleAdmin', [
    { Effect: 'Allow', Action: ['admin:*'] },
    { Effect: 'Allow', Action: ['kms:*'] },
    { Effect: 'Allow', Action: ['s3:*'], Resource: ALL_BUCKETS },
  ]),
  canned('diagnostics', [
    { Effect: 'Allow', Action: ['admin:ServerInfo', 'admin:Prometheus', 'admin:ServerTrace', 'kms:Status'] },
  ]),
  canned('KMSKeyAdministrator', [
    {
      Effect: 'Allow',
      Action: [
        'kms:CreateKey',
        'kms:DescribeKey',
        'kms:KeyStatus',
        'kms:EnableKey',
        'kms:DisableKey',
        'kms:RotateKey',
        'kms:DeleteKey',
      ],
      Resource: ALL_KEYS,
    },
    { Effect: 'Allow', Action: ['kms:ListKeys', 'kms:Status'] },
  ]),
  canned('KMSKeyUser', [
    { Effect: 'Allow', Action: ['kms:GenerateDataKey', 'kms:Decrypt', 'kms:DescribeKey'], Resource: ALL_KEYS },
  ]),
  canned('KMSAuditor', [
    { Effect: 'Allow', Action: ['kms:DescribeKey', 'kms:KeyStatus'], Resource: ALL_KEYS },
    { Effect: 'Allow', Action: ['kms:ListKeys', 'kms:Status', 'admin:ReadAuditLog'] },
  ]),
];
