import { ApiProperty, ApiPropertyOptional } from '@nestjs/swagger';
import { Type } from 'class-transformer';
import { IsInt, IsOptional, IsString, Max, MaxLength, Min } from 'class-validator';

const STATES = ['waiting', 'running', 'completed', 'failed'];
const ACTIONS = ['expire', 'remove-marker', 'remove-noncurrent', 'abort-upload'];

export class LifecycleRunQuery {
  @ApiPropertyOptional({ description: 'Buckets behind this name' })
  @IsOptional()
  @IsString()
  @MaxLength(63)
  after?: string;

  @ApiPropertyOptional({ default: 100, maximum: 1000 })
  @IsOptional()
  @Type(() => Number)
  @IsInt()
  @Min(1)
  @Max(1000)
  limit?: number;
}

/** The run of a bucket's rules that is under way, or the last one. */
export class LifecycleRunDto {
  @ApiProperty()
  bucket!: string;

  @ApiProperty({ enum: STATES, description: '`waiting`: there was no run yet' })
  state!: string;

  @ApiProperty({ description: 'When the next run begins at the earliest' })
  dueAt!: Date;

  @ApiPropertyOptional()
  startedAt?: Date;

  @ApiPropertyOptional()
  finishedAt?: Date;

  @ApiProperty({ description: 'Versions and uploads looked at' })
  scanned!: number;

  @ApiProperty({ description: 'Current versions removed or put under a delete marker' })
  objectsExpired!: number;

  @ApiProperty({ description: 'Noncurrent versions removed' })
  versionsRemoved!: number;

  @ApiProperty({ description: 'Delete markers removed that had nothing left under them' })
  markersRemoved!: number;

  @ApiProperty()
  uploadsAborted!: number;

  @ApiProperty({ description: 'Bytes of what was removed for good' })
  bytes!: number;

  @ApiProperty({ description: 'Versions that object lock keeps' })
  locked!: number;

  @ApiProperty({ description: 'Versions that were changed at the same time, and are looked at again by the next run' })
  changed!: number;

  @ApiPropertyOptional({ description: 'Why it failed; it is tried again at `dueAt`' })
  error?: string;
}

export class LifecycleRunListDto {
  @ApiProperty({ type: [LifecycleRunDto], description: 'By bucket name' })
  runs!: readonly LifecycleRunDto[];
}

export class LifecyclePreviewQuery {
  @ApiPropertyOptional({ description: 'The `next` of the page before' })
  @IsOptional()
  @IsString()
  @MaxLength(8192)
  cursor?: string;

  @ApiPropertyOptional({ default: 100, maximum: 1000, description: 'Actions wanted; a page may have fewer' })
  @IsOptional()
  @Type(() => Number)
  @IsInt()
  @Min(1)
  @Max(1000)
  limit?: number;
}

/** One thing that a run would do now. */
export class DueActionDto {
  @ApiProperty({ enum: ACTIONS })
  action!: string;

  @ApiProperty({ description: 'ID of the rule that says so' })
  ruleId!: string;

  @ApiProperty()
  key!: string;

  @ApiPropertyOptional()
  versionId?: string;

  @ApiPropertyOptional()
  uploadId?: string;

  @ApiPropertyOptional({ description: 'Bytes' })
  size?: number;
}

export class LifecyclePreviewDto {
  @ApiProperty({ type: [DueActionDto] })
  actions!: readonly DueActionDto[];

  @ApiProperty({ description: 'Versions and uploads looked at for this page' })
  scanned!: number;

  @ApiPropertyOptional({ description: 'Give this as `cursor` for the next page; absent on the last' })
  next?: string;
}
