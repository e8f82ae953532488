import { ApiProperty, ApiPropertyOptional } from '@nestjs/swagger';
import { Transform, Type } from 'class-transformer';
import {
  IsBoolean,
  IsDate,
  IsIn,
  IsInt,
  IsNumber,
  IsOptional,
  IsString,
  Matches,
  Max,
  MaxLength,
  Min,
  ValidateIf,
  ValidateNested,
} from 'class-validator';

const KMS_NAME = /^[a-z][a-z0-9_]*:[A-Za-z0-9_][A-Za-z0-9._-]*$/;
const MAX_RATE = 1_000_000;
const MAX_CONCURRENCY = 256;

/** Which objects a job is about; everything under a KMS unless narrowed. */
export class RewrapSelectionDto {
  @ApiPropertyOptional({ example: 'invoices' })
  @IsOptional()
  @IsString()
  @MaxLength(63)
  bucket?: string;

  @ApiPropertyOptional({ description: 'Only together with a bucket', example: '2025/' })
  @IsOptional()
  @IsString()
  @MaxLength(1024)
  prefix?: string;

  @ApiPropertyOptional({ description: 'KMS of the present seal', example: 'vault:old' })
  @IsOptional()
  @Matches(KMS_NAME, { message: 'kms must look like vault:default' })
  kms?: string;

  @ApiPropertyOptional({ description: 'Only together with a KMS', example: 'app-key' })
  @IsOptional()
  @IsString()
  @MaxLength(512)
  keyId?: string;

  @ApiPropertyOptional({ description: 'Only together with a key', example: '3' })
  @IsOptional()
  @IsString()
  @MaxLength(512)
  keyVersion?: string;

  @ApiPropertyOptional({ description: 'Only versions written before' })
  @IsOptional()
  @Type(() => Date)
  @IsDate()
  before?: Date;
}

export class CreateRewrapJobDto {
  @ApiPropertyOptional({
    description:
      'Key to seal under, as `key`, `target/key` or `type:target/key`; without it the newest version of each key',
    example: 'vault:new/app-key',
  })
  @IsOptional()
  @IsString()
  @MaxLength(512)
  target?: string;

  @ApiPropertyOptional({ type: RewrapSelectionDto })
  @IsOptional()
  @ValidateNested()
  @Type(() => RewrapSelectionDto)
  selection?: RewrapSelectionDto;

  @ApiPropertyOptional({
    enum: ['keep', 'add', 'drop'],
    default: 'keep',
    description: 'What is to become of second seals; SSE-S3 objects have none',
  })
  @IsOptional()
  @IsIn(['keep', 'add', 'drop'])
  escrow?: 'keep' | 'add' | 'drop';

  @ApiPropertyOptional({
    description: 'Key for the second seals, of the deployment unless given; only with `add`',
    example: 'vault:eu/key',
  })
  @IsOptional()
  @IsString()
  @MaxLength(512)
  escrowTarget?: string;

  @ApiPropertyOptional({ description: 'Try the target and count, but change nothing', default: false })
  @IsOptional()
  @IsBoolean()
  dryRun?: boolean;

  @ApiPropertyOptional({ description: 'Objects a second over the whole fleet; as fast as it goes without' })
  @IsOptional()
  @IsNumber()
  @Min(0.1)
  @Max(MAX_RATE)
  rateLimit?: number;

  @ApiPropertyOptional({
    description:
      'Calls to a KMS at the same time in each process; where a KMS takes several data keys in one call, fewer are made',
    default: 16,
  })
  @IsOptional()
  @IsInt()
  @Min(1)
  @Max(MAX_CONCURRENCY)
  concurrency?: number;
}

export class UpdateRewrapJobDto {
  @ApiPropertyOptional({ enum: ['running', 'paused', 'cancelled'] })
  @IsOptional()
  @IsIn(['running', 'paused', 'cancelled'])
  state?: 'running' | 'paused' | 'cancelled';

  @ApiPropertyOptional({ type: Number, nullable: true, description: 'Objects a second; null for as fast as it goes' })
  @ValidateIf((body: UpdateRewrapJobDto) => body.rateLimit !== undefined && body.rateLimit !== null)
  @IsNumber()
  @Min(0.1)
  @Max(MAX_RATE)
  rateLimit?: number | null;

  @ApiPropertyOptional()
  @IsOptional()
  @IsInt()
  @Min(1)
  @Max(MAX_CONCURRENCY)
  concurrency?: number;
}

export class RewrapJobParams {
  @ApiProperty({ example: '019ab3f0e1c28d6c4f0a7b31' })
  @Matches(/^[0-9a-f]{24}$/, { message: 'id must be the id of a rewrap job' })
  id!: string;
}

/** The last failure of the page before; all four members together. */
export class RewrapFailureQuery {
  @ApiPropertyOptional({ enum: ['object', 'upload'] })
  @IsOptional()
  @IsIn(['object', 'upload'])
  kind?: 'object' | 'upload';

  @ApiPropertyOptional()
  @IsOptional()
  @IsString()
  bucket?: string;

  @ApiPropertyOptional()
  @IsOptional()
  @IsString()
  key?: string;

  @ApiPropertyOptional()
  @IsOptional()
  @IsString()
  versionId?: string;

  @ApiPropertyOptional({ default: 100, maximum: 1000 })
  @IsOptional()
  @Transform(({ value }: { value: unknown }) => Number(value))
  @IsInt()
  @Min(1)
  @Max(1_000)
  limit?: number;
}

export class RewrapTargetDto {
  @ApiProperty({ example: 'vault:new' })
  kms!: string;

  @ApiProperty({ example: 'app-key' })
  keyId!: string;
}

export class RewrapAmountDto {
  @ApiPropertyOptional({ description: 'Absent until the job has been planned' })
  total?: number;

  @ApiProperty()
  done!: number;
}

export class RewrapProgressDto {
  @ApiProperty({ type: RewrapAmountDto })
  objects!: RewrapAmountDto;

  @ApiProperty({ type: RewrapAmountDto, description: 'Plaintext bytes of the objects; none of them is read' })
  bytes!: RewrapAmountDto;

  @ApiProperty({ type: RewrapAmountDto, description: 'Multipart uploads in progress' })
  uploads!: RewrapAmountDto;

  @ApiProperty({
    description:
      'Objects and uploads done whose data key the KMS wrapped anew itself; the others were unwrapped and wrapped in this program',
  })
  insideKms!: number;

  @ApiProperty({ description: 'Times that a version was changed by somebody else meanwhile; it is looked at again' })
  changed!: number;

  @ApiProperty()
  failed!: number;

  @ApiProperty({ description: 'Objects and uploads a second, over the time the job has been running' })
  perSecond!: number;

  @ApiPropertyOptional({ description: 'Seconds' })
  eta?: number;
}

export class RewrapSourceDto extends RewrapTargetDto {
  @ApiPropertyOptional({ example: '1' })
  keyVersion?: string;

  @ApiProperty()
  objects!: number;

  @ApiProperty()
  bytes!: number;

  @ApiProperty()
  uploads!: number;
}

export class RewrapExcludedDto {
  @ApiProperty({ description: 'SSE-C: only the client has the key' })
  customerKeys!: number;

  @ApiProperty()
  unencrypted!: number;

  @ApiProperty({ description: 'SSE-S3, which stays under the embedded keyring; 0 where the job renews key versions' })
  serverKeys!: number;
}

export class RewrapJobDto {
  @ApiProperty()
  id!: string;

  @ApiProperty({ enum: ['running', 'paused', 'cancelled', 'completed', 'failed'] })
  state!: string;

  @ApiProperty({ enum: ['plan', 'uploads', 'objects', 'drain'] })
  stage!: string;

  @ApiProperty({ description: 'How many times the job has looked for keys; the last time it finds none' })
  pass!: number;

  @ApiProperty()
  dryRun!: boolean;

  @ApiPropertyOptional({ type: RewrapTargetDto, description: 'Absent for a job that renews key versions' })
  target?: RewrapTargetDto;

  @ApiProperty({ type: RewrapSelectionDto })
  selection!: RewrapSelectionDto;

  @ApiProperty({ enum: ['keep', 'add', 'drop'] })
  escrow!: string;

  @ApiPropertyOptional({ type: RewrapTargetDto, description: 'Key of the second seals that the job adds' })
  escrowTarget?: RewrapTargetDto;

  @ApiPropertyOptional()
  rateLimit?: number;

  @ApiProperty()
  concurrency!: number;

  @ApiProperty({ type: RewrapProgressDto })
  progress!: RewrapProgressDto;

  @ApiProperty({ type: [RewrapSourceDto], description: 'What the job found when it began' })
  sources!: readonly RewrapSourceDto[];

  @ApiPropertyOptional({ type: RewrapExcludedDto, description: 'In the scope of the job but none of its business' })
  excluded?: RewrapExcludedDto;

  @ApiPropertyOptional({ description: 'Why a running job does not get on' })
  waitingFor?: string;

  @ApiPropertyOptional({ description: 'Why it failed' })
  error?: string;

  @ApiProperty()
  createdAt!: Date;

  @ApiProperty()
  createdBy!: string;

  @ApiPropertyOptional()
  finishedAt?: Date;
}

export class RewrapJobListDto {
  @ApiProperty({ type: [RewrapJobDto] })
  jobs!: readonly RewrapJobDto[];
}

export class RewrapFailureDto {
  @ApiProperty({ enum: ['object', 'upload'] })
  kind!: string;

  @ApiProperty()
  bucket!: string;

  @ApiProperty()
  key!: string;

  @ApiProperty({ description: 'For an upload its upload id' })
  versionId!: string;

  @ApiProperty({ example: 'kms-key-not-found' })
  reason!: string;

  @ApiProperty()
  message!: string;

  @ApiProperty()
  failedAt!: Date;
}

export class RewrapFailureListDto {
  @ApiProperty({ type: [RewrapFailureDto] })
  failures!: readonly RewrapFailureDto[];
}
