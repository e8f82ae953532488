/** A foreign environment variable that sets one field of a dynamic configuration document. */
export interface OverlayAlias {
  readonly name: string;
  readonly field: string;
  /** Appended to the value, for variables whose unit is in their name. */
  readonly unit?: string;
  /** The variable names a file whose content is the value. */
  readonly fromFile?: boolean;
}

/** A kind of dynamic configuration whose fields can be pinned by environment variables. */
export interface OverlaySubsystem {
  readonly subsystem: string;
  /** `STRONGROOM_KMS_VAULT_` + field + optional `_` + target, all upper-case. */
  readonly prefix: string;
  readonly multipleTargets: boolean;
  readonly fields: readonly string[];
  readonly secretFields: readonly string[];
  /** For the target `default` only. */
  readonly aliases: readonly OverlayAlias[];
}

/**
 * Environment names of dynamic configuration. The meaning of the fields belongs to the module that registers the subsystem.
 * Where one prefix begins another, the longer one comes first.
 */
export const OVERLAY_SUBSYSTEMS: readonly OverlaySubsystem[] = [
  {
    subsystem: 'kms_vault_kv',
    prefix: 'STRONGROOM_KMS_VAULT_KV_',
    multipleTargets: true,
    fields: [
      'enabled',
      'endpoint',
      'key_name',
      'token',
      'token_file',
      'auth_type',
      'auth_approle_id',
      'auth_approle_secret',
      'auth_approle_secret_file',
      'auth_approle_mount',
      'auth_kubernetes_role',
      'auth_kubernetes_mount',
      'auth_kubernetes_jwt_file',
      'auth_jwt_role',
      'auth_jwt_mount',
      'auth_jwt_token',
      'auth_jwt_file',
      'auth_cert_role',
      'auth_cert_mount',
      'mount_path',
      'kv_version',
      'key_prefix',
      'namespace',
      'ca_file',
      'ca_pem',
      'client_cert_file',
      'client_key_file',
      'tls_skip_verify',
      'tls_server_name',
      'timeout',
      'max_retries',
      'create_key',
      'comment',
    ],
    secretFields: ['token', 'auth_approle_secret', 'auth_jwt_token'],
    aliases: [],
  },
  {
    subsystem: 'kms_vault',
    prefix: 'STRONGROOM_KMS_VAULT_',
    multipleTargets: true,
    fields: [
      'enabled',
      'endpoint',
      'key_name',
      'token',
      'token_file',
      'auth_type',
      'auth_approle_id',
      'auth_approle_secret',
      'auth_approle_secret_file',
      'auth_approle_mount',
      'auth_kubernetes_role',
      'auth_kubernetes_mount',
      'auth_kubernetes_jwt_file',
      'auth_jwt_role',
      'auth_jwt_mount',
      'auth_jwt_token',
      'auth_jwt_file',
      'auth_cert_role',
      'auth_cert_mount',
      'mount_path',
      'namespace',
      'ca_file',
      'ca_pem',
      'client_cert_file',
      'client_key_file',
      'tls_skip_verify',
      'tls_server_name',
      'key_version',
      'timeout',
      'max_retries',
      'create_key',
      'comment',
    ],
    secretFields: ['token', 'auth_approle_secret', 'auth_jwt_token'],
    aliases: [
      { name: 'RUSTFS_KMS_ENABLED', field: 'enabled' },
      { name: 'RUSTFS_KMS_ENABLE', field: 'enabled' },
      { name: 'RUSTFS_KMS_VAULT_ENDPOINT', field: 'endpoint' },
      { name: 'RUSTFS_KMS_VAULT_ADDRESS', field: 'endpoint' },
      { name: 'RUSTFS_KMS_VAULT_KEY_NAME', field: 'key_name' },
      { name: 'RUSTFS_KMS_DEFAULT_KEY_ID', field: 'key_name' },
      { name: 'RUSTFS_KMS_VAULT_TOKEN', field: 'token' },
      { name: 'RUSTFS_KMS_VAULT_TOKEN_FILE', field: 'token_file' },
      { name: 'RUSTFS_KMS_VAULT_NAMESPACE', field: 'namespace' },
      { name: 'RUSTFS_KMS_VAULT_MOUNT_PATH', field: 'mount_path' },
      { name: 'RUSTFS_KMS_VAULT_SKIP_TLS_VERIFY', field: 'tls_skip_verify' },
      { name: 'RUSTFS_KMS_VAULT_APPROLE_ROLE_ID', field: 'auth_approle_id' },
      { name: 'RUSTFS_KMS_VAULT_APPROLE_SECRET_ID', field: 'auth_approle_secret' },
      { name: 'RUSTFS_KMS_VAULT_APPROLE_SECRET_ID_FILE', field: 'auth_approle_secret_file' },
      { name: 'RUSTFS_KMS_VAULT_APPROLE_MOUNT', field: 'auth_approle_mount' },
      { name: 'RUSTFS_KMS_VAULT_KUBERNETES_ROLE', field: 'auth_kubernetes_role' },
      { name: 'RUSTFS_KMS_VAULT_KUBERNETES_MOUNT', field: 'auth_kubernetes_mount' },
      { name: 'RUSTFS_KMS_VAULT_KUBERNETES_JWT_PATH', field: 'auth_kubernetes_jwt_file' },
      { name: 'RUSTFS_KMS_TIMEOUT_SECS', field: 'timeout', unit: 's' },
      { name: 'RUSTFS_KMS_RETRY_ATTEMPTS', field: 'max_retries' },
      { name: 'MINIO_KMS_VAULT_ENDPOINT', field: 'endpoint' },
      { name: 'MINIO_KMS_VAULT_AUTH_TYPE', field: 'auth_type' },
      { name: 'MINIO_KMS_VAULT_APPROLE_ID', field: 'auth_approle_id' },
      { name: 'MINIO_KMS_VAULT_APPROLE_SECRET', field: 'auth_approle_secret' },
      { name: 'MINIO_KMS_VAULT_KEY_NAME', field: 'key_name' },
      { name: 'MINIO_KMS_VAULT_KEY_VERSION', field: 'key_version' },
      { name: 'MINIO_KMS_VAULT_CAPATH', field: 'ca_file' },
      { name: 'STRONGROOM_KMS_VAULT_CAPATH', field: 'ca_file' },
      { name: 'MINIO_KMS_VAULT_NAMESPACE', field: 'namespace' },
    ],
  },
  {
    subsystem: 'kms_aws',
    prefix: 'STRONGROOM_KMS_AWS_',
    multipleTargets: true,
    fields: [
      'enabled',
      'region',
      'key_name',
      'access_key',
      'secret_key',
      'session_token',
      'endpoint',
      'rotation_days',
      'ca_file',
      'ca_pem',
      'client_cert_file',
      'client_key_file',
      'tls_skip_verify',
      'tls_server_name',
      'timeout',
      'max_retries',
      'comment',
    ],
    secretFields: ['secret_key', 'session_token'],
    aliases: [
      { name: 'RUSTFS_KMS_AWS_REGION', field: 'region' },
      { name: 'RUSTFS_KMS_AWS_ENDPOINT_URL', field: 'endpoint' },
    ],
  },
  {
    subsystem: 'kms_builtin',
    prefix: 'STRONGROOM_KMS_BUILTIN_',
    multipleTargets: false,
    fields: ['enabled', 'key_name', 'minio_secret_key', 'comment'],
    secretFields: ['minio_secret_key'],
    aliases: [
      { name: 'MINIO_KMS_SECRET_KEY', field: 'minio_secret_key' },
      { name: 'MINIO_KMS_SECRET_KEY_FILE', field: 'minio_secret_key', fromFile: true },
    ],
  },
  {
    subsystem: 'kms_kes',
    prefix: 'STRONGROOM_KMS_KES_',
    multipleTargets: true,
    fields: [
      'enabled',
      'endpoint',
      'key_name',
      'api_key',
      'ca_file',
      'ca_pem',
      'client_cert_file',
      'client_key_file',
      'tls_skip_verify',
      'tls_server_name',
      'timeout',
      'max_retries',
      'create_key',
      'comment',
    ],
    secretFields: ['api_key'],
    aliases: [
      { name: 'MINIO_KMS_KES_ENDPOINT', field: 'endpoint' },
      { name: 'MINIO_KMS_KES_KEY_NAME', field: 'key_name' },
      { name: 'MINIO_KMS_KES_API_KEY', field: 'api_key' },
      { name: 'MINIO_KMS_KES_CERT_FILE', field: 'client_cert_file' },
      { name: 'MINIO_KMS_KES_KEY_FILE', field: 'client_key_file' },
      { name: 'MINIO_KMS_KES_CAPATH', field: 'ca_file' },
    ],
  },
  {
    subsystem: 'kms_gcp',
    prefix: 'STRONGROOM_KMS_GCP_',
    multipleTargets: true,
    fields: [
      'enabled',
      'project',
      'location',
      'key_ring',
      'key_name',
      'credentials_file',
      'credentials_json',
      'endpoint',
      'create_key',
      'protection_level',
      'ca_file',
      'ca_pem',
      'client_cert_file',
      'client_key_file',
      'tls_skip_verify',
      'tls_server_name',
      'timeout',
      'max_retries',
      'comment',
    ],
    secretFields: ['credentials_json'],
    aliases: [],
  },
  {
    subsystem: 'kms',
    prefix: 'STRONGROOM_KMS_',
    multipleTargets: false,
    fields: ['default_target', 'escrow_target', 'cache_size', 'cache_ttl', 'probe_interval'],
    secretFields: [],
    aliases: [
      { name: 'STRONGROOM_DATA_KEY_CACHE_SIZE', field: 'cache_size' },
      { name: 'STRONGROOM_DATA_KEY_CACHE_TTL', field: 'cache_ttl' },
    ],
  },
];

/** A static setting's alias that belongs to one of the families below. */
export const ACCEPTED_FOREIGN_VARIABLE = 'MINIO_KMS_AUTO_ENCRYPTION';

/** Families whose other members are worth a warning, because somebody expects them to work. */
export const FOREIGN_KMS_PREFIXES: readonly string[] = ['RUSTFS_KMS_', 'MINIO_KMS_'];
