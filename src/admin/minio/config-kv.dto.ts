import { ApiProperty, ApiPropertyOptional } from '@nestjs/swagger';
import { Type } from 'class-transformer';
import { IsInt, IsOptional, IsString, Matches, Max, MaxLength, Min } from 'class-validator';

export class GetConfigKvQuery {
  @ApiProperty({
    example: 'kms_vault',
    description: '`subsystem`: all its targets; `subsystem:` and `subsystem:target`: one',
  })
  @Matches(/^[a-z][a-z0-9_]{0,63}(:[A-Za-z0-9._-]{0,64})?$/, {
    message: 'key must look like kms_vault or kms_vault:eu',
  })
  key!: string;

  @ApiPropertyOptional({ description: 'Accepted; variables of the environment are always shown' })
  @IsOptional()
  env?: unknown;
}

export class HelpConfigKvQuery {
  @ApiPropertyOptional({ example: 'kms_vault', description: 'Every subsystem, without it' })
  @IsOptional()
  @IsString()
  @MaxLength(128)
  subSys?: string;

  @ApiPropertyOptional({ example: 'endpoint', description: 'One field only' })
  @IsOptional()
  @IsString()
  @MaxLength(128)
  key?: string;

  @ApiPropertyOptional({ description: 'Names of environment variables instead of fields' })
  @IsOptional()
  env?: unknown;
}

export class ConfigHistoryKvQuery {
  @ApiPropertyOptional({ minimum: 1, maximum: 1000, default: 10 })
  @IsOptional()
  @Type(() => Number)
  @IsInt()
  @Min(1)
  @Max(1000)
  count?: number;
}

export class RestoreIdQuery {
  @ApiProperty({ example: '17', description: 'As the history tells it' })
  @Matches(/^\d{1,15}$/, { message: 'restoreId must be one of the history' })
  restoreId!: string;
}

export class ClearHistoryQuery {
  @ApiProperty({ example: 'all', description: 'One of the history, or `all`' })
  @Matches(/^(\d{1,15}|all)$/, { message: 'restoreId must be one of the history, or all' })
  restoreId!: string;
}

export class ConfigHelpKeyDto {
  @ApiProperty({ example: 'endpoint' })
  key!: string;

  @ApiProperty()
  description!: string;

  @ApiProperty()
  optional!: boolean;

  @ApiProperty({ example: 'url' })
  type!: string;

  @ApiProperty()
  multipleTargets!: boolean;
}

export class ConfigHelpDto {
  @ApiProperty({ example: 'kms_vault' })
  subSys!: string;

  @ApiProperty()
  description!: string;

  @ApiProperty()
  multipleTargets!: boolean;

  @ApiProperty({ type: [ConfigHelpKeyDto] })
  keysHelp!: ConfigHelpKeyDto[];
}
