import { ApiProperty, ApiPropertyOptional } from '@nestjs/swagger';
import { Transform } from 'class-transformer';
import { ArrayMaxSize, IsArray, IsIn, IsOptional, IsString, MaxLength } from 'class-validator';
import { QueryFlag } from '../../query-flag';

const LONGEST_NAME = 128;
const MOST_NAMES = 1000;
const STATUS = ['enabled', 'disabled'];
const LIST_TYPES = ['users-only', 'sts-only', 'svcacc-only', 'all'];

/** A parameter that may come several times. */
const Repeated = (): PropertyDecorator =>
  Transform(({ value }: { value: unknown }) => (value === undefined || Array.isArray(value) ? value : [value]));

export class AccessKeyNameQuery {
  @ApiProperty({ description: 'Name of a user, or id of an access key', example: 'alice' })
  @IsString()
  @MaxLength(LONGEST_NAME)
  accessKey!: string;
}

export class UserStatusQuery extends AccessKeyNameQuery {
  @ApiProperty({ enum: STATUS })
  @IsIn(STATUS)
  status!: 'enabled' | 'disabled';
}

export class OptionalAccessKeyQuery {
  @ApiPropertyOptional({ description: 'The caller’s own when absent' })
  @IsOptional()
  @IsString()
  @MaxLength(LONGEST_NAME)
  accessKey?: string;
}

export class GroupQuery {
  @ApiProperty({ example: 'developers' })
  @IsString()
  @MaxLength(LONGEST_NAME)
  group!: string;
}

export class GroupStatusQuery extends GroupQuery {
  @ApiProperty({ enum: STATUS })
  @IsIn(STATUS)
  status!: 'enabled' | 'disabled';
}

export class PolicyNameQuery {
  @ApiProperty({ example: 'photos-readonly' })
  @IsString()
  @MaxLength(LONGEST_NAME)
  name!: string;
}

export class PolicyInfoQuery extends PolicyNameQuery {
  @ApiPropertyOptional({ description: '2 for the policy with its dates' })
  @IsOptional()
  @IsIn(['2'])
  v?: string;
}

export class SetPolicyQuery {
  @ApiProperty({ description: 'Names, separated by commas; they replace what is attached', example: 'readonly' })
  @IsString()
  @MaxLength(4096)
  policyName!: string;

  @ApiProperty({ example: 'alice' })
  @IsString()
  @MaxLength(LONGEST_NAME)
  userOrGroup!: string;

  @QueryFlag('Whether it is a group')
  isGroup?: boolean;
}

export class PolicyEntitiesQuery {
  @ApiPropertyOptional({ type: [String] })
  @IsOptional()
  @Repeated()
  @IsArray()
  @ArrayMaxSize(MOST_NAMES)
  @IsString({ each: true })
  user?: string[];

  @ApiPropertyOptional({ type: [String] })
  @IsOptional()
  @Repeated()
  @IsArray()
  @ArrayMaxSize(MOST_NAMES)
  @IsString({ each: true })
  group?: string[];

  @ApiPropertyOptional({ type: [String] })
  @IsOptional()
  @Repeated()
  @IsArray()
  @ArrayMaxSize(MOST_NAMES)
  @IsString({ each: true })
  policy?: string[];
}

export class UserFilterQuery {
  @ApiPropertyOptional({ description: 'The caller when absent', example: 'alice' })
  @IsOptional()
  @IsString()
  @MaxLength(LONGEST_NAME)
  user?: string;
}

export class ListAccessKeysQuery {
  @ApiProperty({ enum: LIST_TYPES })
  @IsIn(LIST_TYPES)
  listType!: 'users-only' | 'sts-only' | 'svcacc-only' | 'all';

  @ApiPropertyOptional({ type: [String], description: 'The caller when absent' })
  @IsOptional()
  @Repeated()
  @IsArray()
  @ArrayMaxSize(MOST_NAMES)
  @IsString({ each: true })
  users?: string[];

  @QueryFlag('Of all users')
  all?: boolean;
}

export class RevokeTokensQuery {
  @ApiPropertyOptional({ description: 'The caller when absent', example: 'alice' })
  @IsOptional()
  @IsString()
  @MaxLength(LONGEST_NAME)
  user?: string;

  @ApiPropertyOptional({ description: 'Types of tokens are not kept; must be empty' })
  @IsOptional()
  @IsIn([''], { message: 'tokenRevokeType is not supported; use fullRevoke' })
  tokenRevokeType?: string;

  @QueryFlag('Revoke all; what happens in any case')
  fullRevoke?: boolean;
}

export class PrefixUsageQuery {
  @ApiPropertyOptional({ name: 'prefix-usage', description: 'Accepted; usage is not counted' })
  @IsOptional()
  'prefix-usage'?: unknown;
}
