import { IsBoolean, IsIn, IsOptional, IsString, IsUrl, IsUUID, Matches } from 'class-validator';
import { Secret } from '../../common/secret';
import type { FieldDefinition, FieldProblem, FieldValues } from '../../config/subsystem';
import { validateSettings, withoutBlanks } from '../settings-validation';
import { AZURE_WRAP_ALGORITHMS, type AzureWrapAlgorithm } from './azure-envelope';
import { CALL_FIELDS, COMMENT_FIELD, TLS_FIELDS } from './connection-fields';
import { connectionProblems, connectionSettings, textOfField, type ConnectionSettings } from './connection-settings';
import { ConnectionDto } from './connection.dto';

const ADDRESS = {
  protocols: ['https'],
  require_protocol: true,
  require_tld: false,
  disallow_auth: true,
  allow_query_components: false,
  allow_fragments: false,
};

export const AZURE_FIELDS: readonly FieldDefinition[] = [
  { name: 'enabled', type: 'boolean', default: true, description: 'Whether this Azure Key Vault is used.' },
  {
    name: 'vault_url',
    type: 'url',
    description: 'Address of the Key Vault or Managed HSM.',
    example: 'https://my-vault.vault.azure.net',
  },
  {
    name: 'key_name',
    type: 'string',
    description: 'Key used when a request names none.',
    example: 'strongroom',
  },
  { name: 'key_version', type: 'string', description: 'Version of key_name to wrap with; the newest unless set.' },
  { name: 'tenant_id', type: 'string', description: 'Entra tenant (directory) of the application in client_id.' },
  { name: 'client_id', type: 'string', description: 'Application that signs in with client_secret or a certificate.' },
  { name: 'client_secret', type: 'string', secret: true, description: 'Client secret of the application.' },
  {
    name: 'client_certificate_file',
    type: 'path',
    description: 'PEM file with certificate and key of the application, instead of client_secret.',
  },
  {
    name: 'managed_identity_client_id',
    type: 'string',
    description:
      "Client id of a user-assigned managed identity. With no credentials at all, the SDK's default chain finds some.",
  },
  {
    name: 'authority_host',
    type: 'url',
    description: 'Address of Entra ID in other clouds.',
    example: 'https://login.microsoftonline.us',
  },
  {
    name: 'verify_challenge',
    type: 'boolean',
    default: true,
    description: 'Sign in only for a resource that vault_url belongs to. Off only for emulators and private addresses.',
  },
  ...TLS_FIELDS.filter(({ name }) => name === 'ca_file' || name === 'ca_pem'),
  {
    name: 'wrap_algorithm',
    type: 'enum',
    values: AZURE_WRAP_ALGORITHMS,
    default: 'RSA-OAEP-256',
    description: 'RSA-OAEP-256 with RSA keys; A256KW with 256-bit AES keys, which only a Managed HSM has.',
  },
  ...CALL_FIELDS,
  {
    name: 'create_key',
    type: 'boolean',
    default: false,
    description: 'Create key_name in the vault when it does not exist.',
  },
  COMMENT_FIELD,
];

/** Fields of a `kms_azure` document. */
export class AzureSettingsDto extends ConnectionDto {
  @IsUrl(ADDRESS, { message: 'vault_url is required: an https address such as https://my-vault.vault.azure.net' })
  @Matches(/^[a-z]+:\/\/[^/]+\/?$/, { message: 'vault_url must have no path' })
  vault_url!: string;

  @Matches(/^[0-9A-Za-z-]{1,127}$/, { message: 'key_name is required: letters, digits and dashes' })
  key_name!: string;

  @IsOptional()
  @Matches(/^[0-9a-f]{32}$/, { message: 'key_version must be 32 hexadecimal digits' })
  key_version?: string;

  @IsOptional()
  @Matches(/^[0-9A-Za-z.-]+$/, { message: 'tenant_id must be the id or a domain of a tenant' })
  tenant_id?: string;

  @IsOptional()
  @IsUUID(undefined, { message: 'client_id must be a UUID' })
  client_id?: string;

  @IsOptional()
  @IsString()
  client_secret?: string;

  @IsOptional()
  @IsString()
  client_certificate_file?: string;

  @IsOptional()
  @IsUUID(undefined, { message: 'managed_identity_client_id must be a UUID' })
  managed_identity_client_id?: string;

  @IsOptional()
  @IsUrl(ADDRESS, { message: 'authority_host must be an https address' })
  authority_host?: string;

  @IsOptional()
  @IsBoolean()
  verify_challenge?: boolean;

  @IsOptional()
  @IsIn(AZURE_WRAP_ALGORITHMS, { message: `wrap_algorithm must be one of ${AZURE_WRAP_ALGORITHMS.join(', ')}` })
  wrap_algorithm?: string;

  @IsOptional()
  @IsBoolean()
  create_key?: boolean;
}

/** How to sign in to Entra ID. */
export type AzureIdentity =
  | { readonly type: 'secret'; readonly tenantId: string; readonly clientId: string; readonly secret: Secret }
  | { readonly type: 'certificate'; readonly tenantId: string; readonly clientId: string; readonly file: string }
  | { readonly type: 'managed'; readonly clientId: string }
  | { readonly type: 'default'; readonly tenantId?: string };

/** Settings of one Azure Key Vault target, ready for use. Times are milliseconds. */
export interface AzureSettings extends ConnectionSettings {
  /** Without a slash at the end. */
  readonly vaultUrl: string;
  readonly keyName: string;
  /** Wraps with the newest version when absent. */
  readonly keyVersion?: string;
  readonly identity: AzureIdentity;
  /** Absent where the identity does without, or the SDK finds it. */
  readonly authorityHost?: string;
  readonly verifyChallenge: boolean;
  readonly wrapAlgorithm: AzureWrapAlgorithm;
  /** A Managed HSM, whose keys are all of HSM types. */
  readonly managedHsm: boolean;
  readonly createKey: boolean;
}

/** Checks a `kms_azure` document, each field and the fields against each other. */
export async function validateAzureSettings(values: FieldValues): Promise<FieldProblem[]> {
  const fields = withoutBlanks(values);
  const problems = [...(await validateSettings(AzureSettingsDto, values)), ...connectionProblems(fields)];
  const complain = (field: string, message: string): unknown => problems.push({ field, message });
  const application = 'client_secret' in fields || 'client_certificate_file' in fields;
  if ('client_secret' in fields && 'client_certificate_file' in fields) {
    complain('client_certificate_file', 'give either client_secret or client_certificate_file, not both');
  }
  if (application && !('tenant_id' in fields)) {
    complain('tenant_id', 'client_secret and client_certificate_file need tenant_id');
  }
  if (application !== 'client_id' in fields) {
    complain('client_id', 'client_id and client_secret or client_certificate_file go together');
  }
  if ('managed_identity_client_id' in fields && ('client_id' in fields || application)) {
    complain('managed_identity_client_id', 'give either a managed identity or client_id, not both');
  }
  if (fields['wrap_algorithm'] === 'A256KW' && /\.vault\./.test(String(fields['vault_url'] ?? ''))) {
    complain('wrap_algorithm', 'A256KW needs a Managed HSM; a vault has RSA keys only');
  }
  return problems;
}

/** Makes settings of validated fields. */
export function azureSettings(values: FieldValues): AzureSettings {
  const fields = withoutBlanks(values);
  const text = (name: string): string | undefined => textOfField(fields, name);
  const vaultUrl = (text('vault_url') ?? '').replace(/\/+$/, '');
  const identity = identityOf(text);
  return {
    vaultUrl,
    keyName: text('key_name') ?? '',
    keyVersion: text('key_version'),
    identity,
    authorityHost: text('authority_host')?.replace(/\/+$/, '') ?? publicAuthority(vaultUrl, identity),
    verifyChallenge: fields['verify_challenge'] !== false,
    wrapAlgorithm: text('wrap_algorithm') === 'A256KW' ? 'A256KW' : 'RSA-OAEP-256',
    managedHsm: /\.managedhsm\./.test(vaultUrl) || text('wrap_algorithm') === 'A256KW',
    createKey: fields['create_key'] === true,
    ...connectionSettings(fields),
  };
}

function identityOf(text: (name: string) => string | undefined): AzureIdentity {
  const [tenantId = '', clientId = ''] = [text('tenant_id'), text('client_id')];
  const [secret, file, managed] = ['client_secret', 'client_certificate_file', 'managed_identity_client_id'].map(text);
  if (secret !== undefined) {
    return { type: 'secret', tenantId, clientId, secret: new Secret(secret) };
  }
  if (file !== undefined) {
    return { type: 'certificate', tenantId, clientId, file };
  }
  return managed === undefined
    ? { type: 'default', tenantId: text('tenant_id') }
    : { type: 'managed', clientId: managed };
}

/** Spelled out where an application signs in, so that AZURE_AUTHORITY_HOST cannot send its secret elsewhere. */
function publicAuthority(vaultUrl: string, { type }: AzureIdentity): string | undefined {
  if (type === 'managed' || type === 'default') {
    return undefined;
  }
  if (vaultUrl.endsWith('.azure.cn')) {
    return 'https://login.chinacloudapi.cn';
  }
  return vaultUrl.endsWith('.usgovcloudapi.net')
    ? 'https://login.microsoftonline.us'
    : 'https://login.microsoftonline.com';
}
