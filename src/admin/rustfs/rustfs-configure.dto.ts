import { ApiProperty, ApiPropertyOptional } from '@nestjs/swagger';
import { Type } from 'class-transformer';
import { IsBoolean, IsDefined, IsIn, IsInt, IsOptional, IsString, Min, ValidateNested } from 'class-validator';

export const BACKEND_TYPES = [
  'Local',
  'local',
  'Static',
  'static',
  'Vault',
  'VaultKV2',
  'vault',
  'vault-kv2',
  'VaultTransit',
  'vault-transit',
  'vault_transit',
  'AWS',
  'Aws',
  'aws',
  'aws-kms',
  'aws_kms',
] as const;

const OptionalText = (): PropertyDecorator => (target, property) => {
  ApiPropertyOptional({ type: String })(target, property);
  IsOptional()(target, property);
  IsString()(target, property);
};

const OptionalCount =
  (description: string): PropertyDecorator =>
  (target, property) => {
    ApiPropertyOptional({ type: Number, minimum: 1, description })(target, property);
    IsOptional()(target, property);
    IsInt()(target, property);
    Min(1)(target, property);
  };

const OptionalFlag = (): PropertyDecorator => (target, property) => {
  ApiPropertyOptional({ type: Boolean })(target, property);
  IsOptional()(target, property);
  IsBoolean()(target, property);
};

class TokenAuthDto {
  @ApiProperty({ description: 'Blank keeps the stored one', writeOnly: true })
  @IsString()
  token!: string;
}

class RefreshingAuthDto {
  @OptionalCount('Accepted for the sake of clients; tokens are renewed at half their time here')
  refresh_safety_window_secs?: number;
}

class AppRoleAuthDto extends RefreshingAuthDto {
  @ApiProperty()
  @IsString()
  role_id!: string;

  @OptionalText()
  secret_id?: string;

  @OptionalText()
  secret_id_file?: string;

  @OptionalText()
  mount?: string;
}

class KubernetesAuthDto extends RefreshingAuthDto {
  @ApiProperty()
  @IsString()
  role!: string;

  @OptionalText()
  mount?: string;

  @OptionalText()
  jwt_path?: string;
}

class TokenFileAuthDto extends RefreshingAuthDto {
  @ApiProperty()
  @IsString()
  path!: string;

  @OptionalCount('Accepted for the sake of clients; the file is read again when it changes')
  poll_interval_secs?: number;
}

/** Exactly one of the members. */
export class RustfsAuthMethodDto {
  @ApiPropertyOptional({ type: TokenAuthDto })
  @IsOptional()
  @ValidateNested()
  @Type(() => TokenAuthDto)
  Token?: TokenAuthDto;

  @ApiPropertyOptional({ type: AppRoleAuthDto })
  @IsOptional()
  @ValidateNested()
  @Type(() => AppRoleAuthDto)
  AppRole?: AppRoleAuthDto;

  @ApiPropertyOptional({ type: KubernetesAuthDto })
  @IsOptional()
  @ValidateNested()
  @Type(() => KubernetesAuthDto)
  Kubernetes?: KubernetesAuthDto;

  @ApiPropertyOptional({ type: TokenFileAuthDto })
  @IsOptional()
  @ValidateNested()
  @Type(() => TokenFileAuthDto)
  TokenFile?: TokenFileAuthDto;
}

/** Every member that RustFS' configuration requests may have; which of them, `backend_type` decides. */
export class RustfsConfigureDto {
  @ApiProperty({ enum: BACKEND_TYPES })
  @IsDefined({ message: 'backend_type is missing' })
  @IsIn(BACKEND_TYPES)
  backend_type!: string;

  @OptionalText()
  default_key_id?: string;

  @OptionalCount('Seconds for one attempt; at most 300')
  timeout_seconds?: number;

  @OptionalCount('At most 10')
  retry_attempts?: number;

  @OptionalFlag()
  enable_cache?: boolean;

  @OptionalCount('Unwrapped data keys in memory')
  max_cached_keys?: number;

  @OptionalCount('At most 3600')
  cache_ttl_seconds?: number;

  @OptionalFlag()
  allow_insecure_dev_defaults?: boolean;

  @OptionalText()
  key_dir?: string;

  @OptionalText()
  master_key?: string;

  @ApiPropertyOptional({ type: Number })
  @IsOptional()
  @IsInt()
  file_permissions?: number;

  @OptionalText()
  address?: string;

  @ApiPropertyOptional({ type: RustfsAuthMethodDto })
  @IsOptional()
  @ValidateNested()
  @Type(() => RustfsAuthMethodDto)
  auth_method?: RustfsAuthMethodDto;

  @OptionalText()
  namespace?: string;

  @OptionalText()
  mount_path?: string;

  @OptionalFlag()
  skip_tls_verify?: boolean;

  @OptionalText()
  kv_mount?: string;

  @OptionalText()
  key_path_prefix?: string;

  @OptionalText()
  key_id?: string;

  @OptionalText()
  secret_key?: string;

  @OptionalText()
  region?: string;

  @OptionalText()
  endpoint_url?: string;
}
