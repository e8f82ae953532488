import { availableParallelism } from 'node:os';
import { Get, Query, Req } from '@nestjs/common';
import { ApiOkResponse, ApiOperation, ApiProperty, ApiPropertyOptional } from '@nestjs/swagger';
import { IsOptional } from 'class-validator';
import { Settings } from '../../settings/settings';
import { AdminController } from '../admin-controller.decorator';
import type { AdminRequest } from '../admin-request';
import { KmsAdminService } from '../kms-admin.service';
import { programVersion } from '../program-version';
import { RequiresAction } from '../requires-action.decorator';

const NOT_COUNTED = 'Not counted here; the metrics and the key usage tell';

class ServerInfoQuery {
  @ApiPropertyOptional({ description: 'Accepted; there are no figures of drives' })
  @IsOptional()
  metrics?: unknown;
}

class ServerPropertiesDto {
  @ApiProperty({ example: 'online' })
  state!: string;

  @ApiProperty({ example: 'store.example.com:9000' })
  endpoint!: string;

  @ApiProperty({ description: 'Seconds' })
  uptime!: number;

  @ApiProperty({ example: '0.1.0' })
  version!: string;

  @ApiProperty()
  num_cpu!: number;

  @ApiProperty({ example: 'v20.20.2' })
  runtime_version!: string;

  @ApiProperty({ example: 'Strongroom' })
  edition!: string;
}

class ServerInfoDto {
  @ApiProperty({ example: 'online' })
  mode!: string;

  @ApiProperty({ example: 'us-east-1' })
  region!: string;

  @ApiProperty({ type: 'object', additionalProperties: true })
  objects!: { readonly count: number; readonly error: string };

  @ApiProperty({ type: 'object', additionalProperties: true })
  usage!: { readonly size: number; readonly error: string };

  @ApiProperty({ type: 'object', additionalProperties: true, description: 'The KMSs' })
  services!: { readonly kmsStatus: readonly { readonly status: string; readonly endpoint: string }[] };

  @ApiProperty({ type: [ServerPropertiesDto] })
  servers!: readonly ServerPropertiesDto[];
}

/** What `mc admin info` asks, as far as there is anything alike here: no erasure sets and no drives. */
@AdminController('minio/admin/v3', 'health')
export class ServerInfoController {
  constructor(
    private readonly settings: Settings,
    private readonly kms: KmsAdminService,
  ) {}

  @Get('info')
  @RequiresAction('admin:ServerInfo')
  @ApiOperation({ summary: 'The server that answers, and its KMSs' })
  @ApiOkResponse({ type: ServerInfoDto })
  getServerInfo(@Req() request: AdminRequest, @Query() _query: ServerInfoQuery): ServerInfoDto {
    const kmsStatus = Object.entries(this.kms.status().endpoints).map(([endpoint, status]) => ({ endpoint, status }));
    return {
      mode: 'online',
      region: this.settings.region,
      objects: { count: 0, error: NOT_COUNTED },
      usage: { size: 0, error: NOT_COUNTED },
      services: { kmsStatus },
      servers: [
        {
          state: 'online',
          endpoint: request.headers.host ?? '',
          uptime: Math.round(process.uptime()),
          version: programVersion(),
          num_cpu: availableParallelism(),
          runtime_version: process.version,
          edition: 'Strongroom',
        },
      ],
    };
  }
}
