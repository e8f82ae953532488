import { ApiProperty, ApiPropertyOptional } from '@nestjs/swagger';
import { IsBoolean, IsInt, IsOptional, Matches, Max, Min } from 'class-validator';
import { MOST_WRAPS } from '../../rotation/rotation-policy';

const LONGEST_AGE_DAYS = 3_650;
/** Processes reserve a thousand at a time, so that less could not be told apart. */
const FEWEST_WRAPS = 10_000;

/** Which KMS a route speaks of. */
export class TargetParams {
  @ApiProperty({ example: 'vault:default' })
  @Matches(/^[a-z][a-z0-9_]*:[A-Za-z0-9_][A-Za-z0-9._-]*$/, { message: 'kms must look like vault:default' })
  kms!: string;
}

/** When keys are to be rotated; by age, by use, or by whichever comes first. */
export class RotationRuleDto {
  @ApiPropertyOptional({ minimum: 1, maximum: LONGEST_AGE_DAYS, example: 90, description: 'Age of the newest version' })
  @IsOptional()
  @IsInt()
  @Min(1)
  @Max(LONGEST_AGE_DAYS)
  max_age_days?: number;

  @ApiPropertyOptional({
    minimum: FEWEST_WRAPS,
    maximum: MOST_WRAPS,
    example: 1_000_000_000,
    description: 'Data keys wrapped by the newest version; the maximum is the bound of AES-GCM, 2^32',
  })
  @IsOptional()
  @IsInt()
  @Min(FEWEST_WRAPS)
  @Max(MOST_WRAPS)
  max_wraps?: number;

  @ApiPropertyOptional({ default: true, description: 'Rotate keys that are due, where the KMS can; else only report' })
  @IsOptional()
  @IsBoolean()
  automatic?: boolean;

  @ApiPropertyOptional({ default: false, description: 'Start a rewrap job to the newest version after each rotation' })
  @IsOptional()
  @IsBoolean()
  rewrap?: boolean;
}

export class RotationPolicyDto {
  @ApiProperty({ example: 'vault:default' })
  kms!: string;

  @ApiPropertyOptional({
    example: 'app-key',
    description: 'Absent for the policy of all keys without one of their own',
  })
  key_id?: string;

  @ApiPropertyOptional({ example: 90 })
  max_age_days?: number;

  @ApiPropertyOptional()
  max_wraps?: number;

  @ApiProperty()
  automatic!: boolean;

  @ApiProperty()
  rewrap!: boolean;

  @ApiProperty()
  updated_at!: Date;

  @ApiProperty()
  updated_by!: string;
}

export class RotationPolicyListDto {
  @ApiProperty({ type: [RotationPolicyDto] })
  policies!: readonly RotationPolicyDto[];
}

class OwnRotationDto {
  @ApiProperty({ example: 365 })
  period_days!: number;

  @ApiPropertyOptional()
  next?: Date;
}

/** How a key stands with its rotation. */
export class KeyRotationDto {
  @ApiProperty()
  due!: boolean;

  @ApiPropertyOptional({
    enum: ['age', 'never-rotated', 'wraps'],
    description: 'Why it is due; or, beside next_due, why it will be',
  })
  reason?: string;

  @ApiPropertyOptional({ description: 'By wraps an estimate from the pace so far' })
  next_due?: Date;

  @ApiProperty({
    description: 'Data keys that the newest version has wrapped: never fewer, at most a few thousand more',
  })
  wraps!: number;

  @ApiPropertyOptional({ description: 'Since when the newest version is in use' })
  since?: Date;

  @ApiPropertyOptional({ type: RotationPolicyDto })
  policy?: RotationPolicyDto;

  @ApiPropertyOptional({ type: OwnRotationDto, description: 'What the KMS does by itself, where it tells' })
  own_rotation?: OwnRotationDto;

  @ApiPropertyOptional({ description: 'When it was last rotated from here' })
  rotated_at?: Date;

  @ApiPropertyOptional({ description: 'The rewrap job of the last rotation' })
  rewrap_job?: string;

  @ApiPropertyOptional({ description: 'Why the last attempt failed' })
  last_error?: string;

  @ApiPropertyOptional()
  next_attempt_at?: Date;
}
