import { Get, HttpCode, Post, Query, Req } from '@nestjs/common';
import { ApiOkResponse, ApiOperation } from '@nestjs/swagger';
import { keyReferenceOf } from './admin-auth.guard';
import { AdminController, ApiProblem } from './admin-controller.decorator';
import type { AdminRequest } from './admin-request';
import { MAX_BODY_BYTES } from './json-body.middleware';
import { KmsAdminService } from './kms-admin.service';
import { readKmsMetrics } from './kms-metrics';
import {
  KeyListEntryDto,
  KeyListQuery,
  KeyQuery,
  KeyTrialDto,
  KmsApiDto,
  KmsMetricsDto,
  KmsStatusDto,
  KmsVersionDto,
} from './kms.dto';
import { AnyCaller, RequiresAction, RequiresKeyAction } from './requires-action.decorator';
import { programVersion } from './program-version';

const TIMEOUT_SECONDS = 60;
const ROUTES: readonly (readonly [string, string])[] = [
  ['GET', 'status'],
  ['GET', 'version'],
  ['GET', 'apis'],
  ['GET', 'metrics'],
  ['POST', 'key/create'],
  ['GET', 'key/list'],
  ['GET', 'key/status'],
];

/** MinIO's KMS API, in its shapes. */
@AdminController('minio/kms/v1', 'kms')
export class MinioKmsController {
  constructor(private readonly kms: KmsAdminService) {}

  @Get('status')
  @RequiresAction('kms:Status')
  @ApiOperation({ summary: 'Every KMS with its health, without asking any of them' })
  @ApiOkResponse({ type: KmsStatusDto })
  getKmsStatus(): KmsStatusDto {
    return this.kms.status();
  }

  @Get('version')
  @RequiresAction('kms:Version')
  @ApiOperation({ summary: 'Version of this program' })
  @ApiOkResponse({ type: KmsVersionDto })
  getKmsVersion(): KmsVersionDto {
    return { version: programVersion() };
  }

  @Get('apis')
  @RequiresAction('kms:API')
  @ApiOperation({ summary: 'The routes of this API' })
  @ApiOkResponse({ type: [KmsApiDto] })
  listKmsApis(): KmsApiDto[] {
    return ROUTES.map(([Method, path]) => ({
      Method,
      Path: `/minio/kms/v1/${path}`,
      MaxBody: Method === 'POST' ? MAX_BODY_BYTES : 0,
      Timeout: TIMEOUT_SECONDS,
    }));
  }

  @Get('metrics')
  @RequiresAction('kms:Metrics')
  @ApiOperation({ summary: 'KMS calls of this process; /metrics has them for all' })
  @ApiOkResponse({ type: KmsMetricsDto })
  async getKmsMetrics(): Promise<KmsMetricsDto> {
    return readKmsMetrics();
  }

  @Post('key/create')
  @HttpCode(200)
  @RequiresKeyAction('kms:CreateKey')
  @ApiOperation({ summary: 'Create a key' })
  @ApiOkResponse({ description: 'Created; no body' })
  @ApiProblem(409, 'The key exists already')
  async createKey(@Req() request: AdminRequest, @Query() _query: KeyQuery): Promise<void> {
    await this.kms.create(keyReferenceOf(request));
  }

  @Get('key/list')
  @AnyCaller()
  @ApiOperation({ summary: 'List the keys that the caller may see (kms:ListKeys)' })
  @ApiOkResponse({ type: [KeyListEntryDto] })
  async listKeys(@Req() request: AdminRequest, @Query() query: KeyListQuery): Promise<KeyListEntryDto[]> {
    return this.kms.list(request, query);
  }

  @Get('key/status')
  @RequiresKeyAction('kms:KeyStatus')
  @ApiOperation({ summary: 'Make a data key, unwrap it and compare' })
  @ApiOkResponse({ type: KeyTrialDto })
  async getKeyStatus(@Req() request: AdminRequest, @Query() _query: KeyQuery): Promise<KeyTrialDto> {
    return this.kms.tryKey(keyReferenceOf(request));
  }
}
