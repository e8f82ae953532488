import { Body, Delete, Get, HttpCode, Param, Post, Query, Req } from '@nestjs/common';
import { ApiOkResponse, ApiOperation } from '@nestjs/swagger';
import { KmsError } from '../../kms/kms-error';
import { AdminController, ApiProblem } from '../admin-controller.decorator';
import { AdminError } from '../admin-error';
import type { AdminRequest } from '../admin-request';
import { KeyLifecycleService } from '../keys/key-lifecycle.service';
import { KeyParams } from '../keys/keys.dto';
import { requireKeyReference } from '../required-key';
import { AnyCaller, RequiresKeyAction } from '../requires-action.decorator';
import {
  RustfsCreateKeyDto,
  RustfsDataKeyDto,
  RustfsDeletedKeyDto,
  RustfsDeleteKeyDto,
  RustfsDeleteKeyQuery,
  RustfsDescribedKeyDto,
  RustfsDescribeKeyQuery,
  RustfsDescriptionDto,
  RustfsGeneratedDataKeyDto,
  RustfsKeyAnswerDto,
  RustfsKeyBody,
  RustfsKeyPageDto,
  RustfsListKeysQuery,
  RustfsTagDto,
  RustfsUntagDto,
} from './rustfs-keys.dto';
import { RustfsKeys } from './rustfs-keys.service';
import { toImpact, toKeyAnswer, toKeyMetadata } from './rustfs-wire';

const USUAL_WINDOW_DAYS = 30;

/** Keys in the shapes of RustFS. Every handler acts on the key that the guard has asked about, in whichever spelling. */
@AdminController('rustfs/admin/v3/kms', 'kms')
@ApiProblem(404, 'There is no such key')
@ApiProblem(501, 'This KMS cannot do that from here')
@ApiProblem(503, 'The KMS is not running')
export class RustfsKeysController {
  constructor(
    private readonly keys: KeyLifecycleService,
    private readonly rustfs: RustfsKeys,
  ) {}

  @Post('keys')
  @HttpCode(200)
  @AnyCaller()
  @ApiOperation({ summary: 'Create a key (kms:CreateKey for its name); the tag `name` is its id' })
  @ApiOkResponse({ type: RustfsKeyAnswerDto })
  @ApiProblem(409, 'The key exists already')
  async createRustfsKey(@Req() request: AdminRequest, @Body() body: RustfsCreateKeyDto): Promise<RustfsKeyAnswerDto> {
    return toKeyAnswer(await this.rustfs.create(request, body), 'key created');
  }

  @Get('keys')
  @AnyCaller()
  @ApiOperation({ summary: 'List the keys that the caller may see (kms:ListKeys)' })
  @ApiOkResponse({ type: RustfsKeyPageDto })
  async listRustfsKeys(@Req() request: AdminRequest, @Query() query: RustfsListKeysQuery): Promise<RustfsKeyPageDto> {
    return { success: true, message: 'keys listed', ...(await this.rustfs.list(request, query)) };
  }

  @Delete('keys/delete')
  @RequiresKeyAction('kms:DeleteKey')
  @ApiOperation({ summary: 'Schedule the deletion of a key; its id repeated in confirm_key_id while in use' })
  @ApiOkResponse({ type: RustfsDeletedKeyDto })
  @ApiProblem(409, 'Something still hangs on the key')
  async deleteRustfsKey(
    @Req() request: AdminRequest,
    @Query() query: RustfsDeleteKeyQuery,
    @Body() body?: RustfsDeleteKeyDto,
  ): Promise<RustfsDeletedKeyDto> {
    if (query.keyId !== undefined && body?.key_id !== undefined && query.keyId !== body.key_id) {
      throw new AdminError('InvalidRequest', 'The query and the body name different keys');
    }
    if (body?.force_immediate === true) {
      throw new KmsError('kms-unsupported', 'Keys are not deleted at once', {
        remedy: 'Schedule the deletion, and disable the key meanwhile.',
      });
    }
    const inQuery = query.pending_window_in_days;
    const days = body?.pending_window_in_days ?? (inQuery === undefined ? USUAL_WINDOW_DAYS : Number(inQuery));
    const reference = requireKeyReference(request);
    const { key, impact } = await this.keys.scheduleDeletion(reference, days, body?.confirm_key_id);
    return {
      success: true,
      message: 'key scheduled for deletion',
      key_id: key.keyId,
      deletion_date: key.deletionDate ?? null,
      impact: toImpact(impact),
    };
  }

  @Get('keys/:key_id')
  @RequiresKeyAction('kms:DescribeKey')
  @ApiOperation({ summary: 'A key, and what hangs on it' })
  @ApiOkResponse({ type: RustfsDescribedKeyDto })
  async describeRustfsKey(
    @Param() { key_id }: KeyParams,
    @Query() { impact }: RustfsDescribeKeyQuery,
  ): Promise<RustfsDescribedKeyDto> {
    const key_metadata = toKeyMetadata(await this.keys.describe(key_id));
    return {
      success: true,
      message: 'key described',
      key_metadata,
      ...(impact === 'true' ? { impact: toImpact(await this.keys.impact(key_id)) } : {}),
    };
  }

  @Post('keys/cancel-deletion')
  @HttpCode(200)
  @RequiresKeyAction('kms:DeleteKey')
  @ApiOperation({ summary: 'Cancel the deletion; the key comes back disabled' })
  @ApiOkResponse({ type: RustfsKeyAnswerDto })
  async cancelRustfsKeyDeletion(
    @Req() request: AdminRequest,
    @Body() _body: RustfsKeyBody,
  ): Promise<RustfsKeyAnswerDto> {
    return toKeyAnswer(await this.keys.cancelDeletion(requireKeyReference(request)), 'key deletion cancelled');
  }

  @Post('keys/enable')
  @HttpCode(200)
  @RequiresKeyAction('kms:EnableKey')
  @ApiOperation({ summary: 'Enable a key' })
  @ApiOkResponse({ type: RustfsKeyAnswerDto })
  async enableRustfsKey(@Req() request: AdminRequest, @Body() _body: RustfsKeyBody): Promise<RustfsKeyAnswerDto> {
    return toKeyAnswer(await this.keys.setEnabled(requireKeyReference(request), true), 'key enabled');
  }

  @Post('keys/disable')
  @HttpCode(200)
  @RequiresKeyAction('kms:DisableKey')
  @ApiOperation({ summary: 'Disable a key; it then neither wraps nor unwraps' })
  @ApiOkResponse({ type: RustfsKeyAnswerDto })
  async disableRustfsKey(@Req() request: AdminRequest, @Body() _body: RustfsKeyBody): Promise<RustfsKeyAnswerDto> {
    return toKeyAnswer(await this.keys.setEnabled(requireKeyReference(request), false), 'key disabled');
  }

  @Post('keys/rotate')
  @HttpCode(200)
  @RequiresKeyAction('kms:RotateKey')
  @ApiOperation({ summary: 'Add a version to a key; older objects stay readable' })
  @ApiOkResponse({ type: RustfsKeyAnswerDto })
  async rotateRustfsKey(@Req() request: AdminRequest, @Body() _body: RustfsKeyBody): Promise<RustfsKeyAnswerDto> {
    return toKeyAnswer(await this.keys.rotate(requireKeyReference(request)), 'key rotated');
  }

  @Post('keys/update-description')
  @HttpCode(200)
  @RequiresKeyAction('kms:UpdateKeyDescription')
  @ApiOperation({ summary: 'Change the description of a key' })
  @ApiOkResponse({ type: RustfsKeyAnswerDto })
  async updateRustfsKeyDescription(
    @Req() request: AdminRequest,
    @Body() { description }: RustfsDescriptionDto,
  ): Promise<RustfsKeyAnswerDto> {
    const key = await this.keys.updateDescription(requireKeyReference(request), description);
    return toKeyAnswer(key, 'key description updated');
  }

  @Post('keys/tag')
  @HttpCode(200)
  @RequiresKeyAction('kms:TagResource')
  @ApiOperation({ summary: 'Set tags of a key' })
  @ApiOkResponse({ type: RustfsKeyAnswerDto })
  async tagRustfsKey(@Req() request: AdminRequest, @Body() { tags }: RustfsTagDto): Promise<RustfsKeyAnswerDto> {
    return toKeyAnswer(await this.keys.tag(requireKeyReference(request), tags), 'key tagged');
  }

  @Post('keys/untag')
  @HttpCode(200)
  @RequiresKeyAction('kms:UntagResource')
  @ApiOperation({ summary: 'Remove tags of a key' })
  @ApiOkResponse({ type: RustfsKeyAnswerDto })
  async untagRustfsKey(
    @Req() request: AdminRequest,
    @Body() { tag_keys }: RustfsUntagDto,
  ): Promise<RustfsKeyAnswerDto> {
    return toKeyAnswer(await this.keys.untag(requireKeyReference(request), tag_keys), 'key untagged');
  }

  @Post('generate-data-key')
  @HttpCode(200)
  @RequiresKeyAction('kms:GenerateDataKey')
  @ApiOperation({ summary: 'A data key of 32 bytes for the own use of the caller' })
  @ApiOkResponse({ type: RustfsGeneratedDataKeyDto })
  async generateRustfsDataKey(
    @Req() request: AdminRequest,
    @Body() { encryption_context = {} }: RustfsDataKeyDto,
  ): Promise<RustfsGeneratedDataKeyDto> {
    const made = await this.keys.generateDataKey(requireKeyReference(request), textsOf(encryption_context));
    return { key_id: made.keyId, plaintext_key: made.plaintext, ciphertext_blob: made.ciphertext };
  }
}

function textsOf(context: Readonly<Record<string, unknown>>): Record<string, string> {
  const entries = Object.entries(context);
  if (entries.length > 32 || !entries.every((entry): entry is [string, string] => typeof entry[1] === 'string')) {
    throw new AdminError('InvalidRequest', 'encryption_context must be an object of at most 32 texts', [
      { field: 'encryption_context', message: 'must be an object of at most 32 texts' },
    ]);
  }
  return Object.fromEntries(entries);
}
