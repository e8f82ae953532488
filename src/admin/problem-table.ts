/** How a kind of failure looks to a client. */
export interface ProblemRow {
  readonly status: number;
  readonly title: string;
  /** Code for mc and other clients of MinIO; the kind itself when absent. */
  readonly code?: string;
}

const row = (status: number, title: string, code?: string): ProblemRow => ({ status, title, code });

const ADMIN: Readonly<Record<string, ProblemRow>> = {
  Unauthorized: row(401, 'Credentials are missing or wrong', 'AccessDenied'),
  AccessDenied: row(403, 'Access denied'),
  ActionNotAllowed: row(403, 'Action not allowed', 'XMinioIAMActionNotAllowed'),
  GroupNotEmpty: row(400, 'Group not empty', 'XMinioAdminGroupNotEmpty'),
  PolicyChangeAlreadyApplied: row(400, 'Nothing to change', 'XMinioAdminPolicyChangeAlreadyApplied'),
  CrossSiteRequest: row(403, 'Cross-site request refused', 'AccessDenied'),
  InvalidRequest: row(400, 'Invalid request'),
  InvalidPayload: row(400, 'Unreadable body', 'XMinioAdminConfigBadJSON'),
  Busy: row(503, 'Too many requests', 'SlowDown'),
  KeyStillReferenced: row(409, 'Key in use', 'KMS.KMSInvalidStateException'),
  NoSuchRotationPolicy: row(404, 'No such rotation policy'),
  NotOffered: row(501, 'Not offered', 'NotImplemented'),
  NotFound: row(404, 'No such route', 'XMinioAdminAPINotFound'),
  PayloadTooLarge: row(413, 'Body too large', 'XMinioAdminConfigTooLarge'),
  UpgradeRequired: row(426, 'Other API version required', 'XMinioAdminVersionMismatch'),
};

const SIGNATURE: Readonly<Record<string, ProblemRow>> = {
  AuthorizationHeaderMalformed: row(400, 'Authorization header malformed'),
  AuthorizationQueryParametersError: row(400, 'Authorization query malformed'),
  ExpiredToken: row(400, 'Expired token'),
  InvalidAccessKeyId: row(403, 'Unknown access key'),
  InvalidArgument: row(400, 'Invalid argument'),
  InvalidToken: row(400, 'Invalid token'),
  RequestTimeTooSkewed: row(403, 'Clock too far off'),
  SignatureDoesNotMatch: row(403, 'Signature does not match'),
};

const IDENTITY: Readonly<Record<string, ProblemRow>> = {
  MalformedPolicyDocument: row(400, 'Malformed policy'),
  NoSuchEntity: row(404, 'No such entity'),
  EntityAlreadyExists: row(409, 'Entity exists already'),
  DeleteConflict: row(409, 'Entity in use'),
  InvalidInput: row(400, 'Invalid input'),
  LimitExceeded: row(409, 'Limit exceeded'),
};

const CONFIG: Readonly<Record<string, ProblemRow>> = {
  'config-unknown-subsystem': row(404, 'Unknown configuration', 'XMinioConfigError'),
  'config-unknown-field': row(400, 'Unknown configuration field', 'XMinioConfigError'),
  'config-invalid': row(400, 'Invalid configuration', 'XMinioAdminConfigBadJSON'),
  'config-test-failed': row(400, 'Connection test failed', 'XMinioConfigError'),
  'config-not-found': row(404, 'Configuration not found', 'XMinioConfigNotFoundError'),
  'config-version-conflict': row(409, 'Configuration changed meanwhile', 'XMinioConfigError'),
  'config-environment-override': row(409, 'Set by the environment', 'XMinioConfigError'),
};

const KMS: Readonly<Record<string, ProblemRow>> = {
  'kms-not-configured': row(501, 'KMS not configured', 'NotImplemented'),
  'kms-unavailable': row(503, 'KMS unavailable', 'kms:Unavailable'),
  'kms-timeout': row(504, 'KMS timed out', 'kms:Unavailable'),
  'kms-sealed': row(503, 'KMS sealed', 'kms:Unavailable'),
  'kms-throttled': row(503, 'KMS busy', 'SlowDown'),
  'kms-unauthenticated': row(502, 'KMS rejected our credentials', 'kms:NotAuthorized'),
  'kms-access-denied': row(403, 'KMS denied access', 'kms:NotAuthorized'),
  'kms-key-not-found': row(404, 'Key not found', 'kms:KeyNotFound'),
  'kms-key-exists': row(409, 'Key exists already', 'kms:KeyAlreadyExists'),
  'kms-key-disabled': row(409, 'Key disabled', 'KMS.DisabledException'),
  'kms-key-pending-deletion': row(409, 'Key pending deletion', 'KMS.KMSInvalidStateException'),
  'kms-invalid-ciphertext': row(400, 'Invalid ciphertext', 'kms:InvalidCiphertextException'),
  'kms-unsupported': row(501, 'Not supported by this KMS', 'kms:NotSupported'),
  'kms-invalid-request': row(400, 'Invalid KMS request', 'InvalidArgument'),
  'kms-protocol': row(502, 'KMS answered nonsense', 'kms:Unavailable'),
};

const REWRAP: Readonly<Record<string, ProblemRow>> = {
  'rewrap-job-not-found': row(404, 'No such rewrap job'),
  'rewrap-invalid': row(400, 'Invalid rewrap job'),
  'rewrap-job-ended': row(409, 'Rewrap job has ended'),
  'rewrap-job-active': row(409, 'Rewrap job has not ended'),
};

const BACKUP: Readonly<Record<string, ProblemRow>> = {
  'backup-not-configured': row(412, 'Backups are not set up'),
  'backup-invalid': row(400, 'Invalid backup request'),
  'backup-exists': row(409, 'Backup exists already'),
  'backup-not-found': row(404, 'No such backup'),
  'backup-incomplete': row(409, 'Backup would be incomplete'),
  'backup-damaged': row(409, 'Backup damaged'),
  'backup-wrong-kek': row(409, 'Backup sealed by another key'),
  'backup-refused': row(409, 'Restore refused'),
};

const STORAGE: Readonly<Record<string, ProblemRow>> = {
  'no-such-target': row(404, 'No such target'),
  NoSuchLifecycleConfiguration: row(404, 'No lifecycle rules'),
  'scrub-off': row(409, 'Scrubbing switched off'),
  'lifecycle-off': row(409, 'Lifecycle switched off'),
  NoSuchBucket: row(404, 'No such bucket'),
  'database-unavailable': row(503, 'Database unavailable', 'ServiceUnavailable'),
  'storage-full': row(507, 'No space left', 'XMinioStorageFull'),
};

const TABLE: ReadonlyMap<string, ProblemRow> = new Map(
  [ADMIN, SIGNATURE, IDENTITY, CONFIG, KMS, REWRAP, BACKUP, STORAGE].flatMap((rows) => Object.entries(rows)),
);

/** Where RustFS answers with another status than everybody else. */
const RUSTFS_STATUSES: ReadonlyMap<string, number> = new Map([
  ['kms-key-disabled', 400],
  ['kms-key-pending-deletion', 400],
  ['kms-not-configured', 503],
  ['kms-protocol', 500],
]);

/**
 * The row of a failure kind; undefined for kinds that must not reach a client of this face.
 *
 * @param path of the request, because a client of RustFS goes by RustFS' statuses
 */
export function problemRow(kind: string, path = ''): ProblemRow | undefined {
  const found = TABLE.get(kind);
  const status = path.startsWith('/rustfs/') ? RUSTFS_STATUSES.get(kind) : undefined;
  return found === undefined || status === undefined ? found : { ...found, status };
}
