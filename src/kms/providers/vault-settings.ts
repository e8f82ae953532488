import {
  IsBoolean,
  IsIn,
  IsInt,
  IsOptional,
  IsString,
  IsUrl,
  Matches,
  Max,
  Min,
  registerDecorator,
} from 'class-validator';
import { Secret } from '../../common/secret';
import type { FieldDefinition, FieldProblem, FieldValues } from '../../config/subsystem';
import { parseDuration } from '../../settings/units';
import { validateSettings, withoutBlanks } from '../settings-validation';
import type { TlsSettings } from './tls-material';

export const TRANSIT_KEY_NAME = /^\w(?:[\w.-]*\w)?$/;
const MOUNT_PATH = /^\w(?:[\w.-]*\w)?(?:\/\w(?:[\w.-]*\w)?)*$/;
const MIN_TIMEOUT = 100;
const MAX_TIMEOUT = 300_000;

export const VAULT_FIELDS: readonly FieldDefinition[] = [
  { name: 'enabled', type: 'boolean', default: true, description: 'Whether this Vault is used.' },
  {
    name: 'endpoint',
    type: 'url',
    description: 'Address of Vault or OpenBao.',
    example: 'https://vault.example.com:8200',
  },
  {
    name: 'key_name',
    type: 'string',
    description: 'Transit key used when a request names none.',
    example: 'strongroom',
  },
  { name: 'token', type: 'string', secret: true, description: 'Token to authenticate with.' },
  {
    name: 'token_file',
    type: 'path',
    description: 'File that holds the token; read again whenever a token is needed.',
  },
  {
    name: 'auth_type',
    type: 'enum',
    values: ['token', 'approle'],
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
  { name: 'mount_path', type: 'string', default: 'transit', description: 'Mount path of the transit secrets engine.' },
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
  { name: 'key_version', type: 'integer', description: 'Version of key_name to wrap with; the latest unless set.' },
  { name: 'timeout', type: 'duration', default: '10s', description: 'Time for one attempt at a call.' },
  {
    name: 'max_retries',
    type: 'integer',
    default: 3,
    description: 'Further attempts at a call that failed for a passing reason.',
  },
  {
    name: 'create_key',
    type: 'boolean',
    default: false,
    description: 'Create key_name in Vault when it does not exist.',
  },
  { name: 'comment', type: 'string', description: 'Free text.' },
];

/** Fields of a `kms_vault` document. */
export class VaultSettingsDto {
  @IsOptional()
  @IsBoolean()
  enabled?: boolean;

  @IsUrl(
    {
      protocols: ['http', 'https'],
      require_protocol: true,
      require_tld: false,
      allow_query_components: false,
      allow_fragments: false,
    },
    { message: 'endpoint must be an http or https address such as https://vault.example.com:8200' },
  )
  endpoint!: string;

  @Matches(TRANSIT_KEY_NAME, { message: 'key_name is required and has letters, digits and . _ - only' })
  key_name!: string;

  @IsOptional()
  @IsString()
  token?: string;

  @IsOptional()
  @IsString()
  token_file?: string;

  @IsOptional()
  @IsIn(['token', 'approle'])
  auth_type?: 'token' | 'approle';

  @IsOptional()
  @IsString()
  auth_approle_id?: string;

  @IsOptional()
  @IsString()
  auth_approle_secret?: string;

  @IsOptional()
  @IsString()
  auth_approle_secret_file?: string;

  @IsOptional()
  @Matches(MOUNT_PATH, {
    message: 'auth_approle_mount must be a mount path such as approle, without leading or trailing slash',
  })
  auth_approle_mount?: string;

  @IsOptional()
  @Matches(MOUNT_PATH, {
    message: 'mount_path must be a mount path such as transit, without leading or trailing slash',
  })
  mount_path?: string;

  @IsOptional()
  @Matches(/^[\w.-]+(?:\/[\w.-]+)*\/?$/, { message: 'namespace must be a path such as team-a or team-a/project' })
  namespace?: string;

  @IsOptional()
  @IsString()
  ca_file?: string;

  @IsOptional()
  @Matches(/-----BEGIN CERTIFICATE-----/, { message: 'ca_pem must hold PEM certificates' })
  ca_pem?: string;

  @IsOptional()
  @IsString()
  client_cert_file?: string;

  @IsOptional()
  @IsString()
  client_key_file?: string;

  @IsOptional()
  @IsBoolean()
  tls_skip_verify?: boolean;

  @IsOptional()
  @IsString()
  tls_server_name?: string;

  @IsOptional()
  @IsInt()
  @Min(1)
  key_version?: number;

  @IsOptional()
  @IsAttemptTime()
  timeout?: string;

  @IsOptional()
  @IsInt()
  @Min(0)
  @Max(10)
  max_retries?: number;

  @IsOptional()
  @IsBoolean()
  create_key?: boolean;

  @IsOptional()
  @IsString()
  comment?: string;
}

export type VaultCredentials =
  | { readonly type: 'token'; readonly token?: Secret; readonly tokenFile?: string }
  | {
      readonly type: 'approle';
      readonly roleId: string;
      readonly secretId?: Secret;
      readonly secretIdFile?: string;
      readonly mount: string;
    };

/** Settings of one Vault target, ready for use. Times are milliseconds. */
export interface VaultSettings {
  readonly endpoint: string;
  readonly keyName: string;
  readonly credentials: VaultCredentials;
  readonly mountPath: string;
  readonly namespace?: string;
  readonly tls: TlsSettings;
  readonly keyVersion?: number;
  readonly timeout: number;
  readonly maxRetries: number;
  readonly createKey: boolean;
}

/** Checks a `kms_vault` document, each field and the fields against each other. */
export async function validateVaultSettings(values: FieldValues): Promise<FieldProblem[]> {
  return [...(await validateSettings(VaultSettingsDto, values)), ...combinationProblems(withoutBlanks(values))];
}

/** Makes settings of validated fields. */
export function vaultSettings(values: FieldValues): VaultSettings {
  const fields = withoutBlanks(values);
  const text = (name: string): string | undefined => (name in fields ? String(fields[name]) : undefined);
  return {
    endpoint: String(fields['endpoint']).replace(/\/+$/, ''),
    keyName: String(fields['key_name']),
    credentials: credentials(fields, text),
    mountPath: text('mount_path') ?? 'transit',
    namespace: text('namespace')?.replace(/\/$/, ''),
    tls: {
      caFile: text('ca_file'),
      caPem: text('ca_pem'),
      clientCertFile: text('client_cert_file'),
      clientKeyFile: text('client_key_file'),
      skipVerify: fields['tls_skip_verify'] === true,
      serverName: text('tls_server_name'),
    },
    keyVersion: typeof fields['key_version'] === 'number' ? fields['key_version'] : undefined,
    timeout: parseDuration(text('timeout') ?? '') ?? 10_000,
    maxRetries: typeof fields['max_retries'] === 'number' ? fields['max_retries'] : 3,
    createKey: fields['create_key'] === true,
  };
}

type Fields = Record<string, string | number | boolean>;

function authType(fields: Fields): 'token' | 'approle' {
  return fields['auth_type'] === 'approle' || (fields['auth_type'] === undefined && 'auth_approle_id' in fields)
    ? 'approle'
    : 'token';
}

function credentials(fields: Fields, text: (name: string) => string | undefined): VaultCredentials {
  const secret = (name: string): Secret | undefined => (name in fields ? new Secret(String(fields[name])) : undefined);
  return authType(fields) === 'token'
    ? { type: 'token', token: secret('token'), tokenFile: text('token_file') }
    : {
        type: 'approle',
        roleId: text('auth_approle_id') ?? '',
        secretId: secret('auth_approle_secret'),
        secretIdFile: text('auth_approle_secret_file'),
        mount: text('auth_approle_mount') ?? 'approle',
      };
}

function combinationProblems(fields: Fields): FieldProblem[] {
  const problems: FieldProblem[] = [];
  const complain = (field: string, message: string): unknown => problems.push({ field, message });
  if (authType(fields) === 'token') {
    if (!('token' in fields) && !('token_file' in fields)) {
      complain('token', 'give token, token_file, or auth_approle_id with auth_approle_secret');
    } else if ('token' in fields && 'token_file' in fields) {
      complain('token_file', 'give either token or token_file, not both');
    }
  } else {
    if (!('auth_approle_id' in fields)) {
      complain('auth_approle_id', 'auth_type approle needs auth_approle_id');
    }
    if (!('auth_approle_secret' in fields) && !('auth_approle_secret_file' in fields)) {
      complain('auth_approle_secret', 'auth_type approle needs auth_approle_secret or auth_approle_secret_file');
    }
  }
  if ('ca_file' in fields && 'ca_pem' in fields) {
    complain('ca_pem', 'give either ca_file or ca_pem, not both');
  }
  if ('client_cert_file' in fields !== 'client_key_file' in fields) {
    complain('client_cert_file', 'client_cert_file and client_key_file go together');
  }
  if (/^(sys|auth|identity|cubbyhole)(\/|$)/.test(String(fields['mount_path'] ?? ''))) {
    complain('mount_path', 'no secrets engine can be mounted there');
  }
  if (/^https?:\/\/[^/]*@/.test(String(fields['endpoint'] ?? ''))) {
    complain('endpoint', 'credentials do not belong into the address');
  }
  return problems;
}

function IsAttemptTime(): PropertyDecorator {
  return (target, property) => {
    registerDecorator({
      name: 'isAttemptTime',
      target: target.constructor,
      propertyName: String(property),
      options: { message: 'timeout must be a duration from 100ms to 5m' },
      validator: {
        validate: (value: unknown) => {
          const milliseconds = parseDuration(String(value));
          return milliseconds !== undefined && milliseconds >= MIN_TIMEOUT && milliseconds <= MAX_TIMEOUT;
        },
      },
    });
  };
}
