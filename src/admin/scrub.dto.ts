import { ApiProperty, ApiPropertyOptional } from '@nestjs/swagger';
import { Type } from 'class-transformer';
import { IsInt, IsOptional, Matches, Max, Min } from 'class-validator';

/** The round of verification that is under way, or the last one. */
export class ScrubDto {
  @ApiProperty()
  running!: boolean;

  @ApiProperty({ description: 'When the next round begins at the earliest' })
  dueAt!: Date;

  @ApiPropertyOptional()
  startedAt?: Date;

  @ApiPropertyOptional()
  finishedAt?: Date;

  @ApiProperty({ description: 'Blobs verified in this round' })
  blobs!: number;

  @ApiProperty({ description: 'Stored bytes verified in this round' })
  bytes!: number;

  @ApiProperty({ description: 'Blobs found damaged in this round' })
  damaged!: number;
}

export class BlobDamageQuery {
  @ApiPropertyOptional({ description: 'Damage behind this blob' })
  @IsOptional()
  @Matches(/^[0-9a-f]{1,64}$/, { message: 'after must be the id of a blob' })
  after?: string;

  @ApiPropertyOptional({ default: 100, maximum: 1000 })
  @IsOptional()
  @Type(() => Number)
  @IsInt()
  @Min(1)
  @Max(1000)
  limit?: number;
}

export class BlobDamageDto {
  @ApiProperty({ description: 'Id of the blob, which its file is named by' })
  blobId!: string;

  @ApiProperty({ enum: ['missing', 'short', 'altered', 'unreadable'] })
  reason!: string;

  @ApiPropertyOptional({ description: 'Bucket of an object that has the blob' })
  bucket?: string;

  @ApiPropertyOptional()
  key?: string;

  @ApiPropertyOptional()
  versionId?: string;

  @ApiProperty()
  foundAt!: Date;
}

export class BlobDamageListDto {
  @ApiProperty({ type: [BlobDamageDto], description: 'By blob; what was deleted or found sound again is forgotten' })
  damage!: readonly BlobDamageDto[];
}
