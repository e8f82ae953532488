import { Body, Delete, Get, HttpCode, Param, Patch, Post, Query, Req } from '@nestjs/common';
import { ApiCreatedResponse, ApiOkResponse, ApiOperation } from '@nestjs/swagger';
import { AdminController, ApiProblem } from '../admin-controller.decorator';
import type { AdminRequest } from '../admin-request';
import { toKeyDto } from '../kms-admin.service';
import { AnyCaller, RequiresKeyAction } from '../requires-action.decorator';
import { toKeyRotationDto } from '../rotation/rotation-wire';
import type { KeyImpact } from './key-impact';
import { KeyLifecycleService, type KeyDetails } from './key-lifecycle.service';
import {
  KeyChangeDto,
  KeyDeletionDto,
  KeyDetailsDto,
  KeyImpactDto,
  KeyPageDto,
  KeyParams,
  ListKeysQuery,
  NewKeyDto,
  ScheduledDeletionDto,
} from './keys.dto';

const USUAL_PAGE = 100;
const USUAL_WINDOW_DAYS = 30;

/** Keys of every KMS, from their making to their deletion. */
@AdminController('api/v1/kms/keys', 'kms')
@ApiProblem(404, 'There is no such key')
@ApiProblem(501, 'This KMS cannot do that from here')
export class KeysController {
  constructor(private readonly keys: KeyLifecycleService) {}

  @Get()
  @AnyCaller()
  @ApiOperation({ summary: 'List the keys of a KMS that the caller may see (kms:ListKeys)' })
  @ApiOkResponse({ type: KeyPageDto })
  async listKmsKeys(@Req() request: AdminRequest, @Query() query: ListKeysQuery): Promise<KeyPageDto> {
    const { kms, pattern = '', marker, limit = USUAL_PAGE } = query;
    const page = await this.keys.list(request, { kms, pattern, marker, limit });
    return { kms: page.kms, keys: page.keys.map(toDetailsDto), next_marker: page.nextMarker };
  }

  @Post()
  @AnyCaller()
  @ApiOperation({ summary: 'Create or import a key (kms:CreateKey or kms:ImportKey, for its name)' })
  @ApiCreatedResponse({ type: KeyDetailsDto })
  @ApiProblem(409, 'The key exists already')
  async createKmsKey(@Req() request: AdminRequest, @Body() body: NewKeyDto): Promise<KeyDetailsDto> {
    const { key_id: reference, description, tags, material } = body;
    const bytes = material === undefined ? undefined : Buffer.from(material, 'base64');
    return toDetailsDto(await this.keys.create(request, { reference, description, tags, material: bytes }));
  }

  @Get(':key_id')
  @RequiresKeyAction('kms:DescribeKey')
  @ApiOperation({ summary: 'A key with its versions, description and tags' })
  @ApiOkResponse({ type: KeyDetailsDto })
  async describeKmsKey(@Param() { key_id }: KeyParams): Promise<KeyDetailsDto> {
    return toDetailsDto(await this.keys.describe(key_id));
  }

  @Patch(':key_id')
  @RequiresKeyAction('kms:UpdateKeyDescription', 'kms:TagResource', 'kms:UntagResource')
  @ApiOperation({
    summary: 'Change description and tags',
    description: 'Asks for kms:UpdateKeyDescription, kms:TagResource and kms:UntagResource, as far as used.',
  })
  @ApiOkResponse({ type: KeyDetailsDto })
  async changeKmsKey(
    @Req() request: AdminRequest,
    @Param() { key_id }: KeyParams,
    @Body() { description, tags = {} }: KeyChangeDto,
  ): Promise<KeyDetailsDto> {
    return toDetailsDto(await this.keys.change(request, key_id, { description, tags: new Map(Object.entries(tags)) }));
  }

  @Get(':key_id/impact')
  @RequiresKeyAction('kms:DescribeKey')
  @ApiOperation({ summary: 'What deleting the key would destroy: buckets, objects and bytes by key version' })
  @ApiOkResponse({ type: KeyImpactDto })
  async getKmsKeyImpact(@Param() { key_id }: KeyParams): Promise<KeyImpactDto> {
    return toImpactDto(await this.keys.impact(key_id));
  }

  @Post(':key_id/rotate')
  @HttpCode(200)
  @RequiresKeyAction('kms:RotateKey')
  @ApiOperation({ summary: 'Add a version; older objects stay readable' })
  @ApiOkResponse({ type: KeyDetailsDto })
  async rotateKmsKey(@Param() { key_id }: KeyParams): Promise<KeyDetailsDto> {
    return toDetailsDto(await this.keys.rotate(key_id));
  }

  @Post(':key_id/enable')
  @HttpCode(200)
  @RequiresKeyAction('kms:EnableKey')
  @ApiOperation({ summary: 'Enable a key' })
  @ApiOkResponse({ type: KeyDetailsDto })
  async enableKmsKey(@Param() { key_id }: KeyParams): Promise<KeyDetailsDto> {
    return toDetailsDto(await this.keys.setEnabled(key_id, true));
  }

  @Post(':key_id/disable')
  @HttpCode(200)
  @RequiresKeyAction('kms:DisableKey')
  @ApiOperation({ summary: 'Disable a key; it then neither wraps nor unwraps' })
  @ApiOkResponse({ type: KeyDetailsDto })
  async disableKmsKey(@Param() { key_id }: KeyParams): Promise<KeyDetailsDto> {
    return toDetailsDto(await this.keys.setEnabled(key_id, false));
  }

  @Post(':key_id/deletion')
  @HttpCode(200)
  @RequiresKeyAction('kms:DeleteKey')
  @ApiOperation({
    summary: 'Schedule the deletion of a key in 7 to 30 days',
    description: 'While anything hangs on the key, only with its id repeated in confirm_key_id. See /impact first.',
  })
  @ApiOkResponse({ type: ScheduledDeletionDto })
  @ApiProblem(409, 'Something still hangs on the key')
  async scheduleKmsKeyDeletion(
    @Param() { key_id }: KeyParams,
    @Body() { pending_window_in_days = USUAL_WINDOW_DAYS, confirm_key_id }: KeyDeletionDto,
  ): Promise<ScheduledDeletionDto> {
    const { key, impact } = await this.keys.scheduleDeletion(key_id, pending_window_in_days, confirm_key_id);
    return { key: toDetailsDto(key), impact: toImpactDto(impact) };
  }

  @Delete(':key_id/deletion')
  @RequiresKeyAction('kms:DeleteKey')
  @ApiOperation({ summary: 'Cancel the deletion; the key comes back disabled' })
  @ApiOkResponse({ type: KeyDetailsDto })
  async cancelKmsKeyDeletion(@Param() { key_id }: KeyParams): Promise<KeyDetailsDto> {
    return toDetailsDto(await this.keys.cancelDeletion(key_id));
  }
}

function toDetailsDto(key: KeyDetails): KeyDetailsDto {
  const rotation = key.rotation && toKeyRotationDto(key, key.rotation);
  return { ...toKeyDto(key), description: key.description, tags: key.tags, rotation };
}

function toImpactDto({ keyId, kms, references, usage }: KeyImpact): KeyImpactDto {
  const { objects, bytes, uploads, escrowObjects: escrow_objects, escrowUploads: escrow_uploads } = usage;
  const versions = usage.versions.map((version) => ({
    key_version: version.keyVersion,
    objects: version.objects,
    bytes: version.bytes,
    uploads: version.uploads,
    escrow_objects: version.escrowObjects,
    escrow_uploads: version.escrowUploads,
  }));
  const bucket_defaults = usage.bucketDefaults;
  const sealed = { objects, bytes, uploads, escrow_objects, escrow_uploads };
  return { key_id: keyId, kms, references, bucket_defaults, ...sealed, versions };
}
