import { ApiProperty, ApiPropertyOptional } from '@nestjs/swagger';
import { IsOptional, IsString, Matches, MaxLength } from 'class-validator';

const MAX_KEY_REFERENCE = 512;
const KMS_NAME = /^[a-z][a-z0-9_]*:[A-Za-z0-9_][A-Za-z0-9._-]*$/;

/** The key of a request as mc and MinIO's clients name it. */
export class KeyQuery {
  @ApiPropertyOptional({
    description: '`key`, `target/key` or `type:target/key`; the default key without it',
    example: 'app-key',
  })
  @IsOptional()
  @IsString()
  @MaxLength(MAX_KEY_REFERENCE)
  'key-id'?: string;
}

/** The key of a request as RustFS' clients name it. */
export class KeyBody {
  @ApiPropertyOptional({ description: 'Instead of the key-id parameter', example: 'app-key' })
  @IsOptional()
  @IsString()
  @MaxLength(MAX_KEY_REFERENCE)
  key_id?: string;
}

/** Which keys to list. */
export class KeyListQuery {
  @ApiPropertyOptional({ description: '`*` and `?` are wildcards; without them a prefix', example: 'app-*' })
  @IsOptional()
  @IsString()
  @MaxLength(MAX_KEY_REFERENCE)
  pattern?: string;

  @ApiPropertyOptional({ description: '`type:target`; the default KMS without it', example: 'vault:default' })
  @IsOptional()
  @Matches(KMS_NAME, { message: 'kms must look like vault:default' })
  kms?: string;
}

export class KmsLastErrorDto {
  @ApiProperty({ example: 'kms-unavailable' })
  kind!: string;

  @ApiProperty()
  message!: string;

  @ApiProperty()
  at!: Date;
}

/** One KMS as this process sees it. */
export class KeyProbeDto {
  @ApiProperty({ enum: ['passing', 'failing', 'unknown'] })
  state!: string;

  @ApiProperty()
  consecutiveFailures!: number;

  @ApiPropertyOptional()
  lastRound?: Date;

  @ApiPropertyOptional()
  lastSuccess?: Date;

  @ApiPropertyOptional({ example: 'kms-timeout' })
  lastError?: string;
}

export class KmsTargetDto {
  @ApiProperty({ example: 'vault:default' })
  kms!: string;

  @ApiProperty({ example: 'vault' })
  type!: string;

  @ApiProperty({ example: 'default' })
  target!: string;

  @ApiProperty({ description: 'Used where a request names no KMS' })
  isDefault!: boolean;

  @ApiProperty({ enum: ['online', 'offline', 'unknown'] })
  health!: string;

  @ApiProperty({ enum: ['closed', 'open', 'half-open'] })
  breaker!: string;

  @ApiProperty({ example: 'app-key' })
  defaultKeyId!: string;

  @ApiProperty({ description: 'Configuration version; 0 for the built-in default' })
  version!: number;

  @ApiPropertyOptional({ type: 'object', additionalProperties: { type: 'boolean' } })
  capabilities?: object;

  @ApiPropertyOptional({ type: KmsLastErrorDto })
  lastError?: KmsLastErrorDto;

  @ApiPropertyOptional()
  lastContact?: Date;

  @ApiPropertyOptional({ type: KeyProbeDto, description: 'Whether the default key was lately proved to work' })
  probe?: KeyProbeDto;
}

/** What MinIO's clients want to know of the machine that keys come through, in their spelling. */
export class ProgramStateDto {
  @ApiProperty({ example: '0.1.0' })
  Version!: string;

  @ApiProperty()
  KeyStoreReachable!: boolean;

  @ApiProperty()
  KeystoreAvailable!: boolean;

  @ApiProperty({ example: 'linux' })
  OS!: string;

  @ApiProperty({ example: 'x64' })
  Arch!: string;

  @ApiProperty({ description: 'Nanoseconds' })
  UpTime!: number;

  @ApiProperty()
  CPUs!: number;

  @ApiProperty()
  UsableCPUs!: number;

  @ApiProperty({ description: 'Bytes' })
  HeapAlloc!: number;
}

/** The status in MinIO's, RustFS' and Strongroom's spelling at once. */
export class KmsStatusDto {
  @ApiProperty({ example: 'Strongroom vault:default', description: 'As in MinIO' })
  name!: string;

  @ApiProperty({ example: 'app-key', description: 'As in MinIO' })
  'default-key-id'!: string;

  @ApiProperty({
    type: 'object',
    additionalProperties: { type: 'string', enum: ['online', 'offline', 'initializing'] },
    example: { 'vault:default': 'online' },
    description: 'As in MinIO',
  })
  endpoints!: Record<string, string>;

  @ApiProperty({ type: ProgramStateDto, description: 'As in MinIO: this process, which stands where KES would' })
  state!: ProgramStateDto;

  @ApiProperty({ example: 'vault', description: 'As in RustFS' })
  backend_type!: string;

  @ApiProperty({ enum: ['healthy', 'unhealthy', 'unknown'], description: 'As in RustFS' })
  backend_status!: string;

  @ApiProperty({ example: 'app-key', description: 'As in RustFS' })
  default_key_id!: string;

  @ApiProperty({ type: [KmsTargetDto] })
  targets!: readonly KmsTargetDto[];
}

export class KeyVersionDto {
  @ApiProperty({ example: '3' })
  version!: string;

  @ApiPropertyOptional()
  createdAt?: Date;
}

/** A key and the KMS it lives in. */
export class KmsKeyDto {
  @ApiProperty({ example: 'app-key' })
  key_id!: string;

  @ApiProperty({ example: 'vault:default' })
  kms!: string;

  @ApiProperty({ enum: ['enabled', 'disabled', 'pending-deletion'] })
  state!: string;

  @ApiProperty({ example: 'aes256-gcm96' })
  algorithm!: string;

  @ApiPropertyOptional({ example: '3' })
  latest_version?: string;

  @ApiPropertyOptional({ description: 'The version that wraps data keys, where the settings pin one', example: '2' })
  wrapping_version?: string;

  @ApiPropertyOptional({ type: [KeyVersionDto] })
  versions?: readonly KeyVersionDto[];

  @ApiPropertyOptional()
  created_at?: Date;

  @ApiPropertyOptional()
  created_by?: string;

  @ApiPropertyOptional()
  deletion_date?: Date;

  @ApiPropertyOptional({
    description: 'True where this store keeps and enforces the state, because the KMS has none and would serve others',
  })
  state_kept_here?: boolean;
}

/** An entry of a listing, in MinIO's shape. */
export class KeyListEntryDto {
  @ApiProperty({ example: 'app-key' })
  name!: string;

  @ApiProperty({ description: 'The year 1 where the KMS does not tell', example: '2026-11-23T12:00:00.000Z' })
  createdAt!: string;

  @ApiProperty({ description: 'Empty where the KMS does not tell' })
  createdBy!: string;
}

/** Whether a data key could be made and unwrapped, in MinIO's shape; 200 even when it could not. */
export class KeyTrialDto {
  @ApiProperty({ example: 'app-key' })
  'key-id'!: string;

  @ApiPropertyOptional({ description: 'The key version that wrapped, where the KMS tells', example: '3' })
  version?: string;

  @ApiPropertyOptional({ description: 'Why no data key could be made' })
  'encryption-error'?: string;

  @ApiPropertyOptional({ description: 'Why the data key could not be unwrapped' })
  'decryption-error'?: string;
}

export class KmsVersionDto {
  @ApiProperty({ example: '0.1.0' })
  version!: string;
}

export class KmsApiDto {
  @ApiProperty({ example: 'GET' })
  Method!: string;

  @ApiProperty({ example: '/minio/kms/v1/status' })
  Path!: string;

  @ApiProperty({ description: 'Bytes' })
  MaxBody!: number;

  @ApiProperty({ description: 'Seconds' })
  Timeout!: number;
}

/** Counters in the names of MinIO's server and of its client library, which differ. */
export class KmsMetricsDto {
  @ApiProperty()
  kms_req_success!: number;

  @ApiProperty()
  kms_req_error!: number;

  @ApiProperty()
  kms_req_failure!: number;

  @ApiProperty({ type: 'object', additionalProperties: { type: 'integer' }, description: 'Upper bound in ns → calls' })
  kms_resp_time!: Record<string, number>;

  @ApiProperty()
  kes_http_request_success!: number;

  @ApiProperty()
  kes_http_request_error!: number;

  @ApiProperty()
  kes_http_request_failure!: number;

  @ApiProperty({ description: 'Calls under way' })
  kes_http_request_active!: number;

  @ApiProperty({ type: 'object', additionalProperties: { type: 'integer' }, description: 'Upper bound in ns → calls' })
  kes_http_response_time!: Record<string, number>;

  @ApiProperty({ description: 'Nanoseconds' })
  kes_system_up_time!: number;

  @ApiProperty()
  kes_system_num_cpu!: number;

  @ApiProperty()
  kes_system_num_cpu_used!: number;

  @ApiProperty({ description: 'Bytes' })
  kes_system_mem_heap_used!: number;
}
