import { ApiProperty, ApiPropertyOptional } from '@nestjs/swagger';
import { Transform } from 'class-transformer';
import {
  ArrayMaxSize,
  IsArray,
  IsDate,
  IsIn,
  IsObject,
  IsOptional,
  IsString,
  Matches,
  MaxLength,
  ValidateIf,
} from 'class-validator';
import { ACCESS_KEY_ID, SECRET_KEY } from '../identity/credential-format';
import { ENTITY_NAME } from '../identity/entity-name';

const NAME_MESSAGE = '$property must be 1 to 64 letters, digits or any of _+=,.@-';
const STATUS = ['enabled', 'disabled'];
const MOST_MEMBERS = 1000;

/** A user, group or policy by name. */
export class EntityNameParams {
  @ApiProperty({ example: 'alice' })
  @Matches(ENTITY_NAME, { message: NAME_MESSAGE })
  name!: string;
}

export class AccessKeyParams {
  @ApiProperty({ example: 'STRONGROOMEXAMPLE2AB' })
  @Matches(ACCESS_KEY_ID, { message: 'accessKeyId must be an access key id' })
  accessKeyId!: string;
}

export class CreateUserDto {
  @ApiProperty({ example: 'alice' })
  @Matches(ENTITY_NAME, { message: NAME_MESSAGE })
  name!: string;
}

export class StatusDto {
  @ApiProperty({ enum: STATUS })
  @IsIn(STATUS)
  status!: 'enabled' | 'disabled';
}

export class MembersDto {
  @ApiProperty({ type: [String], example: ['alice', 'bob'] })
  @IsArray()
  @ArrayMaxSize(MOST_MEMBERS)
  @Matches(ENTITY_NAME, { each: true, message: NAME_MESSAGE })
  members!: string[];
}

export class CreateGroupDto {
  @ApiProperty({ example: 'developers' })
  @Matches(ENTITY_NAME, { message: NAME_MESSAGE })
  name!: string;

  @ApiPropertyOptional({ type: [String], example: ['alice'] })
  @IsOptional()
  @IsArray()
  @ArrayMaxSize(MOST_MEMBERS)
  @Matches(ENTITY_NAME, { each: true, message: NAME_MESSAGE })
  members?: string[];
}

/** Exactly one of the two. */
export class PolicyTargetDto {
  @ApiPropertyOptional({ example: 'alice' })
  @ValidateIf((target: PolicyTargetDto) => target.group === undefined || target.user !== undefined)
  @Matches(ENTITY_NAME, { message: NAME_MESSAGE })
  user?: string;

  @ApiPropertyOptional({ example: 'developers' })
  @ValidateIf((target: PolicyTargetDto) => target.user === undefined || target.group !== undefined)
  @Matches(ENTITY_NAME, { message: NAME_MESSAGE })
  group?: string;
}

/** Turns an ISO 8601 text into a Date; anything else stays and fails validation. */
const ToDate = (): PropertyDecorator =>
  Transform(({ value }: { value: unknown }) =>
    typeof value === 'string' && /^\d{4}-\d{2}-\d{2}T/.test(value) ? new Date(value) : value,
  );

class AccessKeyFields {
  @ApiPropertyOptional({ maxLength: 32, example: 'backup' })
  @IsOptional()
  @IsString()
  @MaxLength(32)
  name?: string;

  @ApiPropertyOptional({ maxLength: 256, example: 'backup job' })
  @IsOptional()
  @IsString()
  @MaxLength(256)
  description?: string;
}

export class CreateAccessKeyDto extends AccessKeyFields {
  @ApiPropertyOptional({ description: 'Owner; without it a key of root, which only root may make', example: 'alice' })
  @IsOptional()
  @Matches(ENTITY_NAME, { message: NAME_MESSAGE })
  userName?: string;

  @ApiPropertyOptional({ description: 'Generated when absent', example: 'STRONGROOMEXAMPLE2AB' })
  @IsOptional()
  @Matches(ACCESS_KEY_ID, { message: 'accessKeyId must be 3 to 128 letters, digits or any of ._@-' })
  accessKeyId?: string;

  @ApiPropertyOptional({ description: 'Generated when absent', writeOnly: true, format: 'password' })
  @IsOptional()
  @Matches(SECRET_KEY, { message: 'secretKey must be 8 to 128 printable ASCII characters without blanks' })
  secretKey?: string;

  @ApiPropertyOptional({ type: 'object', additionalProperties: true, description: 'Policy that narrows the owner’s' })
  @IsOptional()
  @IsObject()
  sessionPolicy?: Record<string, unknown>;

  @ApiPropertyOptional({ format: 'date-time' })
  @IsOptional()
  @ToDate()
  @IsDate()
  expiresAt?: Date;
}

export class UpdateAccessKeyDto extends AccessKeyFields {
  @ApiPropertyOptional({ enum: STATUS })
  @IsOptional()
  @IsIn(STATUS)
  status?: 'enabled' | 'disabled';

  @ApiPropertyOptional({ writeOnly: true, format: 'password' })
  @IsOptional()
  @Matches(SECRET_KEY, { message: 'secretKey must be 8 to 128 printable ASCII characters without blanks' })
  secretKey?: string;

  @ApiPropertyOptional({ type: 'object', additionalProperties: true, nullable: true, description: 'Null removes it' })
  @IsOptional()
  @IsObject()
  sessionPolicy?: Record<string, unknown> | null;

  @ApiPropertyOptional({ format: 'date-time', nullable: true, description: 'Null removes it' })
  @IsOptional()
  @ToDate()
  @IsDate()
  expiresAt?: Date | null;
}

export class AccessKeyQuery {
  @ApiPropertyOptional({ description: 'Only the keys of this user', example: 'alice' })
  @IsOptional()
  @Matches(ENTITY_NAME, { message: NAME_MESSAGE })
  user?: string;
}

export class SimulatePolicyDto {
  @ApiPropertyOptional({ description: 'Whose permissions; anonymous without it', example: 'alice' })
  @IsOptional()
  @Matches(ENTITY_NAME, { message: NAME_MESSAGE })
  userName?: string;

  @ApiProperty({ example: 's3:GetObject' })
  @Matches(/^[A-Za-z0-9-]+:[A-Za-z0-9]+$/, { message: 'action must look like s3:GetObject' })
  action!: string;

  @ApiProperty({ example: 'arn:aws:s3:::photos/cat.jpg' })
  @IsString()
  @MaxLength(2048)
  resource!: string;

  @ApiPropertyOptional({
    type: 'object',
    additionalProperties: { type: 'string' },
    example: { 'aws:SourceIp': '203.0.113.9' },
  })
  @IsOptional()
  @IsObject()
  conditions?: Record<string, string | string[]>;

  @ApiPropertyOptional({
    type: 'object',
    additionalProperties: true,
    description: 'Bucket policy to take into account',
  })
  @IsOptional()
  @IsObject()
  bucketPolicy?: Record<string, unknown>;
}
