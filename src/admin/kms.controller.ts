import { Body, Get, HttpCode, Post, Query, Req } from '@nestjs/common';
import { ApiOkResponse, ApiOperation } from '@nestjs/swagger';
import { keyReferenceOf } from './admin-auth.guard';
import { AdminController, ApiProblem } from './admin-controller.decorator';
import type { AdminRequest } from './admin-request';
import { KmsAdminService } from './kms-admin.service';
import { KeyBody, KeyListEntryDto, KeyListQuery, KeyQuery, KmsKeyDto } from './kms.dto';
import { AnyCaller, RequiresKeyAction } from './requires-action.decorator';

/** Key management in the style of `mc admin kms key`, with JSON bodies beside the query parameters. */
@AdminController(['minio/admin/v3/kms', 'rustfs/admin/v3/kms'], 'kms')
export class KmsController {
  constructor(private readonly kms: KmsAdminService) {}

  @Get('key/describe')
  @RequiresKeyAction('kms:DescribeKey', 'admin:KMSKeyStatus')
  @ApiOperation({ summary: 'State and versions of a key' })
  @ApiOkResponse({ type: KmsKeyDto })
  @ApiProblem(404, 'There is no such key')
  async describeKey(@Req() request: AdminRequest, @Query() _query: KeyQuery): Promise<KmsKeyDto> {
    return this.kms.describe(keyReferenceOf(request));
  }

  @Get('key/list')
  @AnyCaller()
  @ApiOperation({ summary: 'List the keys that the caller may see (kms:ListKeys)' })
  @ApiOkResponse({ type: [KeyListEntryDto] })
  async listKeys(@Req() request: AdminRequest, @Query() query: KeyListQuery): Promise<KeyListEntryDto[]> {
    return this.kms.list(request, query);
  }

  @Post('key/rotate')
  @HttpCode(200)
  @RequiresKeyAction('kms:RotateKey')
  @ApiOperation({ summary: 'Add a version to a key; older objects stay readable' })
  @ApiOkResponse({ type: KmsKeyDto })
  @ApiProblem(404, 'There is no such key')
  @ApiProblem(501, 'This KMS cannot rotate keys from here')
  async rotateKey(@Req() request: AdminRequest, @Query() _query: KeyQuery, @Body() _body: KeyBody): Promise<KmsKeyDto> {
    return this.kms.rotate(keyReferenceOf(request));
  }

  @Post('key/enable')
  @HttpCode(200)
  @RequiresKeyAction('kms:EnableKey')
  @ApiOperation({ summary: 'Enable a key' })
  @ApiOkResponse({ type: KmsKeyDto })
  @ApiProblem(404, 'There is no such key')
  @ApiProblem(501, 'This KMS cannot enable and disable keys from here')
  async enableKey(@Req() request: AdminRequest, @Query() _query: KeyQuery, @Body() _body: KeyBody): Promise<KmsKeyDto> {
    return this.kms.setEnabled(keyReferenceOf(request), true);
  }

  @Post('key/disable')
  @HttpCode(200)
  @RequiresKeyAction('kms:DisableKey')
  @ApiOperation({ summary: 'Disable a key; it then neither wraps nor unwraps' })
  @ApiOkResponse({ type: KmsKeyDto })
  @ApiProblem(404, 'There is no such key')
  @ApiProblem(501, 'This KMS cannot enable and disable keys from here')
  async disableKey(
    @Req() request: AdminRequest,
    @Query() _query: KeyQuery,
    @Body() _body: KeyBody,
  ): Promise<KmsKeyDto> {
    return this.kms.setEnabled(keyReferenceOf(request), false);
  }
}
