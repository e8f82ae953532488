import { Delete, Get, HttpCode, Post, Put, Query, Req, type StreamableFile } from '@nestjs/common';
import { ApiBody, ApiNoContentResponse, ApiOkResponse, ApiOperation } from '@nestjs/swagger';
import { annotateAudit } from '../../../common/audit-trail';
import { IdentityAdminService } from '../../../identity/identity-admin.service';
import type { Principal } from '../../../identity/identity.types';
import { SessionService } from '../../../identity/session.service';
import { AdminAuthorizer } from '../../admin-authorizer.service';
import { AdminController, ApiProblem } from '../../admin-controller.decorator';
import { AdminError } from '../../admin-error';
import type { AdminRequest } from '../../admin-request';
import { RawBody } from '../../raw-body.decorator';
import { AnyCaller } from '../../requires-action.decorator';
import { IamAccessKeys } from './iam-access-keys.service';
import { AddServiceAccountBody, UpdateServiceAccountBody } from './iam-body.dto';
import { callerOf, IamCallers, noteTarget } from './iam-callers.service';
import { IamPayloads } from './iam-payloads.service';
import {
  AccessKeyNameQuery,
  ListAccessKeysQuery,
  OptionalAccessKeyQuery,
  RevokeTokensQuery,
  UserFilterQuery,
} from './iam-query.dto';

const CREATE = ['admin:CreateServiceAccount'];
const LIST = ['admin:ListServiceAccounts'];
const REMOVE = ['admin:RemoveServiceAccount'];

/** `mc admin accesskey` and `mc admin user svcacct`. Everybody manages their own, unless a policy denies it. */
@AdminController(['minio/admin/v3', 'rustfs/admin/v3'], 'identity')
export class IamAccessKeysController {
  constructor(
    private readonly keys: IamAccessKeys,
    private readonly identity: IdentityAdminService,
    private readonly sessions: SessionService,
    private readonly callers: IamCallers,
    private readonly authorizer: AdminAuthorizer,
    private readonly payloads: IamPayloads,
  ) {}

  @Put('add-service-account')
  @RawBody()
  @AnyCaller()
  @ApiOperation({ summary: 'Create an access key; the answer shows its secret this once' })
  @ApiBody({ type: AddServiceAccountBody })
  @ApiOkResponse({ schema: { type: 'object', additionalProperties: true } })
  @ApiProblem(404, 'There is no such user')
  @ApiProblem(409, 'The access key id is taken')
  async addServiceAccount(@Req() request: AdminRequest): Promise<StreamableFile> {
    const body = await this.payloads.read(request, AddServiceAccountBody);
    const caller = callerOf(request);
    const owner = this.targetOf(body.targetUser, caller);
    noteTarget(this.callers.nameOf(owner));
    await this.requireFor(request, CREATE, owner);
    const added = await this.keys.add(owner, body, caller);
    annotateAudit({ details: { createdKeyId: added.credentials['accessKey'] ?? '' } });
    return this.payloads.answer(request, added);
  }

  @Post('update-service-account')
  @HttpCode(204)
  @RawBody()
  @AnyCaller()
  @ApiOperation({ summary: 'Change status, secret, policy, name, description or expiry of an access key' })
  @ApiBody({ type: UpdateServiceAccountBody })
  @ApiNoContentResponse()
  @ApiProblem(404, 'There is no such access key')
  async updateServiceAccount(@Req() request: AdminRequest, @Query() { accessKey }: AccessKeyNameQuery): Promise<void> {
    noteTarget(accessKey);
    const body = await this.payloads.read(request, UpdateServiceAccountBody);
    await this.authorizer.require(request, ['admin:UpdateServiceAccount'], '*');
    await this.keys.findServiceAccount(accessKey, callerOf(request));
    await this.keys.update(accessKey, body, callerOf(request));
  }

  @Get('info-service-account')
  @AnyCaller()
  @ApiOperation({ summary: 'One access key with the policy it is bound by' })
  @ApiOkResponse({ schema: { type: 'object', additionalProperties: true } })
  @ApiProblem(404, 'There is no such access key')
  async infoServiceAccount(
    @Req() request: AdminRequest,
    @Query() { accessKey }: AccessKeyNameQuery,
  ): Promise<StreamableFile> {
    const found = await this.hiding(request, this.keys.findServiceAccount(accessKey, callerOf(request)), LIST);
    return this.payloads.answer(request, await this.keys.info(found));
  }

  @Get('temporary-account-info')
  @AnyCaller()
  @ApiOperation({ summary: 'One temporary credential with the policy it is bound by' })
  @ApiOkResponse({ schema: { type: 'object', additionalProperties: true } })
  @ApiProblem(404, 'There is no such access key')
  async temporaryAccountInfo(
    @Req() request: AdminRequest,
    @Query() { accessKey }: AccessKeyNameQuery,
  ): Promise<StreamableFile> {
    const actions = ['admin:ListTemporaryAccounts'];
    const found = await this.hiding(request, this.keys.find(accessKey, callerOf(request)), actions);
    return this.payloads.answer(request, await this.keys.info(found));
  }

  @Get('info-access-key')
  @AnyCaller()
  @ApiOperation({ summary: 'One access key, temporary or not' })
  @ApiOkResponse({ schema: { type: 'object', additionalProperties: true } })
  @ApiProblem(404, 'There is no such access key')
  async infoAccessKey(
    @Req() request: AdminRequest,
    @Query() { accessKey }: OptionalAccessKeyQuery,
  ): Promise<StreamableFile> {
    const caller = callerOf(request);
    const id = accessKey || (caller.accessKeyId ?? '');
    const found = await this.hiding(request, this.keys.find(id, caller), LIST);
    return this.payloads.answer(request, {
      AccessKey: id,
      ...(await this.keys.info(found)),
      userType: found.kind === 'session' ? 'STS' : 'Service Account',
      userProvider: 'builtin',
    });
  }

  @Get('list-service-accounts')
  @AnyCaller()
  @ApiOperation({ summary: 'Access keys of a user' })
  @ApiOkResponse({ schema: { type: 'object', additionalProperties: true } })
  async listServiceAccounts(@Req() request: AdminRequest, @Query() { user }: UserFilterQuery): Promise<StreamableFile> {
    const owner = this.targetOf(user, callerOf(request));
    await this.requireFor(request, LIST, owner);
    return this.payloads.answer(request, await this.keys.list(owner, callerOf(request)));
  }

  @Get('list-access-keys-bulk')
  @AnyCaller()
  @ApiOperation({ summary: 'Access keys and temporary credentials of several users' })
  @ApiOkResponse({ schema: { type: 'object', additionalProperties: true } })
  async listAccessKeysBulk(@Req() request: AdminRequest, @Query() query: ListAccessKeysQuery): Promise<StreamableFile> {
    const { users = [], all = false, listType } = query;
    const caller = callerOf(request);
    if (all && users.length > 0) {
      throw new AdminError('InvalidRequest', 'Ask for some users or for all, not for both');
    }
    const owners = users.length === 0 ? [this.callers.ownerOf(caller)] : users.map((name) => this.callers.userOf(name));
    if (all) {
      await this.authorizer.require(request, ['admin:ListUsers'], '*');
      await this.authorizer.require(request, LIST, '*');
    } else {
      for (const owner of owners) {
        await this.callers.requireUnlessOwn(request, LIST, owner);
      }
    }
    return this.payloads.answer(request, await this.keys.listBulk(all ? 'all' : owners, listType, caller));
  }

  @Delete('delete-service-account')
  @HttpCode(204)
  @AnyCaller()
  @ApiOperation({ summary: 'Delete an access key, or end a session' })
  @ApiNoContentResponse()
  @ApiProblem(404, 'There is no such access key')
  async deleteServiceAccount(@Req() request: AdminRequest, @Query() { accessKey }: AccessKeyNameQuery): Promise<void> {
    noteTarget(accessKey);
    const caller = callerOf(request);
    const found = await this.hiding(request, this.keys.find(accessKey, caller), REMOVE);
    await this.keys.delete(found, caller);
  }

  @Post('revoke-tokens/builtin')
  @HttpCode(204)
  @AnyCaller()
  @ApiOperation({ summary: 'End all sessions of a user' })
  @ApiNoContentResponse()
  @ApiProblem(404, 'There is no such user')
  async revokeTokens(@Req() request: AdminRequest, @Query() { user }: RevokeTokensQuery): Promise<void> {
    const owner = this.targetOf(user, callerOf(request));
    noteTarget(this.callers.nameOf(owner));
    await this.requireFor(request, REMOVE, owner);
    await this.sessions.revokeOfUser(owner);
  }

  /** Whom a request means, the caller unless it names somebody. @returns undefined for root */
  private targetOf(name: string | undefined, caller: Principal): string | undefined {
    const own = name === undefined || name === '' || name === caller.accessKeyId;
    return own ? this.callers.ownerOf(caller) : this.callers.userOf(name);
  }

  /** @throws AdminError `AccessDenied`, before it is told whether there is such a user; IdentityError `NoSuchEntity` */
  private async requireFor(
    request: AdminRequest,
    actions: readonly string[],
    owner: string | undefined,
  ): Promise<void> {
    await this.callers.requireUnlessOwn(request, actions, owner);
    if (owner !== undefined) {
      await this.identity.getUser(owner);
    }
  }

  /** Strangers are not told whether an access key exists. */
  private async hiding<T extends { readonly owner: string | undefined }>(
    request: AdminRequest,
    finding: Promise<T>,
    actions: readonly string[],
  ): Promise<T> {
    let found: T;
    try {
      found = await finding;
    } catch (error) {
      await this.authorizer.require(request, actions, '*');
      throw error;
    }
    await this.callers.requireUnlessOwn(request, actions, found.owner);
    return found;
  }
}
