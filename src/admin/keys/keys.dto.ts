import { ApiProperty, ApiPropertyOptional } from '@nestjs/swagger';
import { Type } from 'class-transformer';
import { IsBase64, IsInt, IsOptional, IsString, Matches, Max, MaxLength, Min } from 'class-validator';
import { KmsKeyDto } from '../kms.dto';
import { KeyRotationDto } from '../rotation/rotation.dto';
import { IsTags } from './tags.decorator';

const LONGEST_REFERENCE = 512;
const LONGEST_DESCRIPTION = 8192;

/** Which key a route speaks of. */
export class KeyParams {
  @ApiProperty({ example: 'app-key', description: '`key`, `target/key` or `type:target/key`, percent-encoded' })
  @IsString()
  @MaxLength(LONGEST_REFERENCE)
  key_id!: string;
}

export class ListKeysQuery {
  @ApiPropertyOptional({ description: '`*` and `?` are wildcards', example: 'app-*' })
  @IsOptional()
  @IsString()
  @MaxLength(LONGEST_REFERENCE)
  pattern?: string;

  @ApiPropertyOptional({ description: '`type:target`; the default KMS without it', example: 'vault:default' })
  @IsOptional()
  @Matches(/^[a-z][a-z0-9_]*:[A-Za-z0-9_][A-Za-z0-9._-]*$/, { message: 'kms must look like vault:default' })
  kms?: string;

  @ApiPropertyOptional({ description: 'The `next_marker` of the page before' })
  @IsOptional()
  @IsString()
  @MaxLength(2048)
  marker?: string;

  @ApiPropertyOptional({ minimum: 1, maximum: 1000, default: 100 })
  @IsOptional()
  @Type(() => Number)
  @IsInt()
  @Min(1)
  @Max(1000)
  limit?: number;
}

export class NewKeyDto {
  @ApiPropertyOptional({ example: 'app-key', description: 'A fresh name unless given' })
  @IsOptional()
  @IsString()
  @MaxLength(LONGEST_REFERENCE)
  key_id?: string;

  @ApiPropertyOptional({ maxLength: LONGEST_DESCRIPTION })
  @IsOptional()
  @IsString()
  @MaxLength(LONGEST_DESCRIPTION)
  description?: string;

  @ApiPropertyOptional({ type: 'object', additionalProperties: { type: 'string' } })
  @IsOptional()
  @IsTags()
  tags?: Record<string, string>;

  @ApiPropertyOptional({
    description: 'Base64 of the 32 bytes of a key to import, where the KMS can; made by the KMS unless given',
    writeOnly: true,
  })
  @IsOptional()
  @IsBase64()
  @MaxLength(88)
  material?: string;
}

export class KeyChangeDto {
  @ApiPropertyOptional({ maxLength: LONGEST_DESCRIPTION })
  @IsOptional()
  @IsString()
  @MaxLength(LONGEST_DESCRIPTION)
  description?: string;

  @ApiPropertyOptional({
    type: 'object',
    additionalProperties: { type: 'string', nullable: true },
    description: 'Tags to set; those with null are removed',
  })
  @IsOptional()
  @IsTags({ removable: true })
  tags?: Record<string, string | null>;
}

export class KeyDeletionDto {
  @ApiPropertyOptional({ minimum: 7, maximum: 30, default: 30 })
  @IsOptional()
  @IsInt()
  pending_window_in_days?: number;

  @ApiPropertyOptional({ description: 'The id of the key once more, to destroy what hangs on it', example: 'app-key' })
  @IsOptional()
  @IsString()
  @MaxLength(LONGEST_REFERENCE)
  confirm_key_id?: string;
}

/** A key, with what people wrote about it. */
export class KeyDetailsDto extends KmsKeyDto {
  @ApiPropertyOptional()
  description?: string;

  @ApiProperty({ type: 'object', additionalProperties: { type: 'string' } })
  tags!: Readonly<Record<string, string>>;

  @ApiPropertyOptional({ type: KeyRotationDto, description: 'In descriptions and listings' })
  rotation?: KeyRotationDto;
}

export class KeyPageDto {
  @ApiProperty({ example: 'vault:default' })
  kms!: string;

  @ApiProperty({ type: [KeyDetailsDto] })
  keys!: readonly KeyDetailsDto[];

  @ApiPropertyOptional({ description: 'Absent on the last page' })
  next_marker?: string;
}

class KeyReferenceEntryDto {
  @ApiProperty({
    enum: ['service-default-key', 'bucket-default-encryption', 'objects', 'multipart-uploads', 'second-seals'],
  })
  kind!: string;

  @ApiProperty({ description: 'Bucket, KMS or key version' })
  id!: string;

  @ApiProperty()
  detail!: string;
}

class KeyVersionImpactDto {
  @ApiPropertyOptional({ example: '3' })
  key_version?: string;

  @ApiProperty({ description: 'Object versions' })
  objects!: number;

  @ApiProperty({ description: 'Of plaintext' })
  bytes!: number;

  @ApiProperty({ description: 'Multipart uploads in progress' })
  uploads!: number;

  @ApiProperty({ description: 'Object versions with their second seal under it' })
  escrow_objects!: number;

  @ApiProperty({ description: 'Uploads with their second seal under it' })
  escrow_uploads!: number;
}

/** What deleting a key would destroy. */
export class KeyImpactDto {
  @ApiProperty({ example: 'app-key' })
  key_id!: string;

  @ApiProperty({ example: 'vault:default' })
  kms!: string;

  @ApiProperty({ type: [KeyReferenceEntryDto], description: 'Empty when nothing would be lost' })
  references!: readonly KeyReferenceEntryDto[];

  @ApiProperty({ type: [String], description: 'Buckets that encrypt with it by default' })
  bucket_defaults!: readonly string[];

  @ApiProperty()
  objects!: number;

  @ApiProperty()
  bytes!: number;

  @ApiProperty()
  uploads!: number;

  @ApiProperty()
  escrow_objects!: number;

  @ApiProperty()
  escrow_uploads!: number;

  @ApiProperty({ type: [KeyVersionImpactDto] })
  versions!: readonly KeyVersionImpactDto[];
}

export class ScheduledDeletionDto {
  @ApiProperty({ type: KeyDetailsDto })
  key!: KeyDetailsDto;

  @ApiProperty({ type: KeyImpactDto })
  impact!: KeyImpactDto;
}
