import { ApiProperty, ApiPropertyOptional } from '@nestjs/swagger';
import { Type } from 'class-transformer';
import { IsDate, IsIn, IsInt, IsOptional, IsString, Max, Min } from 'class-validator';

const CATEGORIES = ['kms', 'config', 'identity', 'bucket', 'object', 'system'];
const OUTCOMES = ['success', 'denied', 'failure'];

/** Filters of the audit log; all given ones must hold. */
export class AuditQuery {
  @ApiPropertyOptional({ enum: CATEGORIES })
  @IsOptional()
  @IsIn(CATEGORIES)
  category?: string;

  @ApiPropertyOptional({ example: 'AdminRotateKey' })
  @IsOptional()
  @IsString()
  operation?: string;

  @ApiPropertyOptional()
  @IsOptional()
  @IsString()
  principal?: string;

  @ApiPropertyOptional({ enum: OUTCOMES })
  @IsOptional()
  @IsIn(OUTCOMES)
  outcome?: string;

  @ApiPropertyOptional({ example: 'vault:default' })
  @IsOptional()
  @IsString()
  kms?: string;

  @ApiPropertyOptional({ description: 'Id of a KMS key' })
  @IsOptional()
  @IsString()
  keyId?: string;

  @ApiPropertyOptional()
  @IsOptional()
  @IsString()
  requestId?: string;

  @ApiPropertyOptional({ description: 'Records of this moment and later' })
  @IsOptional()
  @Type(() => Date)
  @IsDate()
  since?: Date;

  @ApiPropertyOptional({ description: 'Records before this moment' })
  @IsOptional()
  @Type(() => Date)
  @IsDate()
  until?: Date;

  @ApiPropertyOptional({ description: 'The `next` of the page before' })
  @IsOptional()
  @Type(() => Number)
  @IsInt()
  @Min(1)
  before?: number;

  @ApiPropertyOptional({ default: 100, maximum: 1000 })
  @IsOptional()
  @Type(() => Number)
  @IsInt()
  @Min(1)
  @Max(1000)
  limit?: number;
}

/** One record; what is not known is left out. */
export class AuditRecordDto {
  @ApiProperty({ description: 'Place in the chain' })
  sequence!: number;

  @ApiProperty()
  at!: Date;

  @ApiProperty({ enum: CATEGORIES })
  category!: string;

  @ApiProperty({ example: 'AdminRotateKey' })
  operation!: string;

  @ApiProperty({ description: 'User name, `root`, `anonymous`, or `system`' })
  principal!: string;

  @ApiProperty({ enum: OUTCOMES })
  outcome!: string;

  @ApiPropertyOptional({ description: 'S3 error code or error kind' })
  errorClass?: string;

  @ApiPropertyOptional({ description: 'Path of the request, or the configuration document' })
  resource?: string;

  @ApiPropertyOptional({ example: 'vault:default' })
  kms?: string;

  @ApiPropertyOptional()
  keyId?: string;

  @ApiPropertyOptional()
  keyVersion?: string;

  @ApiPropertyOptional()
  sourceIp?: string;

  @ApiPropertyOptional()
  userAgent?: string;

  @ApiPropertyOptional()
  requestId?: string;

  @ApiPropertyOptional({ description: 'Milliseconds it took; of several calls, the slowest' })
  milliseconds?: number;

  @ApiProperty({ description: 'How many equal events the record stands for' })
  calls!: number;

  @ApiPropertyOptional({ type: 'object', additionalProperties: { type: 'string' } })
  details?: Record<string, string>;

  @ApiProperty({ description: 'Keyed hash over this record and the hash of the one before, in hex' })
  hash!: string;
}

export class AuditPageDto {
  @ApiProperty({ type: [AuditRecordDto], description: 'Newest first' })
  records!: AuditRecordDto[];

  @ApiPropertyOptional({ description: 'Give this as `before` for the next page; absent on the last' })
  next?: number;
}

export class AuditVerifyQuery {
  @ApiPropertyOptional({ default: 1, description: 'First record to check; the one before is taken as it is' })
  @IsOptional()
  @Type(() => Number)
  @IsInt()
  @Min(1)
  from?: number;
}

export class ChainProblemDto {
  @ApiProperty()
  sequence!: number;

  @ApiProperty({ enum: ['altered', 'missing', 'head', 'cut'] })
  reason!: string;
}

export class ChainReportDto {
  @ApiProperty({ description: 'Whether every record and the end of the chain authenticate' })
  ok!: boolean;

  @ApiProperty()
  checked!: number;

  @ApiProperty()
  firstSequence!: number;

  @ApiProperty()
  lastSequence!: number;

  @ApiProperty({ description: 'Keep this elsewhere: it proves later that nothing before it has changed' })
  headHash!: string;

  @ApiPropertyOptional({ type: ChainProblemDto })
  problem?: ChainProblemDto;
}
