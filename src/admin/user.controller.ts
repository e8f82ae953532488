import { Body, Delete, Get, HttpCode, Param, Patch, Post, Req } from '@nestjs/common';
import { ApiCreatedResponse, ApiNoContentResponse, ApiOkResponse, ApiOperation } from '@nestjs/swagger';
import { IdentityAdminService } from '../identity/identity-admin.service';
import { AdminAuthorizer } from './admin-authorizer.service';
import { AdminController, ApiProblem } from './admin-controller.decorator';
import type { AdminRequest } from './admin-request';
import { UserDto, UserListDto } from './identity-response.dto';
import { CreateUserDto, EntityNameParams, StatusDto } from './identity.dto';
import { AnyCaller, RequiresAction } from './requires-action.decorator';

/** Users. A user signs requests with access keys and may do what its policies and groups allow. */
@AdminController('api/v1/users', 'identity')
export class UserController {
  constructor(
    private readonly identity: IdentityAdminService,
    private readonly authorizer: AdminAuthorizer,
  ) {}

  @Post()
  @RequiresAction('admin:CreateUser')
  @ApiOperation({ summary: 'Create a user' })
  @ApiCreatedResponse({ type: UserDto })
  @ApiProblem(409, 'The user exists already')
  async createUser(@Body() { name }: CreateUserDto): Promise<UserDto> {
    return this.identity.createUser(name);
  }

  @Get()
  @RequiresAction('admin:ListUsers')
  @ApiOperation({ summary: 'List users' })
  @ApiOkResponse({ type: UserListDto })
  async listUsers(): Promise<UserListDto> {
    return { users: await this.identity.listUsers() };
  }

  @Get(':name')
  @RequiresAction('admin:GetUser')
  @ApiOperation({ summary: 'One user with its policies and groups' })
  @ApiOkResponse({ type: UserDto })
  @ApiProblem(404, 'There is no such user')
  async getUser(@Param() { name }: EntityNameParams): Promise<UserDto> {
    return this.identity.getUser(name);
  }

  @Patch(':name')
  @AnyCaller()
  @ApiOperation({ summary: 'Enable or disable a user; its access keys are refused at once' })
  @ApiOkResponse({ type: UserDto })
  @ApiProblem(404, 'There is no such user')
  async updateUser(
    @Param() { name }: EntityNameParams,
    @Body() { status }: StatusDto,
    @Req() request: AdminRequest,
  ): Promise<UserDto> {
    await this.authorizer.require(request, [status === 'enabled' ? 'admin:EnableUser' : 'admin:DisableUser'], '*');
    return this.identity.setUserStatus(name, status);
  }

  @Delete(':name')
  @HttpCode(204)
  @RequiresAction('admin:DeleteUser')
  @ApiOperation({ summary: 'Delete a user with its access keys' })
  @ApiNoContentResponse()
  @ApiProblem(404, 'There is no such user')
  async deleteUser(@Param() { name }: EntityNameParams): Promise<void> {
    await this.identity.deleteUser(name);
  }
}
