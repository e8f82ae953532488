import { IsBoolean, IsOptional, IsString, Matches, registerDecorator } from 'class-validator';
import { Secret } from '../../common/secret';
import type { FieldDefinition, FieldValues } from '../../config/subsystem';
import { withoutBlanks } from '../settings-validation';
import { parseMinioSecretKey, type MinioStaticKey } from './builtin-minio-ciphertext';

export const DEFAULT_BUILTIN_KEY = 'strongroom-default';

export const BUILTIN_FIELDS: readonly FieldDefinition[] = [
  {
    name: 'enabled',
    type: 'boolean',
    default: true,
    description: 'Whether SSE-KMS may use keys of the embedded keyring. SSE-S3 always does.',
  },
  {
    name: 'key_name',
    type: 'string',
    description: `Key used when a request names none; made on first use. ${DEFAULT_BUILTIN_KEY}, or the imported MinIO key, unless set.`,
    example: 'company-default',
  },
  {
    name: 'minio_secret_key',
    type: 'string',
    secret: true,
    aliases: ['secret_key'],
    description:
      'A MinIO static key, <name>:<base64 of 32 bytes>, imported so that what MinIO encrypted with it can be read.',
    example: 'my-minio-key:<base64 of 32 bytes>',
  },
  { name: 'comment', type: 'string', description: 'Free text.' },
];

/** Fields of a `kms_builtin` document. */
export class BuiltinSettingsDto {
  @IsOptional()
  @IsBoolean()
  enabled?: boolean;

  @IsOptional()
  @Matches(/^\w(?:[\w.@+=-]{0,126}\w)?$/, { message: 'key_name must have 1 to 128 letters, digits and . _ - @ + =' })
  key_name?: string;

  @IsOptional()
  @IsMinioSecretKey()
  minio_secret_key?: string;

  @IsOptional()
  @IsString()
  comment?: string;
}

/** Settings of the embedded keyring, ready for use. */
export interface BuiltinSettings {
  readonly defaultKeyId: string;
  readonly staticKey: Secret<MinioStaticKey> | undefined;
}

/** Makes settings of validated fields. */
export function builtinSettings(values: FieldValues): BuiltinSettings {
  const fields = withoutBlanks(values);
  const staticKey = parseMinioSecretKey(String(fields['minio_secret_key'] ?? ''));
  return {
    defaultKeyId: String(fields['key_name'] ?? staticKey?.name ?? DEFAULT_BUILTIN_KEY),
    staticKey: staticKey && new Secret(staticKey),
  };
}

function IsMinioSecretKey(): PropertyDecorator {
  return (target, property) => {
    registerDecorator({
      name: 'isMinioSecretKey',
      target: target.constructor,
      propertyName: String(property),
      options: { message: 'minio_secret_key must be <name>:<base64 of 32 bytes>' },
      validator: {
        validate: (value: unknown) => typeof value === 'string' && parseMinioSecretKey(value) !== undefined,
      },
    });
  };
}
