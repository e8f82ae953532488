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

export const VAULT_NAMESPACE_FIELD: FieldDefinition = {
  name: 'namespace',
  type: 'string',
  description: 'Vault Enterprise or OpenBao namespace.',
  example: 'team-a',
};
