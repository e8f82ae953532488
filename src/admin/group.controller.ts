import { Body, Delete, Get, HttpCode, Param, Patch, Post, Req } from '@nestjs/common';
import { ApiCreatedResponse, ApiNoContentResponse, ApiOkResponse, ApiOperation } from '@nestjs/swagger';
import { IdentityAdminService } from '../identity/identity-admin.service';
import { AdminAuthorizer } from './admin-authorizer.service';
import { AdminController, ApiProblem } from './admin-controller.decorator';
import type { AdminRequest } from './admin-request';
import { GroupDto, GroupListDto } from './identity-response.dto';
import { CreateGroupDto, EntityNameParams, MembersDto, StatusDto } from './identity.dto';
import { AnyCaller, RequiresAction } from './requires-action.decorator';

/** Groups of users that share policies. */
@AdminController('api/v1/groups', 'identity')
export class GroupController {
  constructor(
    private readonly identity: IdentityAdminService,
    private readonly authorizer: AdminAuthorizer,
  ) {}

  @Post()
  @RequiresAction('admin:AddUserToGroup')
  @ApiOperation({ summary: 'Create a group' })
  @ApiCreatedResponse({ type: GroupDto })
  @ApiProblem(404, 'A member does not exist')
  @ApiProblem(409, 'The group exists already')
  async createGroup(@Body() { name, members }: CreateGroupDto): Promise<GroupDto> {
    return this.identity.createGroup(name, members ?? []);
  }

  @Get()
  @RequiresAction('admin:ListGroups')
  @ApiOperation({ summary: 'List groups' })
  @ApiOkResponse({ type: GroupListDto })
  async listGroups(): Promise<GroupListDto> {
    return { groups: await this.identity.listGroups() };
  }

  @Get(':name')
  @RequiresAction('admin:GetGroup')
  @ApiOperation({ summary: 'One group with its members and policies' })
  @ApiOkResponse({ type: GroupDto })
  @ApiProblem(404, 'There is no such group')
  async getGroup(@Param() { name }: EntityNameParams): Promise<GroupDto> {
    return this.identity.getGroup(name);
  }

  @Patch(':name')
  @AnyCaller()
  @ApiOperation({ summary: 'Enable or disable a group; a disabled one gives its members nothing' })
  @ApiOkResponse({ type: GroupDto })
  @ApiProblem(404, 'There is no such group')
  async updateGroup(
    @Param() { name }: EntityNameParams,
    @Body() { status }: StatusDto,
    @Req() request: AdminRequest,
  ): Promise<GroupDto> {
    await this.authorizer.require(request, [status === 'enabled' ? 'admin:EnableGroup' : 'admin:DisableGroup'], '*');
    return this.identity.setGroupStatus(name, status);
  }

  @Post(':name/members')
  @HttpCode(200)
  @RequiresAction('admin:AddUserToGroup')
  @ApiOperation({ summary: 'Add members' })
  @ApiOkResponse({ type: GroupDto })
  @ApiProblem(404, 'The group or a member does not exist')
  async addGroupMembers(@Param() { name }: EntityNameParams, @Body() { members }: MembersDto): Promise<GroupDto> {
    return this.identity.addGroupMembers(name, members);
  }

  @Delete(':name/members')
  @RequiresAction('admin:RemoveUserFromGroup')
  @ApiOperation({ summary: 'Remove members' })
  @ApiOkResponse({ type: GroupDto })
  @ApiProblem(404, 'There is no such group')
  async removeGroupMembers(@Param() { name }: EntityNameParams, @Body() { members }: MembersDto): Promise<GroupDto> {
    return this.identity.removeGroupMembers(name, members);
  }

  @Delete(':name')
  @HttpCode(204)
  @RequiresAction('admin:RemoveUserFromGroup')
  @ApiOperation({ summary: 'Delete a group; its members stay' })
  @ApiNoContentResponse()
  @ApiProblem(404, 'There is no such group')
  async deleteGroup(@Param() { name }: EntityNameParams): Promise<void> {
    await this.identity.deleteGroup(name);
  }
}
