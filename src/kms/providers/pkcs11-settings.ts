import { IsBoolean, IsInt, IsOptional, IsString, Matches, Max, Min } from 'class-validator';
import { Secret } from '../../common/secret';
import type { FieldDefinition, FieldProblem, FieldValues } from '../../config/subsystem';
import { IsAttemptTime } from '../settings-rules';
import { validateSettings, withoutBlanks } from '../settings-validation';
import { CALL_FIELDS, COMMENT_FIELD } from './connection-fields';
import { connectionSettings, textOfField } from './connection-settings';

/** Labels of keys that a key reference can name. */
// eslint-disable-next-line no-control-regex -- labels from elsewhere may hold anything
export const PKCS11_KEY_LABEL = /^[^/\u0000-\u001f\u007f]{1,128}$/;

export const PKCS11_FIELDS: readonly FieldDefinition[] = [
  { name: 'enabled', type: 'boolean', default: true, description: 'Whether this HSM is used.' },
  {
    name: 'library',
    type: 'path',
    description: 'PKCS#11 library of the HSM. It runs inside this program.',
    example: '/usr/lib/softhsm/libsofthsm2.so',
  },
  { name: 'slot', type: 'integer', description: 'Id of the slot with the token; or give token_label.' },
  { name: 'token_label', type: 'string', description: 'Label of the token, in whichever slot.', example: 'strongroom' },
  { name: 'pin', type: 'string', secret: true, description: 'PIN of the user of the token.' },
  { name: 'pin_file', type: 'path', description: 'File with the PIN, instead of pin.' },
  {
    name: 'key_name',
    type: 'string',
    description: 'Label of the AES-256 key used when a request names none.',
    example: 'strongroom',
  },
  ...CALL_FIELDS,
  {
    name: 'create_key',
    type: 'boolean',
    default: false,
    description: 'Create key_name in the token when it does not exist.',
  },
  COMMENT_FIELD,
];

/** Fields of a `kms_pkcs11` document. */
export class Pkcs11SettingsDto {
  @IsOptional()
  @IsBoolean()
  enabled?: boolean;

  @Matches(/^\/./, { message: 'library is required: the absolute path of a PKCS#11 library' })
  library!: string;

  @IsOptional()
  @IsInt()
  @Min(0)
  @Max(Number.MAX_SAFE_INTEGER)
  slot?: number;

  @IsOptional()
  @Matches(/^\S(?:.{0,30}\S)?$/, { message: 'token_label has up to 32 characters, none of them a space at an end' })
  token_label?: string;

  @IsOptional()
  @IsString()
  pin?: string;

  @IsOptional()
  @IsString()
  pin_file?: string;

  @Matches(PKCS11_KEY_LABEL, { message: 'key_name is required: the label of a key, up to 128 characters without /' })
  key_name!: string;

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

/** Settings of one HSM target, ready for use. Times are milliseconds. */
export interface Pkcs11Settings {
  readonly library: string;
  /** Either this or the label of the token. */
  readonly slot?: number;
  readonly tokenLabel?: string;
  /** Either this or the file. */
  readonly pin?: Secret;
  readonly pinFile?: string;
  readonly keyName: string;
  readonly timeout: number;
  readonly maxRetries: number;
  readonly createKey: boolean;
}

/** Checks a `kms_pkcs11` document, each field and the fields against each other. */
export async function validatePkcs11Settings(values: FieldValues): Promise<FieldProblem[]> {
  const fields = withoutBlanks(values);
  const problems = await validateSettings(Pkcs11SettingsDto, values);
  if ('slot' in fields === 'token_label' in fields) {
    problems.push({ field: 'token_label', message: 'give either slot or token_label' });
  }
  if ('pin' in fields === 'pin_file' in fields) {
    problems.push({ field: 'pin', message: 'give either pin or pin_file' });
  }
  return problems;
}

/** Makes settings of validated fields. */
export function pkcs11Settings(values: FieldValues): Pkcs11Settings {
  const fields = withoutBlanks(values);
  const pin = textOfField(fields, 'pin');
  const { timeout, maxRetries } = connectionSettings(fields);
  return {
    library: String(fields['library']),
    slot: typeof fields['slot'] === 'number' ? fields['slot'] : undefined,
    tokenLabel: textOfField(fields, 'token_label'),
    pin: pin === undefined ? undefined : new Secret(pin),
    pinFile: textOfField(fields, 'pin_file'),
    keyName: String(fields['key_name']),
    timeout,
    maxRetries,
    createKey: fields['create_key'] === true,
  };
}
