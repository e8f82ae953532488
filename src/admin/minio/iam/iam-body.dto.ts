import { ApiProperty, ApiPropertyOptional } from '@nestjs/swagger';
import { Transform } from 'class-transformer';
import { ArrayMaxSize, IsArray, IsDate, IsIn, IsObject, IsOptional, IsString, MaxLength } from 'class-validator';

const USER_STATUS = ['enabled', 'disabled'];
const KEY_STATUS = ['on', 'off', 'enabled', 'disabled'];
const MOST_NAMES = 1000;
const DAY_MS = 86_400_000;

/** Clients written in Go send `null` for an empty list. */
const NullAsEmpty = (): PropertyDecorator => Transform(({ value }: { value: unknown }) => value ?? []);

/** Clients written in Go send the beginning of their calendar, or of the epoch, for no time at all. */
const ExpiryOrNever = (): PropertyDecorator =>
  Transform(({ value }: { value: unknown }) => {
    const date = typeof value === 'string' ? new Date(value) : value;
    return date instanceof Date && date.getTime() < DAY_MS ? null : date;
  });

/** `null` and `{}` both mean no policy. */
const PolicyOrNone = (): PropertyDecorator =>
  Transform(({ value }: { value: unknown }) =>
    typeof value === 'object' && value !== null && Object.keys(value).length === 0 ? null : value,
  );

export class AddUserBody {
  @ApiPropertyOptional({ writeOnly: true, format: 'password' })
  @IsOptional()
  @IsString()
  secretKey?: string;

  @ApiPropertyOptional({ description: 'Names of policies to attach, separated by commas' })
  @IsOptional()
  @IsString()
  policy?: string;

  @ApiPropertyOptional({ enum: USER_STATUS })
  @IsOptional()
  @IsIn([...USER_STATUS, ''])
  status?: 'enabled' | 'disabled' | '';
}

export class UpdateGroupMembersBody {
  @ApiProperty({ example: 'developers' })
  @IsString()
  group!: string;

  @ApiProperty({ type: [String], example: ['alice'] })
  @NullAsEmpty()
  @IsArray()
  @ArrayMaxSize(MOST_NAMES)
  @IsString({ each: true })
  members: string[] = [];

  @ApiPropertyOptional({ description: 'Accepted; set-group-status sets it' })
  @IsOptional()
  @IsString()
  groupStatus?: string;

  @ApiPropertyOptional({ description: 'Remove them; the group itself when there are none' })
  @IsOptional()
  isRemove?: boolean;
}

export class PolicyAssociationBody {
  @ApiProperty({ type: [String], example: ['readonly'] })
  @IsArray()
  @ArrayMaxSize(MOST_NAMES)
  @IsString({ each: true })
  policies!: string[];

  @ApiPropertyOptional({ example: 'alice' })
  @IsOptional()
  @IsString()
  user?: string;

  @ApiPropertyOptional({ example: 'developers' })
  @IsOptional()
  @IsString()
  group?: string;

  @ApiPropertyOptional()
  @IsOptional()
  @IsString()
  configName?: string;
}

export class AddServiceAccountBody {
  @ApiPropertyOptional({ type: 'object', additionalProperties: true, description: 'Narrows what the owner may do' })
  @IsOptional()
  @PolicyOrNone()
  @IsObject()
  policy?: Record<string, unknown> | null;

  @ApiPropertyOptional({ description: 'Whose key; the caller’s when absent', example: 'alice' })
  @IsOptional()
  @IsString()
  targetUser?: string;

  @ApiPropertyOptional({ description: 'Generated when absent' })
  @IsOptional()
  @IsString()
  accessKey?: string;

  @ApiPropertyOptional({ description: 'Generated when absent', writeOnly: true, format: 'password' })
  @IsOptional()
  @IsString()
  secretKey?: string;

  @ApiPropertyOptional({ maxLength: 32 })
  @IsOptional()
  @IsString()
  @MaxLength(32)
  name?: string;

  @ApiPropertyOptional({ maxLength: 256 })
  @IsOptional()
  @IsString()
  @MaxLength(256)
  description?: string;

  @ApiPropertyOptional({ description: 'Older name of description' })
  @IsOptional()
  @IsString()
  @MaxLength(256)
  comment?: string;

  @ApiPropertyOptional({ format: 'date-time', nullable: true })
  @IsOptional()
  @ExpiryOrNever()
  @IsDate()
  expiration?: Date | null;
}

export class UpdateServiceAccountBody {
  @ApiPropertyOptional({ type: 'object', additionalProperties: true, description: 'An empty object removes it' })
  @IsOptional()
  @PolicyOrNone()
  @IsObject()
  newPolicy?: Record<string, unknown> | null;

  @ApiPropertyOptional({ writeOnly: true, format: 'password' })
  @IsOptional()
  @IsString()
  newSecretKey?: string;

  @ApiPropertyOptional({ enum: KEY_STATUS })
  @IsOptional()
  @IsIn([...KEY_STATUS, ''])
  newStatus?: 'on' | 'off' | 'enabled' | 'disabled' | '';

  @ApiPropertyOptional({ maxLength: 32 })
  @IsOptional()
  @IsString()
  @MaxLength(32)
  newName?: string;

  @ApiPropertyOptional({ maxLength: 256 })
  @IsOptional()
  @IsString()
  @MaxLength(256)
  newDescription?: string;

  @ApiPropertyOptional({ format: 'date-time', nullable: true, description: 'The epoch removes it' })
  @IsOptional()
  @ExpiryOrNever()
  @IsDate()
  newExpiration?: Date | null;
}
