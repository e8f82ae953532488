import { IsBoolean, IsInt, IsOptional, Matches, Min } from 'class-validator';
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

export const TRANSIT_KEY_NAME = /^\w(?:[\w.-]*\w)?$/;

export const VAULT_FIELDS: readonly FieldDefinition[] = [
  { name: 'enabled', type: 'boolean', default: true, description: 'Whether this Vault is used.' },
  VAULT_ENDPOINT_FIELD,
  {
    name: 'key_name',
    type: 'string',
    description: 'Transit key used when a request names none.',
    example: 'strongroom',
  },
  ...VAULT_AUTH_FIELDS,
  { name: 'mount_path', type: 'string', default: 'transit', description: 'Mount path of the transit secrets engine.' },
  VAULT_NAMESPACE_FIELD,
  ...TLS_FIELDS,
  { name: 'key_version', type: 'integer', description: 'Version of key_name to wrap with; the latest unless set.' },
  ...CALL_FIELDS,
  {
    name: 'create_key',
    type: 'boolean',
    default: false,
    description: 'Create key_name in Vault when it does not exist.',
  },
  COMMENT_FIELD,
];

/** Fields of a `kms_vault` document. */
export class VaultSettingsDto extends VaultConnectionDto {
  @Matches(TRANSIT_KEY_NAME, { message: 'key_name is required and has letters, digits and . _ - only' })
  key_name!: string;

  @IsOptional()
  @IsMountPath('transit')
  mount_path?: string;

  @IsOptional()
  @IsInt()
  @Min(1)
  key_version?: number;

  @IsOptional()
  @IsBoolean()
  create_key?: boolean;
}

/** Settings of one Vault target, ready for use. */
export interface VaultSettings extends VaultConnectionSettings {
  readonly keyName: string;
  readonly mountPath: string;
  readonly keyVersion?: number;
  readonly createKey: boolean;
}

/** Checks a `kms_vault` document, each field and the fields against each other. */
export async function validateVaultSettings(values: FieldValues): Promise<FieldProblem[]> {
  return [...(await validateSettings(VaultSettingsDto, values)), ...vaultConnectionProblems(values)];
}

/** Makes settings of validated fields. */
export function vaultSettings(values: FieldValues): VaultSettings {
  const fields = withoutBlanks(values);
  return {
    ...vaultConnectionSettings(values),
    keyName: String(fields['key_name']),
    mountPath: String(fields['mount_path'] ?? 'transit'),
    keyVersion: typeof fields['key_version'] === 'number' ? fields['key_version'] : undefined,
    createKey: fields['create_key'] === true,
  };
}
