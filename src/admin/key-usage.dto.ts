import { ApiProperty, ApiPropertyOptional } from '@nestjs/swagger';
import { IsOptional, IsString, Matches, MaxLength } from 'class-validator';

const KMS_NAME = /^[a-z][a-z0-9_]*:[A-Za-z0-9_][A-Za-z0-9._-]*$/;

/** Whose usage; of all keys without. */
export class KeyUsageQuery {
  @ApiPropertyOptional({ example: 'vault:default' })
  @IsOptional()
  @Matches(KMS_NAME, { message: 'kms must look like vault:default' })
  kms?: string;

  @ApiPropertyOptional({ example: 'app-key' })
  @IsOptional()
  @IsString()
  @MaxLength(512)
  keyId?: string;
}

export class KeyVersionUsageDto {
  @ApiPropertyOptional({ description: 'Absent where the KMS tells none', example: '3' })
  keyVersion?: string;

  @ApiProperty({ description: 'Object versions, older ones included' })
  objects!: number;

  @ApiProperty({ description: 'Plaintext bytes of those objects' })
  bytes!: number;

  @ApiProperty({ description: 'Those among the objects that are sealed through a bucket key' })
  bucketKeyObjects!: number;

  @ApiProperty({ description: 'Multipart uploads in progress' })
  uploads!: number;

  @ApiProperty({ description: 'Object versions that have their second seal under the key' })
  escrowObjects!: number;

  @ApiProperty({ description: 'Multipart uploads in progress that have their second seal under the key' })
  escrowUploads!: number;
}

/** Everything that would be lost with a key. */
export class KeyUsageDto {
  @ApiProperty({ example: 'vault:default' })
  kms!: string;

  @ApiProperty({ example: 'app-key' })
  keyId!: string;

  @ApiProperty()
  objects!: number;

  @ApiProperty()
  bytes!: number;

  @ApiProperty()
  bucketKeyObjects!: number;

  @ApiProperty()
  uploads!: number;

  @ApiProperty({ description: 'Object versions that have their second seal under the key' })
  escrowObjects!: number;

  @ApiProperty({ description: 'Multipart uploads in progress that have their second seal under the key' })
  escrowUploads!: number;

  @ApiProperty({ type: [KeyVersionUsageDto] })
  versions!: readonly KeyVersionUsageDto[];

  @ApiProperty({ type: [String], description: 'Buckets whose default encryption uses the key' })
  bucketDefaults!: readonly string[];
}

export class KeyUsageListDto {
  @ApiProperty({ type: [KeyUsageDto] })
  keys!: readonly KeyUsageDto[];
}
