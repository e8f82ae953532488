import type { FieldDefinition } from '../../config/subsystem';

export const VAULT_AUTH_TYPES = ['token', 'approle', 'kubernetes', 'jwt', 'cert'] as const;
export type VaultAuthType = (typeof VAULT_AUTH_TYPES)[number];

/** Where Kubernetes puts the token of a pod's service account. */
export const SERVICE_ACCOUNT_TOKEN = '/var/run/secrets/kubernetes.io/serviceaccount/token';

export const VAULT_ENDPOINT_FIELD: FieldDefinition = {
  name: 'endpoint',
  type: 'string',
  description: 'Address of Vault or OpenBao, or the addresses of its nodes separated by commas.',
  example: 'https://vault.example.com:8200',
};

/** How to authenticate. */
export const VAULT_AUTH_FIELDS: readonly FieldDefinition[] = [
  { name: 'token', type: 'string', secret: true, description: 'Token to authenticate with.' },
  {
    name: 'token_file',
    type: 'path',
    description: 'File that holds the token; read again when it changes.',
  },
  {
    name: 'auth_type',
    type: 'enum',
    values: VAULT_AUTH_TYPES,
    description: 'How to authenticate; follows from the other fields when left out.',
  },
  { name: 'auth_approle_id', type: 'string', description: 'AppRole role id.' },
  { name: 'auth_approle_secret', type: 'string', secret: true, description: 'AppRole secret id.' },
  {
    name: 'auth_approle_secret_file',
    type: 'path',
    description: 'File that holds the secret id; read again at every login.',
  },
  {
    name: 'auth_approle_mount',
    type: 'string',
    default: 'approle',
    description: 'Mount path of the AppRole auth method.',
  },
  { name: 'auth_kubernetes_role', type: 'string', description: 'Role of the Kubernetes auth method.' },
  {
    name: 'auth_kubernetes_mount',
    type: 'string',
    default: 'kubernetes',
    description: 'Mount path of the Kubernetes auth method.',
  },
  {
    name: 'auth_kubernetes_jwt_file',
    type: 'path',
    default: SERVICE_ACCOUNT_TOKEN,
    description: 'File that holds the service account token; read again at every login.',
  },
  { name: 'auth_jwt_role', type: 'string', description: 'Role of the JWT/OIDC auth method.' },
  { name: 'auth_jwt_mount', type: 'string', default: 'jwt', description: 'Mount path of the JWT/OIDC auth method.' },
  { name: 'auth_jwt_token', type: 'string', secret: true, description: 'JWT to log in with.' },
  { name: 'auth_jwt_file', type: 'path', description: 'File that holds the JWT; read again at every login.' },
  {
    name: 'auth_cert_role',
    type: 'string',
    description: 'Role of the TLS certificate auth method; the one that fits client_cert_file unless set.',
  },
  {
    name: 'auth_cert_mount',
    type: 'string',
    default: 'cert',
    description: 'Mount path of the TLS certificate auth method.',
  },
];

/** Namespace and TLS. */
export const VAULT_TLS_FIELDS: readonly FieldDefinition[] = [
  { name: 'namespace', type: 'string', description: 'Vault Enterprise or OpenBao namespace.', example: 'team-a' },
  {
    name: 'ca_file',
    type: 'path',
    aliases: ['capath'],
    description:
      'PEM file, or directory of PEM files, with the certificate authorities to trust instead of the system ones.',
  },
  { name: 'ca_pem', type: 'string', description: 'The same as PEM text.' },
  { name: 'client_cert_file', type: 'path', description: 'PEM file with the client certificate.' },
  { name: 'client_key_file', type: 'path', description: 'PEM file with the key of the client certificate.' },
  {
    name: 'tls_skip_verify',
    type: 'boolean',
    default: false,
    description: 'Accept any server certificate. Whoever sits between can then read every data key.',
  },
  {
    name: 'tls_server_name',
    type: 'string',
    description: 'Name expected in the server certificate, when it is not the host name.',
  },
];

/** Time limits and retries. */
export const VAULT_CALL_FIELDS: readonly FieldDefinition[] = [
  { name: 'timeout', type: 'duration', default: '10s', description: 'Time for one attempt at a call.' },
  {
    name: 'max_retries',
    type: 'integer',
    default: 3,
    description: 'Further attempts at a call that failed for a passing reason.',
  },
];
