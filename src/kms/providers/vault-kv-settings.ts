import { IsBoolean, IsIn, IsOptional, Matches } from 'class-validator';
import type { FieldDefinition, FieldProblem, FieldValues } from '../../config/subsystem';
import { validateSettings, withoutBlanks } from '../settings-validation';
import { CALL_FIELDS, COMMENT_FIELD, TLS_FIELDS } from './connection-fields';
import { VAULT_AUTH_FIELDS, VAULT_ENDPOINT_FIELD, VAULT_NAMESPACE_FIELD } from './vault-connection-fields';
import {
  vaultConnectionProblems,
  vaultConnectionSettings,
  type VaultConnectionSettings,
} from './vault-connection-settings';
import { IsMountPath, VaultConnectionDto } from './vault-connection.dto';

/** Names of keys: one segment of a path. */
export const KV_KEY_NAME = /^\w(?:[\w.-]{0,126}\w)?$/;

export type KvVersion = '1' | '2';

export const VAULT_KV_FIELDS: readonly FieldDefinition[] = [
  { name: 'enabled', type: 'boolean', default: true, description: 'Whether this Vault is used.' },
  VAULT_ENDPOINT_FIELD,
  {
    name: 'key_name',
    type: 'string',
    description: 'Key used when a request names none.',
    example: 'strongroom',
  },
  ...VAULT_AUTH_FIELDS,
  {
    name: 'mount_path',
    type: 'string',
    default: 'secret',
    description:
      'Mount path of the KV secrets engine. Keys lie in it as plain text: whoever may read them there can read every object.',
  },
  {
    name: 'kv_version',
    type: 'enum',
    values: ['auto', '1', '2'],
    default: 'auto',
    description: 'Version of the KV secrets engine; RustyVault has version 1.',
  },
  {
    name: 'key_prefix',
    type: 'string',
    default: 'strongroom/keys',
    description: 'Path in the engine below which the keys lie.',
  },
  VAULT_NAMESPACE_FIELD,
  ...TLS_FIELDS,
  ...CALL_FIELDS,
  {
    name: 'create_key',
    type: 'boolean',
    default: false,
    description: 'Create key_name when it does not exist.',
  },
  COMMENT_FIELD,
];

/** Fields of a `kms_vault_kv` document. */
export class VaultKvSettingsDto extends VaultConnectionDto {
  @Matches(KV_KEY_NAME, { message: 'key_name is required and has up to 128 letters, digits and . _ - only' })
  key_name!: string;

  @IsOptional()
  @IsMountPath('secret')
  mount_path?: string;

  @IsOptional()
  @IsIn(['auto', '1', '2'])
  kv_version?: 'auto' | KvVersion;

  @IsOptional()
  @IsMountPath('strongroom/keys')
  key_prefix?: string;

  @IsOptional()
  @IsBoolean()
  create_key?: boolean;
}

/** Settings of one Vault whose KV engine holds the keys, ready for use. */
export interface VaultKvSettings extends VaultConnectionSettings {
  readonly keyName: string;
  readonly mountPath: string;
  /** Undefined is to be found out. */
  readonly kvVersion?: KvVersion;
  readonly keyPrefix: string;
  readonly createKey: boolean;
}

/** Checks a `kms_vault_kv` document, each field and the fields against each other. */
export async function validateVaultKvSettings(values: FieldValues): Promise<FieldProblem[]> {
  return [...(await validateSettings(VaultKvSettingsDto, values)), ...vaultConnectionProblems(values)];
}

/** Makes settings of validated fields. */
export function vaultKvSettings(values: FieldValues): VaultKvSettings {
  const fields = withoutBlanks(values);
  const version = fields['kv_version'];
  return {
    ...vaultConnectionSettings(values),
    keyName: String(fields['key_name']),
    mountPath: String(fields['mount_path'] ?? 'secret'),
    kvVersion: version === '1' || version === '2' ? version : undefined,
    keyPrefix: String(fields['key_prefix'] ?? 'strongroom/keys'),
    createKey: fields['create_key'] === true,
  };
}
