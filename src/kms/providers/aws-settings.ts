import { IsInt, IsOptional, IsString, IsUrl, Matches, Max, Min } from 'class-validator';
import { Secret } from '../../common/secret';
import type { FieldDefinition, FieldProblem, FieldValues } from '../../config/subsystem';
import { validateSettings, withoutBlanks } from '../settings-validation';
import { CALL_FIELDS, COMMENT_FIELD, TLS_FIELDS } from './connection-fields';
import { connectionProblems, connectionSettings, textOfField, type ConnectionSettings } from './connection-settings';
import { ConnectionDto } from './connection.dto';

const KEY_NAME = /^(?:arn:aws[a-z-]*:kms:[a-z0-9-]+:\d{12}:(?:key|alias)\/[\w/-]+|[\w/-]+)$/;

export const AWS_FIELDS: readonly FieldDefinition[] = [
  { name: 'enabled', type: 'boolean', default: true, description: 'Whether this AWS KMS is used.' },
  { name: 'region', type: 'string', description: 'AWS region of the keys.', example: 'eu-central-1' },
  {
    name: 'key_name',
    type: 'string',
    aliases: ['key_id'],
    description: 'Key used when a request names none: a key id, an alias with or without alias/, or the ARN of either.',
    example: 'alias/strongroom',
  },
  {
    name: 'access_key',
    type: 'string',
    description: "Access key id. Without it the SDK's default chain finds credentials (environment, profile, role).",
  },
  { name: 'secret_key', type: 'string', secret: true, description: 'Secret access key of access_key.' },
  {
    name: 'session_token',
    type: 'string',
    secret: true,
    description: 'Session token of temporary credentials, which expire and are not renewed.',
  },
  {
    name: 'endpoint',
    type: 'url',
    aliases: ['endpoint_url'],
    description: "Address of the service, for VPC, FIPS and emulated endpoints; the region's public one unless set.",
    example: 'https://kms-fips.us-east-1.amazonaws.com',
  },
  {
    name: 'rotation_days',
    type: 'integer',
    description: 'Turns on automatic rotation, every 90 to 2560 days, for keys created from here.',
  },
  ...TLS_FIELDS,
  ...CALL_FIELDS,
  COMMENT_FIELD,
];

/** Fields of a `kms_aws` document. */
export class AwsSettingsDto extends ConnectionDto {
  @Matches(/^[a-z]{2,}(?:-[a-z]+)+-\d+$/, { message: 'region is required and looks like eu-central-1' })
  region!: string;

  @Matches(KEY_NAME, { message: 'key_name is required: a key id, an alias, or the ARN of either' })
  key_name!: string;

  @IsOptional()
  @Matches(/^\w{3,128}$/, { message: 'access_key must be an AWS access key id' })
  access_key?: string;

  @IsOptional()
  @IsString()
  secret_key?: string;

  @IsOptional()
  @IsString()
  session_token?: string;

  @IsOptional()
  @IsUrl(
    {
      protocols: ['http', 'https'],
      require_protocol: true,
      require_tld: false,
      disallow_auth: true,
      allow_query_components: false,
      allow_fragments: false,
    },
    { message: 'endpoint must be an http or https address without credentials in it' },
  )
  endpoint?: string;

  @IsOptional()
  @IsInt()
  @Min(90)
  @Max(2560)
  rotation_days?: number;
}

/** Settings of one AWS KMS target, ready for use. Times are milliseconds. */
export interface AwsSettings extends ConnectionSettings {
  readonly region: string;
  /** As configured: key id, alias, or the ARN of either. */
  readonly keyName: string;
  /** Absent: the SDK's default credential chain. */
  readonly credentials?: {
    readonly accessKeyId: string;
    readonly secretKey: Secret;
    readonly sessionToken?: Secret;
  };
  readonly endpoint: string;
  readonly rotationDays?: number;
}

/** Checks a `kms_aws` document, each field and the fields against each other. */
export async function validateAwsSettings(values: FieldValues): Promise<FieldProblem[]> {
  const fields = withoutBlanks(values);
  const problems = [...(await validateSettings(AwsSettingsDto, values)), ...connectionProblems(fields)];
  const complain = (field: string, message: string): unknown => problems.push({ field, message });
  if ('access_key' in fields !== 'secret_key' in fields) {
    complain('secret_key', 'access_key and secret_key go together');
  }
  if ('session_token' in fields && !('access_key' in fields)) {
    complain('session_token', 'session_token needs access_key and secret_key');
  }
  const region = String(fields['region'] ?? '');
  const arnRegion = /^arn:[^:]+:kms:([^:]+):/.exec(String(fields['key_name'] ?? ''))?.[1];
  if (arnRegion !== undefined && arnRegion !== region) {
    complain('key_name', `the key is in region ${arnRegion}, not in ${region}`);
  }
  if (!('endpoint' in fields) && /^us-(?:iso|isob)/.test(region)) {
    complain('endpoint', 'give the endpoint of this isolated region');
  }
  return problems;
}

/** Makes settings of validated fields. */
export function awsSettings(values: FieldValues): AwsSettings {
  const fields = withoutBlanks(values);
  const text = (name: string): string | undefined => textOfField(fields, name);
  const region = text('region') ?? '';
  const [accessKeyId, sessionToken] = [text('access_key'), text('session_token')];
  return {
    region,
    keyName: text('key_name') ?? '',
    credentials:
      accessKeyId === undefined
        ? undefined
        : {
            accessKeyId,
            secretKey: new Secret(text('secret_key') ?? ''),
            sessionToken: sessionToken === undefined ? undefined : new Secret(sessionToken),
          },
    endpoint: (text('endpoint') ?? publicEndpoint(region)).replace(/\/+$/, ''),
    rotationDays: typeof fields['rotation_days'] === 'number' ? fields['rotation_days'] : undefined,
    ...connectionSettings(fields),
  };
}

/** Spelled out, so that AWS_ENDPOINT_URL and its kin cannot send data keys elsewhere. */
function publicEndpoint(region: string): string {
  if (region.startsWith('cn-')) {
    return `https://kms.${region}.amazonaws.com.cn`;
  }
  return `https://kms.${region}.${region.startsWith('eusc-') ? 'amazonaws.eu' : 'amazonaws.com'}`;
}
