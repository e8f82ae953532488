import { Delete, Get, HttpCode, Post, Query, Req } from '@nestjs/common';
import { ApiBody, ApiConsumes, ApiOkResponse, ApiOperation } from '@nestjs/swagger';
import { keyReferenceOf } from './admin-auth.guard';
import { AdminController, ApiProblem } from './admin-controller.decorator';
import type { AdminRequest } from './admin-request';
import { MAX_BODY_BYTES } from './json-body.middleware';
import { KeyLifecycleService } from './keys/key-lifecycle.service';
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
import { importedMaterial } from './minio/imported-material';
import { programVersion } from './program-version';
import { RawBody } from './raw-body.decorator';
import { AnyCaller, RequiresAction, RequiresKeyAction } from './requires-action.decorator';
import { requireKeyReference } from './required-key';

const TIMEOUT_SECONDS = 60;
/** MinIO deletes keys at once; here a key always waits, and its clients cannot say how long. */
const SHORTEST_WINDOW_DAYS = 7;
const ROUTES: readonly (readonly [string, string])[] = [
  ['GET', 'status'],
  ['GET', 'version'],
  ['GET', 'apis'],
  ['GET', 'metrics'],
  ['POST', 'key/create'],
  ['POST', 'key/import'],
  ['POST', 'key/rotate'],
  ['DELETE', 'key/delete'],
  ['GET', 'key/list'],
  ['GET', 'key/status'],
];

/** MinIO's KMS API, in its shapes. */
@AdminController('minio/kms/v1', 'kms')
export class MinioKmsController {
  constructor(
    private readonly kms: KmsAdminService,
    private readonly keys: KeyLifecycleService,
  ) {}

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
    await this.kms.create(requireKeyReference(request, 'key-id'));
  }

  @Post('key/import')
  @HttpCode(200)
  @RawBody()
  @RequiresKeyAction('kms:ImportKey')
  @ApiOperation({ summary: 'Import a key of 32 bytes, where the KMS can' })
  @ApiConsumes('application/octet-stream', 'text/plain', 'application/json')
  @ApiBody({
    description: 'The 32 bytes, base64 of them, or `{"bytes": "<base64>"}`',
    schema: { type: 'string', format: 'binary' },
  })
  @ApiOkResponse({ description: 'Imported; no body' })
  @ApiProblem(409, 'The key exists already')
  @ApiProblem(501, 'This KMS cannot import keys from here')
  async importKey(@Req() request: AdminRequest, @Query() _query: KeyQuery): Promise<void> {
    const reference = requireKeyReference(request, 'key-id');
    await this.keys.create(request, { reference, material: importedMaterial(request.rawBody) });
  }

  @Post('key/rotate')
  @HttpCode(200)
  @RequiresKeyAction('kms:RotateKey')
  @ApiOperation({ summary: 'Add a version to a key, the default key unless one is named; older objects stay readable' })
  @ApiOkResponse({ description: 'Rotated; no body' })
  @ApiProblem(404, 'There is no such key')
  @ApiProblem(501, 'This KMS cannot rotate keys from here')
  async rotateKey(@Req() request: AdminRequest, @Query() _query: KeyQuery): Promise<void> {
    await this.kms.rotate(keyReferenceOf(request));
  }

  @Delete('key/delete')
  @RequiresKeyAction('kms:DeleteKey')
  @ApiOperation({
    summary: 'Schedule the deletion of a key that nothing refers to, in 7 days',
    description: 'A key in use is deleted by /api/v1/kms/keys/{key_id}/deletion only, with its id repeated.',
  })
  @ApiOkResponse({ description: 'Scheduled; no body' })
  @ApiProblem(404, 'There is no such key')
  @ApiProblem(409, 'Something still hangs on the key')
  @ApiProblem(501, 'This KMS cannot delete keys from here')
  async deleteKey(@Req() request: AdminRequest, @Query() _query: KeyQuery): Promise<void> {
    await this.keys.scheduleDeletion(requireKeyReference(request, 'key-id'), SHORTEST_WINDOW_DAYS, undefined);
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
