import { Body, Get, HttpCode, Post, Query, Req } from '@nestjs/common';
import { ApiOkResponse, ApiOperation } from '@nestjs/swagger';
import { keyReferenceOf } from '../admin-auth.guard';
import { AdminController, ApiProblem } from '../admin-controller.decorator';
import type { AdminRequest } from '../admin-request';
import { KmsAdminService } from '../kms-admin.service';
import { KeyBody, KeyQuery, KeyTrialDto, KmsKeyDto, KmsStatusDto } from '../kms.dto';
import { requireKeyReference } from '../required-key';
import { RequiresAction, RequiresKeyAction } from '../requires-action.decorator';

/** What `mc admin kms key` asks for, where RustFS answers in shapes of its own under the same names. */
@AdminController('minio/admin/v3/kms', 'kms')
export class AdminKmsController {
  constructor(private readonly kms: KmsAdminService) {}

  @Get('status')
  @RequiresAction('admin:KMSKeyStatus', 'kms:Status', 'kms:ServiceControl')
  @ApiOperation({ summary: 'Every KMS with its health, without asking any of them' })
  @ApiOkResponse({ type: KmsStatusDto })
  getKmsStatus(): KmsStatusDto {
    return this.kms.status();
  }

  @Post('status')
  @HttpCode(200)
  @RequiresAction('admin:KMSKeyStatus', 'kms:Status', 'kms:ServiceControl')
  @ApiOperation({ summary: 'The same; mc asks by POST' })
  @ApiOkResponse({ type: KmsStatusDto })
  postKmsStatus(): KmsStatusDto {
    return this.kms.status();
  }

  @Post('key/create')
  @HttpCode(200)
  @RequiresKeyAction('admin:KMSCreateKey', 'kms:CreateKey')
  @ApiOperation({ summary: 'Create a key' })
  @ApiOkResponse({ type: KmsKeyDto })
  @ApiProblem(409, 'The key exists already')
  @ApiProblem(501, 'This KMS cannot create keys from here')
  async createKey(@Req() request: AdminRequest, @Query() _query: KeyQuery, @Body() _body: KeyBody): Promise<KmsKeyDto> {
    return this.kms.create(requireKeyReference(request, 'key-id'));
  }

  @Get('key/status')
  @RequiresKeyAction('admin:KMSKeyStatus', 'kms:KeyStatus')
  @ApiOperation({ summary: 'Make a data key, unwrap it and compare' })
  @ApiOkResponse({ type: KeyTrialDto })
  async getKeyStatus(@Req() request: AdminRequest, @Query() _query: KeyQuery): Promise<KeyTrialDto> {
    return this.kms.tryKey(keyReferenceOf(request));
  }
}
