import { ApiProperty, ApiPropertyOptional } from '@nestjs/swagger';

const STATUS = ['enabled', 'disabled'];

export class UserDto {
  @ApiProperty({ example: 'alice' })
  name!: string;

  @ApiProperty({ enum: STATUS })
  status!: string;

  @ApiProperty({ description: 'Canonical id, shown as Owner in listings' })
  ownerId!: string;

  @ApiProperty({ type: [String], example: ['readwrite'] })
  policies!: readonly string[];

  @ApiProperty({ type: [String], example: ['developers'] })
  groups!: readonly string[];

  @ApiProperty()
  createdAt!: Date;

  @ApiProperty()
  updatedAt!: Date;
}

export class UserListDto {
  @ApiProperty({ type: [UserDto] })
  users!: readonly UserDto[];
}

export class GroupDto {
  @ApiProperty({ example: 'developers' })
  name!: string;

  @ApiProperty({ enum: STATUS })
  status!: string;

  @ApiProperty({ type: [String], example: ['alice'] })
  members!: readonly string[];

  @ApiProperty({ type: [String], example: ['readwrite'] })
  policies!: readonly string[];

  @ApiProperty()
  createdAt!: Date;

  @ApiProperty()
  updatedAt!: Date;
}

export class GroupListDto {
  @ApiProperty({ type: [GroupDto] })
  groups!: readonly GroupDto[];
}

export class PolicyDto {
  @ApiProperty({ example: 'photos-readonly' })
  name!: string;

  @ApiProperty({ description: 'Comes with the program; cannot be changed or deleted' })
  builtin!: boolean;

  @ApiProperty({ type: 'object', additionalProperties: true, description: 'The policy in AWS’s grammar' })
  document!: Record<string, unknown>;

  @ApiProperty()
  createdAt!: Date;

  @ApiProperty()
  updatedAt!: Date;
}

export class PolicyListDto {
  @ApiProperty({ type: [PolicyDto] })
  policies!: readonly PolicyDto[];
}

export class AccessKeyDto {
  @ApiProperty({ example: 'STRONGROOMEXAMPLE2AB' })
  accessKeyId!: string;

  @ApiPropertyOptional({ description: 'Absent for a key of root', example: 'alice' })
  userName?: string;

  @ApiProperty({ enum: STATUS })
  status!: string;

  @ApiProperty({ example: 'backup' })
  name!: string;

  @ApiProperty({ example: 'backup job' })
  description!: string;

  @ApiPropertyOptional({ type: 'object', additionalProperties: true })
  sessionPolicy?: Record<string, unknown>;

  @ApiPropertyOptional()
  expiresAt?: Date;

  @ApiProperty()
  createdAt!: Date;

  @ApiProperty()
  updatedAt!: Date;
}

export class CreatedAccessKeyDto extends AccessKeyDto {
  @ApiPropertyOptional({ description: 'Present when it was generated; shown this once', format: 'password' })
  secretKey?: string;
}

export class AccessKeyListDto {
  @ApiProperty({ type: [AccessKeyDto] })
  accessKeys!: readonly AccessKeyDto[];
}

export class WhoAmIDto {
  @ApiProperty({ enum: ['root', 'user'] })
  kind!: string;

  @ApiProperty({ example: 'alice' })
  name!: string;

  @ApiProperty({ example: 'STRONGROOMEXAMPLE2AB' })
  accessKeyId!: string;

  @ApiProperty({ description: 'Canonical id' })
  ownerId!: string;
}

export class DecisionDto {
  @ApiProperty()
  allowed!: boolean;

  @ApiProperty({ example: 'allow:readwrite', description: 'The policy that decided, or implicit-deny' })
  reason!: string;
}
