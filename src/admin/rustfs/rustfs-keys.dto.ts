import { ApiProperty, ApiPropertyOptional } from '@nestjs/swagger';
import { IsArray, IsBoolean, IsIn, IsInt, IsObject, IsOptional, IsString, Matches, MaxLength } from 'class-validator';
import { IsTags } from '../keys/tags.decorator';

const LONGEST_REFERENCE = 512;
const LONGEST_DESCRIPTION = 8192;

export const KEY_STATES = ['Enabled', 'Disabled', 'PendingDeletion'] as const;
export const KEY_STATUSES = ['Active', 'Disabled', 'PendingDeletion'] as const;
export const KEY_USAGES = ['EncryptDecrypt', 'SignVerify'] as const;

export class RustfsCreateKeyDto {
  @ApiPropertyOptional({ description: 'The key id, where `tags.name` does not give it', example: 'app-key' })
  @IsOptional()
  @IsString()
  @MaxLength(LONGEST_REFERENCE)
  key_id?: string;

  @ApiPropertyOptional({ enum: ['EncryptDecrypt'] })
  @IsOptional()
  @IsIn(['EncryptDecrypt'], { message: 'key_usage must be EncryptDecrypt; there are no keys for signing' })
  key_usage?: string;

  @ApiPropertyOptional({ maxLength: LONGEST_DESCRIPTION })
  @IsOptional()
  @IsString()
  @MaxLength(LONGEST_DESCRIPTION)
  description?: string;

  @ApiPropertyOptional({
    type: 'object',
    additionalProperties: { type: 'string' },
    description: 'The tag `name` is the id of the key; a fresh one without it',
    example: { name: 'app-key' },
  })
  @IsOptional()
  @IsTags()
  tags?: Record<string, string>;
}

/** For creating under a name in the query, as mc does. */
export class RustfsNamedKeyQuery {
  @ApiPropertyOptional({ example: 'app-key' })
  @IsOptional()
  @IsString()
  @MaxLength(LONGEST_REFERENCE)
  'key-id'?: string;

  @ApiPropertyOptional({ example: 'app-key' })
  @IsOptional()
  @IsString()
  @MaxLength(LONGEST_REFERENCE)
  keyId?: string;
}

export class RustfsListKeysQuery {
  @ApiPropertyOptional({ default: '100', description: '0 gives an empty page; more than 1000 is served as 1000' })
  @IsOptional()
  @Matches(/^\d{1,9}$/, { message: 'limit must be a whole number of at least 0' })
  limit?: string;

  @ApiPropertyOptional({ description: 'The `next_marker` of the page before' })
  @IsOptional()
  @IsString()
  @MaxLength(2048)
  marker?: string;

  @ApiPropertyOptional({ enum: KEY_USAGES, description: 'Applied to the page after it is cut' })
  @IsOptional()
  @IsIn(KEY_USAGES)
  usage_filter?: string;

  @ApiPropertyOptional({ enum: KEY_STATUSES, description: 'Applied to the page after it is cut' })
  @IsOptional()
  @IsIn(KEY_STATUSES)
  status_filter?: string;
}

export class RustfsDescribeKeyQuery {
  @ApiPropertyOptional({ enum: ['true', 'false'], description: 'Also tell what hangs on the key' })
  @IsOptional()
  @IsIn(['true', 'false'])
  impact?: string;
}

export class RustfsKeyBody {
  @ApiProperty({ example: 'app-key' })
  @IsString()
  @Matches(/./, { message: 'key_id is empty' })
  @MaxLength(LONGEST_REFERENCE)
  key_id!: string;
}

export class RustfsDeleteKeyQuery {
  @ApiPropertyOptional({ example: 'app-key' })
  @IsOptional()
  @IsString()
  @MaxLength(LONGEST_REFERENCE)
  keyId?: string;

  @ApiPropertyOptional({ example: '30' })
  @IsOptional()
  @Matches(/^\d{1,3}$/, { message: 'pending_window_in_days must be 7 to 30' })
  pending_window_in_days?: string;
}

export class RustfsDeleteKeyDto {
  @ApiPropertyOptional({ example: 'app-key' })
  @IsOptional()
  @IsString()
  @MaxLength(LONGEST_REFERENCE)
  key_id?: string;

  @ApiPropertyOptional({ minimum: 7, maximum: 30, default: 30 })
  @IsOptional()
  @IsInt()
  pending_window_in_days?: number;

  @ApiPropertyOptional({ description: 'Not offered: a key always waits for its deletion' })
  @IsOptional()
  @IsBoolean()
  force_immediate?: boolean;

  @ApiPropertyOptional({ description: 'The id of the key once more, to destroy what hangs on it' })
  @IsOptional()
  @IsString()
  @MaxLength(LONGEST_REFERENCE)
  confirm_key_id?: string;
}

export class RustfsDescriptionDto extends RustfsKeyBody {
  @ApiProperty({ maxLength: LONGEST_DESCRIPTION })
  @IsString()
  @MaxLength(LONGEST_DESCRIPTION)
  description!: string;
}

export class RustfsTagDto extends RustfsKeyBody {
  @ApiProperty({ type: 'object', additionalProperties: { type: 'string' } })
  @IsTags()
  tags!: Record<string, string>;
}

export class RustfsUntagDto extends RustfsKeyBody {
  @ApiProperty({ type: [String] })
  @IsArray()
  @IsString({ each: true })
  tag_keys!: string[];
}

export class RustfsDataKeyDto extends RustfsKeyBody {
  @ApiPropertyOptional({ enum: ['AES_256'], default: 'AES_256' })
  @IsOptional()
  @IsIn(['AES_256'], { message: 'key_spec must be AES_256' })
  key_spec?: string;

  @ApiPropertyOptional({ type: 'object', additionalProperties: { type: 'string' } })
  @IsOptional()
  @IsObject()
  encryption_context?: Record<string, unknown>;
}

export class RustfsKeyMetadataDto {
  @ApiProperty({ example: 'app-key' })
  key_id!: string;

  @ApiProperty({ enum: KEY_STATES })
  key_state!: string;

  @ApiProperty({ enum: KEY_USAGES })
  key_usage!: string;

  @ApiProperty({ type: String, nullable: true })
  description!: string | null;

  @ApiProperty({ type: Date, nullable: true })
  creation_date!: Date | null;

  @ApiProperty({ type: Date, nullable: true })
  deletion_date!: Date | null;

  @ApiProperty({ example: 'RUSTFS_KMS' })
  origin!: string;

  @ApiProperty({ example: 'RUSTFS' })
  key_manager!: string;

  @ApiProperty({ type: 'object', additionalProperties: { type: 'string' } })
  tags!: Readonly<Record<string, string>>;
}

export class RustfsCreatedKeyDto {
  @ApiProperty()
  key_id!: string;

  @ApiProperty({ type: RustfsKeyMetadataDto })
  key_metadata!: RustfsKeyMetadataDto;
}

export class RustfsKeyAnswerDto extends RustfsCreatedKeyDto {
  @ApiProperty()
  success!: boolean;

  @ApiProperty()
  message!: string;
}

class RustfsReferenceDto {
  @ApiProperty({
    enum: ['service-default-key', 'bucket-default-encryption', 'objects', 'multipart-uploads', 'second-seals'],
  })
  kind!: string;

  @ApiProperty({ description: 'Bucket, KMS or key version' })
  id!: string;

  @ApiProperty()
  detail!: string;
}

class RustfsCoverageDto {
  @ApiProperty({ type: [String] })
  scanned!: readonly string[];

  @ApiProperty({ type: [String] })
  not_scanned!: readonly string[];
}

export class RustfsImpactDto {
  @ApiProperty()
  key_id!: string;

  @ApiProperty({ type: [RustfsReferenceDto] })
  references!: readonly RustfsReferenceDto[];

  @ApiProperty({ type: RustfsCoverageDto })
  coverage!: RustfsCoverageDto;

  @ApiProperty({ enum: ['exact', 'unavailable'] })
  completeness!: string;
}

export class RustfsDescribedKeyDto {
  @ApiProperty()
  success!: boolean;

  @ApiProperty()
  message!: string;

  @ApiProperty({ type: RustfsKeyMetadataDto })
  key_metadata!: RustfsKeyMetadataDto;

  @ApiPropertyOptional({ type: RustfsImpactDto })
  impact?: RustfsImpactDto;
}

export class RustfsBareKeyDto {
  @ApiProperty({ type: RustfsKeyMetadataDto })
  key_metadata!: RustfsKeyMetadataDto;
}

export class RustfsDeletedKeyDto {
  @ApiProperty()
  success!: boolean;

  @ApiProperty()
  message!: string;

  @ApiProperty()
  key_id!: string;

  @ApiProperty({ type: Date, nullable: true })
  deletion_date!: Date | null;

  @ApiProperty({ type: RustfsImpactDto })
  impact!: RustfsImpactDto;
}

export class RustfsListedKeyDto {
  @ApiProperty()
  key_id!: string;

  @ApiProperty({ type: String, nullable: true })
  description!: string | null;

  @ApiProperty({ example: 'AES_256' })
  algorithm!: string;

  @ApiProperty({ enum: KEY_USAGES })
  usage!: string;

  @ApiProperty({ enum: KEY_STATUSES })
  status!: string;

  @ApiProperty({ enum: KEY_STATES, description: 'The same as in the description of one key' })
  key_state!: string;

  @ApiProperty({ example: 1 })
  version!: number;

  @ApiProperty({ type: 'object', additionalProperties: { type: 'string' } })
  metadata!: Readonly<Record<string, string>>;

  @ApiProperty({ type: 'object', additionalProperties: { type: 'string' } })
  tags!: Readonly<Record<string, string>>;

  @ApiProperty({ type: Date, nullable: true })
  created_at!: Date | null;

  @ApiProperty({ type: String, nullable: true })
  created_by!: string | null;

  @ApiProperty({ type: Date, nullable: true })
  rotated_at!: Date | null;

  @ApiProperty({ description: 'By its rotation policy, or after 2^32 data keys; also where the KMS cannot rotate' })
  rotation_due!: boolean;

  @ApiPropertyOptional({ enum: ['age', 'never_rotated', 'wraps'] })
  rotation_due_reason?: string;
}

export class RustfsBareKeyPageDto {
  @ApiProperty({ type: [RustfsListedKeyDto] })
  keys!: readonly RustfsListedKeyDto[];

  @ApiProperty()
  truncated!: boolean;

  @ApiProperty({ type: String, nullable: true })
  next_marker!: string | null;

  @ApiPropertyOptional({ type: [String], description: 'Keys that are there but cannot be read' })
  unreadable_key_ids?: readonly string[];
}

export class RustfsKeyPageDto extends RustfsBareKeyPageDto {
  @ApiProperty()
  success!: boolean;

  @ApiProperty()
  message!: string;
}

export class RustfsGeneratedDataKeyDto {
  @ApiProperty()
  key_id!: string;

  @ApiProperty({ description: 'Base64' })
  plaintext_key!: string;

  @ApiProperty({ description: 'Base64' })
  ciphertext_blob!: string;
}
