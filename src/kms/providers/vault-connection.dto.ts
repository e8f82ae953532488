import { IsIn, IsOptional, IsString, Matches } from 'class-validator';
import { IsEndpointList } from '../settings-rules';
import { ConnectionDto } from './connection.dto';
import { VAULT_AUTH_TYPES, type VaultAuthType } from './vault-connection-fields';

const MOUNT_PATH = /^\w(?:[\w.-]*\w)?(?:\/\w(?:[\w.-]*\w)?)*$/;

/** A path that an engine or auth method can be mounted at. */
export function IsMountPath(example: string): PropertyDecorator {
  return Matches(MOUNT_PATH, {
    message: `$property must be a mount path such as ${example}, without leading or trailing slash`,
  });
}

/** Fields that every configuration document about a Vault has. */
export class VaultConnectionDto extends ConnectionDto {
  @IsEndpointList(
    ['http', 'https'],
    'endpoint must be an http or https address such as https://vault.example.com:8200, without credentials, or several separated by commas',
  )
  endpoint!: string;

  @IsOptional()
  @IsString()
  token?: string;

  @IsOptional()
  @IsString()
  token_file?: string;

  @IsOptional()
  @IsIn(VAULT_AUTH_TYPES)
  auth_type?: VaultAuthType;

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
  @IsMountPath('approle')
  auth_approle_mount?: string;

  @IsOptional()
  @IsString()
  auth_kubernetes_role?: string;

  @IsOptional()
  @IsMountPath('kubernetes')
  auth_kubernetes_mount?: string;

  @IsOptional()
  @IsString()
  auth_kubernetes_jwt_file?: string;

  @IsOptional()
  @IsString()
  auth_jwt_role?: string;

  @IsOptional()
  @IsMountPath('jwt')
  auth_jwt_mount?: string;

  @IsOptional()
  @IsString()
  auth_jwt_token?: string;

  @IsOptional()
  @IsString()
  auth_jwt_file?: string;

  @IsOptional()
  @IsString()
  auth_cert_role?: string;

  @IsOptional()
  @IsMountPath('cert')
  auth_cert_mount?: string;

  @IsOptional()
  @Matches(/^[\w.-]+(?:\/[\w.-]+)*\/?$/, { message: 'namespace must be a path such as team-a or team-a/project' })
  namespace?: string;
}
