import { Body, Delete, Get, HttpCode, Param, Patch, Post, Query } from '@nestjs/common';
import { ApiCreatedResponse, ApiNoContentResponse, ApiOkResponse, ApiOperation } from '@nestjs/swagger';
import { Secret } from '../common/secret';
import type { AccessKey } from '../identity/access-key.repository';
import { AccessKeyService } from '../identity/access-key.service';
import type { Principal } from '../identity/identity.types';
import { AdminController, ApiProblem } from './admin-controller.decorator';
import { Caller } from './caller.decorator';
import { AccessKeyDto, AccessKeyListDto, CreatedAccessKeyDto } from './identity-response.dto';
import { AccessKeyParams, AccessKeyQuery, CreateAccessKeyDto, UpdateAccessKeyDto } from './identity.dto';
import { RequiresAction } from './requires-action.decorator';

/** Access keys, of users and (for root alone) of root, optionally narrowed by a session policy. */
@AdminController('api/v1/access-keys', 'identity')
export class AccessKeyController {
  constructor(private readonly keys: AccessKeyService) {}

  @Post()
  @RequiresAction('admin:CreateServiceAccount')
  @ApiOperation({ summary: 'Create an access key; the answer shows a generated secret this once' })
  @ApiCreatedResponse({ type: CreatedAccessKeyDto })
  @ApiProblem(404, 'There is no such user')
  @ApiProblem(409, 'The access key id is taken')
  async createAccessKey(@Body() body: CreateAccessKeyDto, @Caller() caller: Principal): Promise<CreatedAccessKeyDto> {
    const request = {
      ...body,
      secretKey: body.secretKey === undefined ? undefined : new Secret(body.secretKey),
      sessionPolicy: body.sessionPolicy && JSON.stringify(body.sessionPolicy),
    };
    const { key, secretKey } = await this.keys.create(request, caller);
    return body.secretKey === undefined ? { ...toDto(key), secretKey: secretKey.reveal() } : toDto(key);
  }

  @Get()
  @RequiresAction('admin:ListServiceAccounts')
  @ApiOperation({ summary: 'List access keys; those of root are shown to root alone' })
  @ApiOkResponse({ type: AccessKeyListDto })
  async listAccessKeys(@Query() { user }: AccessKeyQuery, @Caller() caller: Principal): Promise<AccessKeyListDto> {
    return { accessKeys: (await this.keys.list(user, caller)).map(toDto) };
  }

  @Get(':accessKeyId')
  @RequiresAction('admin:ListServiceAccounts')
  @ApiOperation({ summary: 'One access key, without its secret' })
  @ApiOkResponse({ type: AccessKeyDto })
  @ApiProblem(404, 'There is no such access key')
  async getAccessKey(@Param() { accessKeyId }: AccessKeyParams, @Caller() caller: Principal): Promise<AccessKeyDto> {
    return toDto(await this.keys.get(accessKeyId, caller));
  }

  @Patch(':accessKeyId')
  @RequiresAction('admin:UpdateServiceAccount')
  @ApiOperation({ summary: 'Change status, description, secret, session policy or expiry' })
  @ApiOkResponse({ type: AccessKeyDto })
  @ApiProblem(404, 'There is no such access key')
  async updateAccessKey(
    @Param() { accessKeyId }: AccessKeyParams,
    @Body() body: UpdateAccessKeyDto,
    @Caller() caller: Principal,
  ): Promise<AccessKeyDto> {
    const { sessionPolicy, secretKey, ...change } = body;
    const update = {
      ...change,
      secretKey: secretKey === undefined ? undefined : new Secret(secretKey),
      sessionPolicy: sessionPolicy && JSON.stringify(sessionPolicy),
    };
    return toDto(await this.keys.update(accessKeyId, update, caller));
  }

  @Delete(':accessKeyId')
  @HttpCode(204)
  @RequiresAction('admin:RemoveServiceAccount')
  @ApiOperation({ summary: 'Delete an access key' })
  @ApiNoContentResponse()
  @ApiProblem(404, 'There is no such access key')
  async deleteAccessKey(@Param() { accessKeyId }: AccessKeyParams, @Caller() caller: Principal): Promise<void> {
    await this.keys.delete(accessKeyId, caller);
  }
}

function toDto(key: AccessKey): AccessKeyDto {
  const { sessionPolicy } = key;
  return {
    ...key,
    sessionPolicy: sessionPolicy === undefined ? undefined : (JSON.parse(sessionPolicy) as Record<string, unknown>),
  };
}
