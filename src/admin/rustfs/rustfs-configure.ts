import type { InputProblem } from '../../identity/identity-error';
import { AdminError } from '../admin-error';
import type { RustfsAuthMethodDto, RustfsConfigureDto } from './rustfs-configure.dto';

type Values = Readonly<Record<string, string | number | boolean>>;

/** A configuration request of RustFS in terms of our documents. */
export interface MappedConfiguration {
  readonly subsystem: 'kms_vault' | 'kms_vault_kv' | 'kms_aws' | 'kms_builtin';
  /** Fields that the request gives. */
  readonly values: Values;
  /** Every field that such a request could give; what it leaves out returns to its default. */
  readonly owned: readonly string[];
  /** Fields of the document over all KMSs. */
  readonly common: Values;
}

interface Backend {
  readonly subsystem: MappedConfiguration['subsystem'];
  /** Members that a request for this backend may have, apart from the common ones. */
  readonly members: readonly (keyof RustfsConfigureDto)[];
  readonly owned: readonly string[];
  values(request: RustfsConfigureDto): Record<string, string | number | boolean | undefined>;
  problems(request: RustfsConfigureDto): InputProblem[];
}

const COMMON: readonly (keyof RustfsConfigureDto)[] = [
  'backend_type',
  'default_key_id',
  'timeout_seconds',
  'retry_attempts',
  'enable_cache',
  'max_cached_keys',
  'cache_ttl_seconds',
  'allow_insecure_dev_defaults',
];
const CALL_FIELDS = ['timeout', 'max_retries'];
const AUTH_FIELDS = [
  'auth_type',
  'token',
  'token_file',
  'auth_approle_id',
  'auth_approle_secret',
  'auth_approle_secret_file',
  'auth_approle_mount',
  'auth_kubernetes_role',
  'auth_kubernetes_mount',
  'auth_kubernetes_jwt_file',
];
const VAULT_FIELDS = ['endpoint', 'namespace', 'mount_path', 'tls_skip_verify', ...AUTH_FIELDS, ...CALL_FIELDS];
const LONGEST_TIMEOUT = 300;
const MOST_RETRIES = 10;
const LONGEST_CACHE_TTL = 3_600;
const VAULT_MEMBERS: readonly (keyof RustfsConfigureDto)[] = [
  'address',
  'auth_method',
  'namespace',
  'mount_path',
  'skip_tls_verify',
];

const TRANSIT: Backend = {
  subsystem: 'kms_vault',
  members: VAULT_MEMBERS,
  owned: VAULT_FIELDS,
  values: (request) => ({ ...vaultValues(request), mount_path: request.mount_path }),
  problems: vaultProblems,
};

const KV: Backend = {
  subsystem: 'kms_vault_kv',
  members: [...VAULT_MEMBERS, 'kv_mount', 'key_path_prefix'],
  owned: [...VAULT_FIELDS, 'key_prefix'],
  // The mount_path of such a request is that of a transit engine, which this backend has no use for.
  values: (request) => ({
    ...vaultValues(request),
    mount_path: request.kv_mount,
    key_prefix: request.key_path_prefix,
  }),
  problems: vaultProblems,
};

const AWS: Backend = {
  subsystem: 'kms_aws',
  members: ['region', 'endpoint_url'],
  owned: ['region', 'endpoint', ...CALL_FIELDS],
  values: (request) => ({ ...callValues(request), region: request.region, endpoint: request.endpoint_url }),
  problems: (request) => [
    ...missing(request, 'region'),
    ...missing(request, 'default_key_id'),
    ...(isInsecure(request.endpoint_url) && !isDev(request)
      ? [{ field: 'endpoint_url', message: 'endpoint_url must be https' }]
      : []),
  ],
};

const LOCAL: Backend = {
  subsystem: 'kms_builtin',
  // Accepted and without effect: the keyring lies in the database, sealed with the root key of the deployment.
  members: ['key_dir', 'master_key', 'file_permissions'],
  owned: [],
  values: () => ({}),
  problems: () => [],
};

const STATIC: Backend = {
  subsystem: 'kms_builtin',
  members: ['key_id', 'secret_key'],
  owned: [],
  values: ({ key_id = '', secret_key = '' }) => ({
    key_name: key_id,
    minio_secret_key: secret_key === '' ? '' : `${key_id}:${secret_key}`,
  }),
  problems: (request) => missing(request, 'key_id'),
};

/**
 * Translates a configuration request of RustFS. `Vault`, RustFS' older name for its KV backend, means the transit engine
 * unless the request speaks of KV, because there the keys do not leave Vault.
 *
 * @throws AdminError `InvalidRequest` with every problem: members of other backends, missing ones, insecure ones
 */
export function mapConfiguration(request: RustfsConfigureDto): MappedConfiguration {
  const backend = backendOf(request);
  const allowed = new Set<string>([...COMMON, ...backend.members]);
  const foreign = Object.entries(request)
    .filter(([member, value]) => value !== undefined && value !== null && !allowed.has(member))
    .map(([field]) => ({ field, message: `${field} does not belong to backend_type ${request.backend_type}` }));
  const problems = [...foreign, ...backend.problems(request)];
  if (problems.length > 0) {
    throw new AdminError('InvalidRequest', problems.map((problem) => problem.message).join('; '), problems);
  }
  return {
    subsystem: backend.subsystem,
    values: given({ key_name: request.default_key_id, ...given(backend.values(request)), enabled: true }),
    owned: backend.owned,
    common: commonValues(request),
  };
}

function backendOf(request: RustfsConfigureDto): Backend {
  switch (request.backend_type.toLowerCase().replace(/[-_]/g, '')) {
    case 'local':
      return LOCAL;
    case 'static':
      return STATIC;
    case 'aws':
    case 'awskms':
      return AWS;
    case 'vaultkv2':
      return KV;
    case 'vault':
      return request.kv_mount === undefined && request.key_path_prefix === undefined ? TRANSIT : KV;
    default:
      return TRANSIT;
  }
}

function commonValues({ enable_cache, max_cached_keys, cache_ttl_seconds }: RustfsConfigureDto): Values {
  return given({
    cache_size: enable_cache === false ? 0 : max_cached_keys,
    cache_ttl: cache_ttl_seconds === undefined ? undefined : `${Math.min(cache_ttl_seconds, LONGEST_CACHE_TTL)}s`,
  });
}

function callValues({
  timeout_seconds,
  retry_attempts,
}: RustfsConfigureDto): Record<string, string | number | undefined> {
  return {
    timeout: timeout_seconds === undefined ? undefined : `${Math.min(timeout_seconds, LONGEST_TIMEOUT)}s`,
    max_retries: retry_attempts === undefined ? undefined : Math.min(retry_attempts, MOST_RETRIES),
  };
}

function vaultValues(request: RustfsConfigureDto): Record<string, string | number | boolean | undefined> {
  return {
    ...callValues(request),
    endpoint: request.address,
    namespace: request.namespace,
    tls_skip_verify: request.skip_tls_verify,
    ...(request.auth_method === undefined ? {} : authValues(request.auth_method)),
  };
}

function authValues({
  Token,
  AppRole,
  Kubernetes,
  TokenFile,
}: RustfsAuthMethodDto): Record<string, string | undefined> {
  if (AppRole !== undefined) {
    return {
      auth_type: 'approle',
      auth_approle_id: AppRole.role_id,
      auth_approle_secret: AppRole.secret_id ?? (AppRole.secret_id_file === undefined ? '' : undefined),
      auth_approle_secret_file: AppRole.secret_id_file,
      auth_approle_mount: AppRole.mount,
    };
  }
  if (Kubernetes !== undefined) {
    return {
      auth_type: 'kubernetes',
      auth_kubernetes_role: Kubernetes.role,
      auth_kubernetes_mount: Kubernetes.mount,
      auth_kubernetes_jwt_file: Kubernetes.jwt_path,
    };
  }
  return TokenFile === undefined
    ? { auth_type: 'token', token: Token?.token }
    : { auth_type: 'token', token_file: TokenFile.path };
}

function vaultProblems(request: RustfsConfigureDto): InputProblem[] {
  const problems = [...missing(request, 'address'), ...missing(request, 'default_key_id')];
  const methods = Object.values(request.auth_method ?? {}).filter((method) => method !== undefined && method !== null);
  if (methods.length !== 1) {
    problems.push({
      field: 'auth_method',
      message: 'auth_method must be one of Token, AppRole, Kubernetes, TokenFile',
    });
  }
  if (isDev(request)) {
    return problems;
  }
  const hint = 'is only allowed with allow_insecure_dev_defaults';
  if (isInsecure(request.address)) {
    problems.push({ field: 'address', message: `an address without TLS ${hint}` });
  }
  if (request.skip_tls_verify === true) {
    problems.push({ field: 'skip_tls_verify', message: `skip_tls_verify ${hint}` });
  }
  if (request.auth_method?.Token?.token === 'dev-token') {
    problems.push({ field: 'auth_method', message: `the token dev-token ${hint}` });
  }
  return problems;
}

function missing(request: RustfsConfigureDto, member: keyof RustfsConfigureDto): InputProblem[] {
  const value = request[member];
  return value === undefined || value === null || value === ''
    ? [{ field: member, message: `${member} is missing` }]
    : [];
}

function isDev(request: RustfsConfigureDto): boolean {
  return request.allow_insecure_dev_defaults === true;
}

function isInsecure(address: string | undefined): boolean {
  return address?.toLowerCase().startsWith('http://') === true;
}

function given(values: Readonly<Record<string, string | number | boolean | undefined | null>>): Values {
  return Object.fromEntries(
    Object.entries(values).filter(
      (entry): entry is [string, string | number | boolean] => entry[1] !== undefined && entry[1] !== null,
    ),
  );
}
