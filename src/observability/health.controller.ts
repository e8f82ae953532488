import { Controller, Get, Head, Res } from '@nestjs/common';
import { ApiOperation, ApiResponse, ApiTags } from '@nestjs/swagger';
import { ReadinessService, type ReadinessReport } from './readiness.service';

/** The part of an HTTP answer that is used here. */
interface StatusAnswer {
  status(code: number): unknown;
}

/** Liveness and readiness for load balancers and orchestrators, under Strongroom's own paths. Open without credentials. */
@ApiTags('health')
@Controller('health')
export class HealthController {
  constructor(private readonly readiness: ReadinessService) {}

  @Get('live')
  @ApiOperation({ summary: 'Whether the process answers; says nothing about the parts behind it' })
  live(): { status: 'ok' } {
    return { status: 'ok' };
  }

  @Get('ready')
  @ApiOperation({
    summary: 'Whether requests can be served',
    description:
      'Lists the database, the blob store and every key management system by name. A key management system that is down makes the ' +
      'store degraded, not unavailable: plain, SSE-C and SSE-S3 objects and cached keys still work.',
  })
  @ApiResponse({ status: 200, description: 'Ready, possibly degraded' })
  @ApiResponse({ status: 503, description: 'The database or the blob store is down' })
  async ready(@Res({ passthrough: true }) answer: StatusAnswer): Promise<ReadinessReport> {
    const report = await this.readiness.report();
    if (report.status === 'unavailable') answer.status(503);
    return report;
  }
}

/** The same under the paths that MinIO's charts and scripts ask for; they look at the status only. */
@ApiTags('health')
@Controller('minio/health')
export class MinioHealthController {
  constructor(private readonly readiness: ReadinessService) {}

  @Get('live')
  @Head('live')
  @ApiOperation({ summary: 'As /health/live, without a body' })
  live(): void {}

  @Get(['ready', 'cluster', 'cluster/read'])
  @Head(['ready', 'cluster', 'cluster/read'])
  @ApiOperation({ summary: 'As /health/ready, without a body' })
  @ApiResponse({ status: 200, description: 'Ready, possibly degraded' })
  @ApiResponse({ status: 503, description: 'The database or the blob store is down' })
  async ready(@Res({ passthrough: true }) answer: StatusAnswer): Promise<void> {
    const report = await this.readiness.report();
    if (report.status === 'unavailable') answer.status(503);
  }
}
