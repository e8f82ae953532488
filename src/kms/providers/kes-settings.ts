import { IsBoolean, IsOptional, Matches, registerDecorator } from 'class-validator';
import { Secret } from '../../common/secret';
import type { FieldDefinition, FieldProblem, FieldValues } from '../../config/subsystem';
import { IsEndpointList } from '../settings-rules';
import { validateSettings, withoutBlanks } from '../settings-validation';
import { CALL_FIELDS, COMMENT_FIELD, TLS_FIELDS } from './connection-fields';
import {
  connectionProblems,
  connectionSettings,
  type ConnectionSettings,
  type GivenFields,
} from './connection-settings';
import { ConnectionDto } from './connection.dto';
import { splitEndpoints } from './endpoint-list';
import { isKesApiKey, kesIdentity } from './kes-api-key';

/** The names KES accepts, so that no other path can be reached. */
export const KES_KEY_NAME = /^(?!_$)\w(?:[\w-]{0,78}\w)?$/;

export const KES_FIELDS: readonly FieldDefinition[] = [
  { name: 'enabled', type: 'boolean', default: true, description: 'Whether this KES is used.' },
  {
    name: 'endpoint',
    type: 'string',
    description: 'Address of KES, or the addresses of its servers separated by commas.',
    example: 'https://kes.example.com:7373',
  },
  { name: 'key_name', type: 'string', description: 'Key used when a request names none.', example: 'strongroom' },
  {
    name: 'api_key',
    type: 'string',
    secret: true,
    description: 'API key (kes:v1:…) to authenticate with, instead of a client certificate.',
  },
  ...TLS_FIELDS,
  ...CALL_FIELDS,
  {
    name: 'create_key',
    type: 'boolean',
    default: false,
    description: 'Create key_name in KES when it does not exist.',
  },
  COMMENT_FIELD,
];

/** Fields of a `kms_kes` document. */
export class KesSettingsDto extends ConnectionDto {
  @IsEndpointList(
    ['https'],
    'endpoint must be an https address such as https://kes.example.com:7373, without credentials, or several separated by commas',
  )
  endpoint!: string;

  @Matches(KES_KEY_NAME, { message: 'key_name is required and has up to 80 letters, digits and _ - only' })
  key_name!: string;

  @IsOptional()
  @IsKesApiKey()
  api_key?: string;

  @IsOptional()
  @IsBoolean()
  create_key?: boolean;
}

/** Settings of one KES target, ready for use. */
export interface KesSettings extends ConnectionSettings {
  readonly endpoints: readonly string[];
  readonly keyName: string;
  /** The name KES knows the API key by; undefined when a certificate file is used. */
  readonly identity?: string;
  readonly createKey: boolean;
}

/** Checks a `kms_kes` document, each field and the fields against each other. */
export async function validateKesSettings(values: FieldValues): Promise<FieldProblem[]> {
  return [...(await validateSettings(KesSettingsDto, values)), ...combinationProblems(withoutBlanks(values))];
}

/** Makes settings of validated fields. */
export function kesSettings(values: FieldValues): KesSettings {
  const fields = withoutBlanks(values);
  const apiKey = fields['api_key'];
  const identity = apiKey === undefined ? undefined : kesIdentity(String(apiKey));
  const connection = connectionSettings(fields);
  const clientKeyPair = identity && new Secret({ cert: identity.cert, key: identity.key });
  return {
    ...connection,
    tls: { ...connection.tls, clientKeyPair },
    endpoints: splitEndpoints(String(fields['endpoint'])),
    keyName: String(fields['key_name']),
    identity: identity?.identity,
    createKey: fields['create_key'] === true,
  };
}

function combinationProblems(fields: GivenFields): FieldProblem[] {
  const problems = connectionProblems(fields);
  const hasCertificate = 'client_cert_file' in fields || 'client_key_file' in fields;
  if (!('api_key' in fields) && !hasCertificate) {
    problems.push({ field: 'api_key', message: 'give api_key, or client_cert_file with client_key_file' });
  }
  if ('api_key' in fields && hasCertificate) {
    problems.push({ field: 'client_cert_file', message: 'give either api_key or a client certificate, not both' });
  }
  return problems;
}

function IsKesApiKey(): PropertyDecorator {
  return (target, property) => {
    registerDecorator({
      name: 'isKesApiKey',
      target: target.constructor,
      propertyName: String(property),
      options: { message: 'api_key must be an API key as kes identity new prints it (kes:v1:…)' },
      validator: { validate: (value: unknown) => typeof value === 'string' && isKesApiKey(value) },
    });
  };
}
