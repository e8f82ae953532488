import { isURL, IsBoolean, IsIn, IsOptional, IsString, IsUrl, Matches } from 'class-validator';
import { Secret } from '../../common/secret';
import type { FieldDefinition, FieldProblem, FieldValues } from '../../config/subsystem';
import { validateSettings, withoutBlanks } from '../settings-validation';
import { CALL_FIELDS, COMMENT_FIELD, TLS_FIELDS } from './connection-fields';
import { connectionProblems, connectionSettings, textOfField, type ConnectionSettings } from './connection-settings';
import { ConnectionDto } from './connection.dto';
import { credentialsProblem } from './gcp-credentials-file';
import { isGcpKeyName } from './gcp-key-name';

const PUBLIC_ENDPOINT = 'https://cloudkms.googleapis.com';
const PROTECTION_LEVELS = ['SOFTWARE', 'HSM'] as const;
const ADDRESS = {
  protocols: ['http', 'https'],
  require_protocol: true,
  require_tld: false,
  disallow_auth: true,
  allow_query_components: false,
  allow_fragments: false,
};

/** Where the key material of new keys is kept. */
export type GcpProtectionLevel = (typeof PROTECTION_LEVELS)[number];

export const GCP_FIELDS: readonly FieldDefinition[] = [
  { name: 'enabled', type: 'boolean', default: true, description: 'Whether this Google Cloud KMS is used.' },
  { name: 'project', type: 'string', description: 'Project id of the key ring.', example: 'my-project' },
  { name: 'location', type: 'string', description: 'Location of the key ring.', example: 'europe-west3' },
  { name: 'key_ring', type: 'string', description: 'Key ring; it has to exist.', example: 'storage' },
  {
    name: 'key_name',
    type: 'string',
    description: 'Key used when a request names none: its name in the key ring, or a full resource name.',
    example: 'strongroom',
  },
  {
    name: 'credentials_file',
    type: 'path',
    description:
      'JSON file of a service account key or other credentials. Without it Application Default Credentials are used.',
  },
  { name: 'credentials_json', type: 'string', secret: true, description: 'The same as JSON text.' },
  {
    name: 'endpoint',
    type: 'url',
    description: 'Address of the service, for regional, private and emulated endpoints; the public one unless set.',
    example: 'https://cloudkms.europe-west3.rep.googleapis.com',
  },
  {
    name: 'create_key',
    type: 'boolean',
    default: false,
    description: 'Create key_name in the key ring when it does not exist.',
  },
  {
    name: 'protection_level',
    type: 'string',
    default: 'SOFTWARE',
    description: 'SOFTWARE or HSM, for keys created from here.',
  },
  ...TLS_FIELDS,
  ...CALL_FIELDS,
  COMMENT_FIELD,
];

/** Fields of a `kms_gcp` document. */
export class GcpSettingsDto extends ConnectionDto {
  @Matches(/^(?:[a-z0-9.-]+:)?[a-z][a-z0-9-]{2,61}[a-z0-9]$/, { message: 'project is required: a project id' })
  project!: string;

  @Matches(/^[a-z][a-z0-9-]{1,62}$/, { message: 'location is required and looks like europe-west3 or global' })
  location!: string;

  @Matches(/^[A-Za-z0-9_-]{1,63}$/, { message: 'key_ring is required: up to 63 letters, digits, _ and -' })
  key_ring!: string;

  @IsString({ message: 'key_name is required' })
  key_name!: string;

  @IsOptional()
  @IsString()
  credentials_file?: string;

  @IsOptional()
  @IsString()
  credentials_json?: string;

  @IsOptional()
  @IsUrl(ADDRESS, { message: 'endpoint must be an http or https address without credentials in it' })
  endpoint?: string;

  @IsOptional()
  @IsBoolean()
  create_key?: boolean;

  @IsOptional()
  @IsIn(PROTECTION_LEVELS, { message: 'protection_level must be SOFTWARE or HSM' })
  protection_level?: GcpProtectionLevel;
}

/** Settings of one Google Cloud KMS target, ready for use. Times are milliseconds. */
export interface GcpSettings extends ConnectionSettings {
  /** `projects/…/locations/…/keyRings/…` */
  readonly ring: string;
  /** As configured: a name in the ring or a full resource name. */
  readonly keyName: string;
  /** Absent, both of them: Application Default Credentials. */
  readonly credentialsFile?: string;
  readonly credentialsJson?: Secret;
  readonly endpoint: string;
  readonly createKey: boolean;
  readonly protectionLevel: GcpProtectionLevel;
}

/** Checks a `kms_gcp` document, each field and the fields against each other. */
export async function validateGcpSettings(values: FieldValues): Promise<FieldProblem[]> {
  const fields = withoutBlanks(values);
  const problems = [...(await validateSettings(GcpSettingsDto, values)), ...connectionProblems(fields)];
  const complain = (field: string, message: string): unknown => problems.push({ field, message });
  const [keyName, endpoint, json] = ['key_name', 'endpoint', 'credentials_json'].map((name) =>
    textOfField(fields, name),
  );
  if (keyName !== undefined && !isGcpKeyName(keyName)) {
    complain('key_name', 'key_name is a name of letters, digits, _ and -, or projects/…/cryptoKeys/…');
  }
  if (endpoint !== undefined && isURL(endpoint, ADDRESS) && new URL(endpoint).pathname !== '/') {
    complain('endpoint', 'endpoint must have no path');
  }
  if (json !== undefined && 'credentials_file' in fields) {
    complain('credentials_json', 'give either credentials_file or credentials_json, not both');
  }
  const problem = json === undefined ? undefined : credentialsProblem(json);
  if (problem !== undefined) {
    complain('credentials_json', `credentials_json ${problem}`);
  }
  return problems;
}

/** Makes settings of validated fields. */
export function gcpSettings(values: FieldValues): GcpSettings {
  const fields = withoutBlanks(values);
  const text = (name: string): string | undefined => textOfField(fields, name);
  const json = text('credentials_json');
  return {
    ring: `projects/${text('project')}/locations/${text('location')}/keyRings/${text('key_ring')}`,
    keyName: text('key_name') ?? '',
    credentialsFile: text('credentials_file'),
    credentialsJson: json === undefined ? undefined : new Secret(json),
    // Spelled out, so that GOOGLE_CLOUD_UNIVERSE_DOMAIN cannot send data keys elsewhere.
    endpoint: new URL(text('endpoint') ?? PUBLIC_ENDPOINT).origin,
    createKey: fields['create_key'] === true,
    protectionLevel: text('protection_level') === 'HSM' ? 'HSM' : 'SOFTWARE',
    ...connectionSettings(fields),
  };
}
