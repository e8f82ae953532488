import { Get, Put, Query, Req } from '@nestjs/common';
import { ApiBody, ApiOkResponse, ApiOperation } from '@nestjs/swagger';
import { IdentityAdminService } from '../../../identity/identity-admin.service';
import { AdminAuthorizer } from '../../admin-authorizer.service';
import { AdminController, ApiProblem } from '../../admin-controller.decorator';
import { AdminError } from '../../admin-error';
import type { AdminRequest } from '../../admin-request';
import { RawBody } from '../../raw-body.decorator';
import { AnyCaller, RequiresAction } from '../../requires-action.decorator';
import { UpdateGroupMembersBody } from './iam-body.dto';
import { noteTarget } from './iam-callers.service';
import { IamPayloads } from './iam-payloads.service';
import { GroupQuery, GroupStatusQuery } from './iam-query.dto';
import { orUndefined } from './iam-users.service';

/** `mc admin group`: a group comes with its first members and goes when it is removed empty, as in MinIO. */
@AdminController(['minio/admin/v3', 'rustfs/admin/v3'], 'identity')
export class IamGroupsController {
  constructor(
    private readonly identity: IdentityAdminService,
    private readonly authorizer: AdminAuthorizer,
    private readonly payloads: IamPayloads,
  ) {}

  @Put('update-group-members')
  @RawBody()
  @AnyCaller()
  @ApiOperation({ summary: 'Add members to a group, which is made if need be, or remove them' })
  @ApiBody({ type: UpdateGroupMembersBody })
  @ApiOkResponse({ description: 'In force; no body' })
  @ApiProblem(404, 'There is no such user or group')
  async updateGroupMembers(@Req() request: AdminRequest): Promise<void> {
    const { group, members, isRemove } = await this.payloads.read(request, UpdateGroupMembersBody);
    noteTarget(group);
    if (isRemove !== true) {
      await this.authorizer.require(request, ['admin:AddUserToGroup'], '*');
      const exists = (await orUndefined(this.identity.getGroup(group))) !== undefined;
      await (exists ? this.identity.addGroupMembers(group, members) : this.identity.createGroup(group, members));
      return;
    }
    await this.authorizer.require(request, ['admin:RemoveUserFromGroup', 'admin:AddUserToGroup'], '*');
    if (members.length > 0) {
      await this.identity.removeGroupMembers(group, members);
      return;
    }
    if ((await this.identity.getGroup(group)).members.length > 0) {
      throw new AdminError('GroupNotEmpty', 'The specified group is not empty - cannot remove it.');
    }
    await this.identity.deleteGroup(group);
  }

  @Get('group')
  @RequiresAction('admin:GetGroup')
  @ApiOperation({ summary: 'One group' })
  @ApiOkResponse({ schema: { type: 'object', additionalProperties: true } })
  @ApiProblem(404, 'There is no such group')
  async describeGroup(@Query() { group }: GroupQuery): Promise<object> {
    const { name, status, members, policies, updatedAt } = await this.identity.getGroup(group);
    return { name, status, members, policy: policies.join(','), updatedAt: updatedAt.toISOString() };
  }

  @Get('groups')
  @RequiresAction('admin:ListGroups')
  @ApiOperation({ summary: 'Names of all groups' })
  @ApiOkResponse({ schema: { type: 'array', items: { type: 'string' } } })
  async listGroupNames(): Promise<string[]> {
    return (await this.identity.listGroups()).map(({ name }) => name);
  }

  @Put('set-group-status')
  @AnyCaller()
  @ApiOperation({ summary: 'Enable or disable a group; a disabled one gives its members nothing' })
  @ApiOkResponse({ description: 'In force; no body' })
  @ApiProblem(404, 'There is no such group')
  async setGroupStatus(@Req() request: AdminRequest, @Query() { group, status }: GroupStatusQuery): Promise<void> {
    noteTarget(group);
    const actions = status === 'enabled' ? ['admin:EnableGroup'] : ['admin:DisableGroup', 'admin:EnableGroup'];
    await this.authorizer.require(request, actions, '*');
    await this.identity.setGroupStatus(group, status);
  }
}
