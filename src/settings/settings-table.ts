import { AUTO_ENCRYPTION_MODES, DARE_CIPHERS, LOG_FORMATS, LOG_LEVELS, OBJECT_OWNERSHIPS } from './settings';

/** How the text of a variable is read. */
export type SettingType = 'text' | 'integer' | 'boolean' | 'enum' | 'path' | 'list' | 'address' | 'size' | 'duration';

/** One static setting. The README's table and the error messages are made from these rows. */
export interface SettingVariable {
  readonly name: string;
  /** Other names for the same thing; two names with different values stop the start. */
  readonly aliases: readonly string[];
  readonly type: SettingType;
  /** Field of the settings DTO that it fills. */
  readonly property: string;
  /** Name in the settings file; absent when the environment alone may set it. */
  readonly fileKey?: string;
  readonly default?: string;
  readonly values?: readonly string[];
  /** Foreign spellings of values. */
  readonly synonyms?: Readonly<Record<string, string>>;
  /** The accepted values in words, for messages and the README. */
  readonly rule: string;
  readonly secret?: boolean;
  readonly description: string;
}

/** Every static setting. */
export const SETTINGS: readonly SettingVariable[] = [
  {
    name: 'STRONGROOM_ADDRESS',
    aliases: ['RUSTFS_ADDRESS'],
    type: 'address',
    property: 'address',
    fileKey: 'address',
    default: '127.0.0.1:9000',
    rule: 'host:port, [ipv6]:port, or :port for every interface',
    description: 'Where the store listens.',
  },
  {
    name: 'STRONGROOM_DATA_DIR',
    aliases: [],
    type: 'path',
    property: 'dataDir',
    fileKey: 'data_dir',
    default: './data',
    rule: 'a directory path',
    description: 'Blobs, the embedded database and the generated root key.',
  },
  {
    name: 'STRONGROOM_BLOB_DIR',
    aliases: [],
    type: 'path',
    property: 'blobDir',
    fileKey: 'blob_dir',
    rule: 'a directory path',
    description: 'Blobs alone, when they shall lie elsewhere than `<data dir>/blobs`.',
  },
  {
    name: 'DATABASE_URL',
    aliases: ['STRONGROOM_DATABASE_URL'],
    type: 'text',
    property: 'databaseUrl',
    fileKey: 'database_url',
    rule: 'postgres://user:password@host:port/database',
    secret: true,
    description: 'Postgres 14 or newer. Without it an embedded Postgres is started under the data directory.',
  },
  {
    name: 'STRONGROOM_DATABASE_POOL_SIZE',
    aliases: [],
    type: 'integer',
    property: 'databasePoolSize',
    fileKey: 'database_pool_size',
    default: '10',
    rule: 'a whole number from 2 to 200',
    description: 'Database connections of one worker.',
  },
  {
    name: 'STRONGROOM_WORKERS',
    aliases: ['WORKERS'],
    type: 'integer',
    property: 'workers',
    fileKey: 'workers',
    default: '1',
    rule: 'a whole number from 1 to 128',
    description: 'Worker processes.',
  },
  {
    name: 'STRONGROOM_REGION',
    aliases: ['MINIO_SITE_REGION', 'RUSTFS_REGION'],
    type: 'text',
    property: 'region',
    fileKey: 'region',
    default: 'us-east-1',
    rule: 'letters, digits and hyphens, at most 64',
    description: 'The region that requests are signed for.',
  },
  {
    name: 'STRONGROOM_S3_DOMAIN',
    aliases: ['S3_DOMAIN', 'MINIO_DOMAIN', 'RUSTFS_SERVER_DOMAINS'],
    type: 'list',
    property: 's3Domains',
    fileKey: 's3_domain',
    rule: 'host names without port, separated by commas',
    description: 'Base domains for virtual-host addressing (`bucket.domain`). Path style always works.',
  },
  {
    name: 'STRONGROOM_TLS_CERT_FILE',
    aliases: ['TLS_CERT_FILE'],
    type: 'path',
    property: 'tlsCertFile',
    fileKey: 'tls_cert_file',
    rule: 'the path of a PEM file',
    description: 'Certificate chain; turns TLS on. Reloaded when it changes.',
  },
  {
    name: 'STRONGROOM_TLS_KEY_FILE',
    aliases: ['TLS_KEY_FILE'],
    type: 'path',
    property: 'tlsKeyFile',
    fileKey: 'tls_key_file',
    rule: 'the path of a PEM file',
    description: 'Private key of the certificate.',
  },
  {
    name: 'STRONGROOM_ROOT_USER',
    aliases: ['MINIO_ROOT_USER', 'RUSTFS_ACCESS_KEY'],
    type: 'text',
    property: 'rootUser',
    fileKey: 'root_user',
    rule: '3 to 128 characters without spaces, "=" or ","',
    description: 'Access key of the root user. Generated, stored sealed and printed once when absent.',
  },
  {
    name: 'STRONGROOM_ROOT_PASSWORD',
    aliases: ['MINIO_ROOT_PASSWORD', 'RUSTFS_SECRET_KEY'],
    type: 'text',
    property: 'rootPassword',
    fileKey: 'root_password',
    rule: '8 to 256 characters',
    secret: true,
    description: 'Secret key of the root user.',
  },
  {
    name: 'STRONGROOM_ROOT_KEY',
    aliases: [],
    type: 'text',
    property: 'rootKey',
    rule: '32 bytes in base64 or hex',
    secret: true,
    description: 'Seals every secret in the database. Generated into the root key file when absent.',
  },
  {
    name: 'STRONGROOM_ROOT_KEY_FILE',
    aliases: [],
    type: 'path',
    property: 'rootKeyFile',
    fileKey: 'root_key_file',
    rule: 'the path of a file of mode 0600',
    description: 'Where the root key lies, when not in `<data dir>/root.key`.',
  },
  {
    name: 'STRONGROOM_AUTO_ENCRYPTION',
    aliases: ['AUTO_ENCRYPTION', 'MINIO_KMS_AUTO_ENCRYPTION'],
    type: 'enum',
    property: 'autoEncryption',
    fileKey: 'auto_encryption',
    default: 'sse-s3',
    values: AUTO_ENCRYPTION_MODES,
    synonyms: { on: 'sse-kms', 'aws:kms': 'sse-kms', aes256: 'sse-s3' },
    rule: 'off, sse-s3 or sse-kms (on means sse-kms)',
    description: 'Encryption of objects that neither the request nor the bucket decides.',
  },
  {
    name: 'STRONGROOM_DEFAULT_OBJECT_OWNERSHIP',
    aliases: [],
    type: 'enum',
    property: 'defaultObjectOwnership',
    fileKey: 'default_object_ownership',
    default: 'BucketOwnerEnforced',
    values: OBJECT_OWNERSHIPS,
    rule: 'BucketOwnerEnforced, BucketOwnerPreferred or ObjectWriter',
    description:
      'Object ownership of new buckets that ask for none. Access lists count in buckets with one of the latter two only.',
  },
  {
    name: 'STRONGROOM_INLINE_LIMIT',
    aliases: [],
    type: 'size',
    property: 'inlineLimit',
    fileKey: 'inline_limit',
    default: '32KiB',
    rule: 'bytes, or with a unit such as 32KiB, from 0 to 1MiB',
    description: 'Objects up to this size live in their database row instead of a file.',
  },
  {
    name: 'STRONGROOM_DARE_CIPHER',
    aliases: [],
    type: 'enum',
    property: 'dareCipher',
    fileKey: 'dare_cipher',
    default: 'AES-256-GCM',
    values: DARE_CIPHERS,
    rule: 'AES-256-GCM or CHACHA20-POLY1305',
    description: 'Cipher of newly written objects; both are always readable.',
  },
  {
    name: 'STRONGROOM_CLOCK_SKEW',
    aliases: [],
    type: 'duration',
    property: 'clockSkewSeconds',
    fileKey: 'clock_skew',
    default: '15m',
    rule: 'seconds, or with a unit such as 15m, from 1s to 1d',
    description: 'How far the date of a signed request may be from this machine’s clock.',
  },
  {
    name: 'STRONGROOM_DRAIN_TIMEOUT',
    aliases: [],
    type: 'duration',
    property: 'drainSeconds',
    fileKey: 'drain_timeout',
    default: '30s',
    rule: 'seconds, or with a unit such as 30s, from 0 to 1h',
    description: 'How long requests in flight may take to finish after SIGTERM.',
  },
  {
    name: 'STRONGROOM_LIFECYCLE_INTERVAL',
    aliases: [],
    type: 'duration',
    property: 'lifecycleIntervalSeconds',
    fileKey: 'lifecycle_interval',
    default: '1h',
    rule: 'seconds, or with a unit such as 1h, from 0 (never) to 30d',
    description: 'From one run of a bucket’s lifecycle rules to the next; see docs/lifecycle.md.',
  },
  {
    name: 'STRONGROOM_LIFECYCLE_DAY',
    aliases: [],
    type: 'duration',
    property: 'lifecycleDaySeconds',
    fileKey: 'lifecycle_day',
    default: '1d',
    rule: 'seconds, or with a unit such as 10s, from 1s to 1d',
    description: 'How long lifecycle rules take a day to last. For tests alone: objects go that much earlier.',
  },
  {
    name: 'STRONGROOM_AUDIT_RETENTION',
    aliases: [],
    type: 'duration',
    property: 'auditRetentionSeconds',
    fileKey: 'audit_retention',
    default: '0',
    rule: 'seconds, or with a unit such as 365d, from 0 (for ever) to 36500d',
    description: 'How long audit records are kept at least.',
  },
  {
    name: 'STRONGROOM_RUSTFS_KMS_HEADERS',
    aliases: [],
    type: 'boolean',
    property: 'rustfsKmsHeaders',
    fileKey: 'rustfs_kms_headers',
    default: 'off',
    rule: 'on or off',
    description: 'Give out `x-amz-meta-sse-kms-encrypted-key` and `x-amz-meta-sse-kms-iv` as older RustFS did.',
  },
  {
    name: 'STRONGROOM_LOG_LEVEL',
    aliases: [],
    type: 'enum',
    property: 'logLevel',
    fileKey: 'log_level',
    default: 'info',
    values: LOG_LEVELS,
    synonyms: { warning: 'warn' },
    rule: LOG_LEVELS.join(', '),
    description: 'The least severe lines that are logged.',
  },
  {
    name: 'STRONGROOM_LOG_FORMAT',
    aliases: [],
    type: 'enum',
    property: 'logFormat',
    fileKey: 'log_format',
    values: LOG_FORMATS,
    rule: 'pretty or json',
    description: 'Form of log lines; without it pretty on a terminal, json elsewhere.',
  },
];

/** Names a YAML or JSON file with the same settings; it has no place in the file itself. */
export const CONFIG_FILE_VARIABLE = 'STRONGROOM_CONFIG_FILE';
