import { ApiProperty, ApiPropertyOptional } from '@nestjs/swagger';
import { IsBoolean, IsOptional } from 'class-validator';
import { KmsStatusDto } from '../kms.dto';

export type RustfsServiceState = 'NotConfigured' | 'Configured' | 'Running' | { readonly Error: string };

const STATE = {
  oneOf: [
    { type: 'string', enum: ['NotConfigured', 'Configured', 'Running'] },
    { type: 'object', properties: { Error: { type: 'string' } } },
  ],
};

export class RustfsStartDto {
  @ApiPropertyOptional({ description: 'Build the connection anew although it is running' })
  @IsOptional()
  @IsBoolean()
  force?: boolean;
}

export class RustfsServiceAnswerDto {
  @ApiProperty()
  success!: boolean;

  @ApiProperty()
  message!: string;

  @ApiProperty(STATE)
  status!: RustfsServiceState;
}

export class RustfsConfigDto {
  @ApiProperty({ example: 'VaultTransit' })
  backend!: string;

  @ApiProperty()
  cache_enabled!: boolean;

  @ApiProperty()
  cache_max_keys!: number;

  @ApiProperty()
  cache_ttl_seconds!: number;

  @ApiProperty({ type: String, nullable: true })
  default_key_id!: string | null;
}

export class RustfsServiceStatusDto {
  @ApiProperty(STATE)
  status!: RustfsServiceState;

  @ApiProperty({ example: 'VaultTransit' })
  backend_type!: string;

  @ApiProperty({ type: Boolean, nullable: true })
  healthy!: boolean | null;

  @ApiProperty({ type: RustfsConfigDto })
  config_summary!: RustfsConfigDto;
}

export class RustfsCacheStatsDto {
  @ApiProperty()
  hit_count!: number;

  @ApiProperty()
  miss_count!: number;

  @ApiProperty()
  entry_count!: number;

  @ApiProperty()
  eviction_count!: number;
}

/** RustFS' status, and MinIO's beside it. */
export class RustfsStatusDto extends KmsStatusDto {
  @ApiProperty()
  cache_enabled!: boolean;

  @ApiProperty({ type: RustfsCacheStatsDto, description: 'Of the process that answers' })
  cache_stats!: RustfsCacheStatsDto;

  @ApiPropertyOptional({ type: 'object', additionalProperties: { type: 'boolean' } })
  capabilities?: Readonly<Record<string, boolean>>;
}

export class RustfsCacheAnswerDto {
  @ApiProperty({ example: 'success' })
  status!: string;

  @ApiProperty()
  message!: string;
}
