import { Body, Get, HttpCode, Post, Query, Req } from '@nestjs/common';
import { ApiOkResponse, ApiOperation } from '@nestjs/swagger';
import { AdminController, ApiProblem } from '../admin-controller.decorator';
import type { AdminRequest } from '../admin-request';
import { KeyLifecycleService } from '../keys/key-lifecycle.service';
import { requireKeyReference } from '../required-key';
import { AnyCaller, RequiresKeyAction } from '../requires-action.decorator';
import {
  RustfsBareKeyDto,
  RustfsBareKeyPageDto,
  RustfsCreatedKeyDto,
  RustfsCreateKeyDto,
  RustfsListKeysQuery,
  RustfsNamedKeyQuery,
} from './rustfs-keys.dto';
import { RustfsKeys } from './rustfs-keys.service';
import { toKeyMetadata } from './rustfs-wire';

/** RustFS' older key routes, whose answers are not wrapped. */
@AdminController('rustfs/admin/v3/kms', 'kms')
@ApiProblem(503, 'The KMS is not running')
export class RustfsLegacyKeysController {
  constructor(
    private readonly keys: KeyLifecycleService,
    private readonly rustfs: RustfsKeys,
  ) {}

  @Post(['create-key', 'key/create'])
  @HttpCode(200)
  @AnyCaller()
  @ApiOperation({ summary: 'Create a key (kms:CreateKey for its name)' })
  @ApiOkResponse({ type: RustfsCreatedKeyDto })
  @ApiProblem(409, 'The key exists already')
  async createLegacyRustfsKey(
    @Req() request: AdminRequest,
    @Query() _query: RustfsNamedKeyQuery,
    @Body() body?: RustfsCreateKeyDto,
  ): Promise<RustfsCreatedKeyDto> {
    const key = await this.rustfs.create(request, body ?? {});
    return { key_id: key.keyId, key_metadata: toKeyMetadata(key) };
  }

  @Get(['describe-key', 'key/status'])
  @RequiresKeyAction('kms:DescribeKey', 'kms:KeyStatus', 'admin:KMSKeyStatus')
  @ApiOperation({ summary: 'State of a key' })
  @ApiOkResponse({ type: RustfsBareKeyDto })
  @ApiProblem(404, 'There is no such key')
  async describeLegacyRustfsKey(
    @Req() request: AdminRequest,
    @Query() _query: RustfsNamedKeyQuery,
  ): Promise<RustfsBareKeyDto> {
    return { key_metadata: toKeyMetadata(await this.keys.describe(requireKeyReference(request))) };
  }

  @Get('list-keys')
  @AnyCaller()
  @ApiOperation({ summary: 'List the keys that the caller may see (kms:ListKeys)' })
  @ApiOkResponse({ type: RustfsBareKeyPageDto })
  async listLegacyRustfsKeys(
    @Req() request: AdminRequest,
    @Query() query: RustfsListKeysQuery,
  ): Promise<RustfsBareKeyPageDto> {
    return this.rustfs.list(request, query);
  }
}
