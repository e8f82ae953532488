import { Delete, Get, HttpCode, Put, Query, Req, type StreamableFile } from '@nestjs/common';
import { ApiBody, ApiOkResponse, ApiOperation } from '@nestjs/swagger';
import { AdminAuthorizer } from '../../admin-authorizer.service';
import { AdminController, ApiProblem } from '../../admin-controller.decorator';
import type { AdminRequest } from '../../admin-request';
import { RawBody } from '../../raw-body.decorator';
import { AnyCaller, RequiresAction } from '../../requires-action.decorator';
import { AddUserBody } from './iam-body.dto';
import { IamCallers, noteTarget } from './iam-callers.service';
import { IamPayloads } from './iam-payloads.service';
import { AccessKeyNameQuery, UserStatusQuery } from './iam-query.dto';
import { IamUsers, type UserInfo } from './iam-users.service';

/** `mc admin user`: users whose name is the id of their first access key, as in MinIO. */
@AdminController(['minio/admin/v3', 'rustfs/admin/v3'], 'identity')
export class IamUsersController {
  constructor(
    private readonly users: IamUsers,
    private readonly callers: IamCallers,
    private readonly authorizer: AdminAuthorizer,
    private readonly payloads: IamPayloads,
  ) {}

  @Put('add-user')
  @RawBody()
  @AnyCaller()
  @ApiOperation({ summary: 'Create a user with its access key, or give it another secret' })
  @ApiBody({ type: AddUserBody })
  @ApiOkResponse({ description: 'Done; no body' })
  @ApiProblem(409, 'The id belongs to another user’s access key')
  async addUser(@Req() request: AdminRequest, @Query() { accessKey }: AccessKeyNameQuery): Promise<void> {
    noteTarget(accessKey);
    const body = await this.payloads.read(request, AddUserBody);
    const onlySecret = (body.policy ?? '') === '' && body.status !== 'disabled';
    if (onlySecret) {
      await this.callers.requireUnlessOwn(request, ['admin:CreateUser'], accessKey);
    } else {
      await this.authorizer.require(request, ['admin:CreateUser'], '*');
    }
    await this.users.put(request, accessKey, body);
  }

  @Delete('remove-user')
  @RequiresAction('admin:DeleteUser')
  @ApiOperation({ summary: 'Delete a user with its access keys' })
  @ApiOkResponse({ description: 'Done; no body' })
  @ApiProblem(404, 'There is no such user')
  async removeUser(@Req() request: AdminRequest, @Query() { accessKey }: AccessKeyNameQuery): Promise<void> {
    noteTarget(accessKey);
    await this.users.remove(request, accessKey);
  }

  @Get('list-users')
  @RequiresAction('admin:ListUsers')
  @ApiOperation({ summary: 'All users by name, encrypted for clients of MinIO' })
  @ApiOkResponse({ schema: { type: 'object', additionalProperties: true } })
  async listUsers(@Req() request: AdminRequest): Promise<StreamableFile> {
    return this.payloads.answer(request, await this.users.list());
  }

  @Get('user-info')
  @AnyCaller()
  @ApiOperation({ summary: 'One user' })
  @ApiOkResponse({ schema: { type: 'object', additionalProperties: true } })
  @ApiProblem(404, 'There is no such user')
  async userInfo(@Req() request: AdminRequest, @Query() { accessKey }: AccessKeyNameQuery): Promise<UserInfo> {
    await this.callers.requireUnlessOwn(request, ['admin:GetUser'], accessKey);
    return this.users.info(accessKey);
  }

  @Put('set-user-status')
  @HttpCode(200)
  @AnyCaller()
  @ApiOperation({ summary: 'Enable or disable a user; its credentials are refused at once' })
  @ApiOkResponse({ description: 'Done; no body' })
  @ApiProblem(404, 'There is no such user')
  async setUserStatus(@Req() request: AdminRequest, @Query() { accessKey, status }: UserStatusQuery): Promise<void> {
    noteTarget(accessKey);
    const actions = status === 'enabled' ? ['admin:EnableUser'] : ['admin:DisableUser', 'admin:EnableUser'];
    await this.authorizer.require(request, actions, '*');
    await this.users.setStatus(request, accessKey, status);
  }
}
