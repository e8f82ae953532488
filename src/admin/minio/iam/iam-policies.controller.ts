import { Delete, Get, HttpCode, Param, Post, Put, Query, Req, type StreamableFile } from '@nestjs/common';
import { ApiBody, ApiOkResponse, ApiOperation } from '@nestjs/swagger';
import { annotateAudit } from '../../../common/audit-trail';
import { IdentityAdminService } from '../../../identity/identity-admin.service';
import { AdminController, ApiProblem } from '../../admin-controller.decorator';
import { AdminError } from '../../admin-error';
import type { AdminRequest } from '../../admin-request';
import { RawBody } from '../../raw-body.decorator';
import { RequiresAction } from '../../requires-action.decorator';
import { PolicyAssociationBody } from './iam-body.dto';
import { noteTarget } from './iam-callers.service';
import { IamPayloads } from './iam-payloads.service';
import { IamPolicies, namesOf } from './iam-policies.service';
import { PolicyEntitiesQuery, PolicyInfoQuery, PolicyNameQuery, SetPolicyQuery } from './iam-query.dto';

/** `mc admin policy`. */
@AdminController(['minio/admin/v3', 'rustfs/admin/v3'], 'identity')
export class IamPoliciesController {
  constructor(
    private readonly identity: IdentityAdminService,
    private readonly policies: IamPolicies,
    private readonly payloads: IamPayloads,
  ) {}

  @Put('add-canned-policy')
  @RawBody()
  @RequiresAction('admin:CreatePolicy')
  @ApiOperation({ summary: 'Create or replace a policy' })
  @ApiBody({ schema: { type: 'object', additionalProperties: true } })
  @ApiOkResponse({ description: 'In force; no body' })
  @ApiProblem(409, 'The policy is built in')
  async addCannedPolicy(@Req() request: AdminRequest, @Query() { name }: PolicyNameQuery): Promise<void> {
    noteTarget(name);
    await this.identity.putPolicy(name, request.rawBody.toString('utf8'));
  }

  @Delete('remove-canned-policy')
  @RequiresAction('admin:DeletePolicy')
  @ApiOperation({ summary: 'Delete a policy that is attached nowhere' })
  @ApiOkResponse({ description: 'Done; no body' })
  @ApiProblem(404, 'There is no such policy')
  @ApiProblem(409, 'The policy is attached, or built in')
  async removeCannedPolicy(@Query() { name }: PolicyNameQuery): Promise<void> {
    noteTarget(name);
    await this.identity.deletePolicy(name);
  }

  @Get('list-canned-policies')
  @RequiresAction('admin:ListUserPolicies')
  @ApiOperation({ summary: 'All policies by name' })
  @ApiOkResponse({ schema: { type: 'object', additionalProperties: true } })
  async listCannedPolicies(): Promise<Record<string, unknown>> {
    return this.policies.documents();
  }

  @Get('info-canned-policy')
  @RequiresAction('admin:GetPolicy')
  @ApiOperation({ summary: 'One policy' })
  @ApiOkResponse({ schema: { type: 'object', additionalProperties: true } })
  @ApiProblem(404, 'There is no such policy')
  async infoCannedPolicy(@Query() { name, v }: PolicyInfoQuery): Promise<unknown> {
    return this.policies.info(name, v === '2');
  }

  @Put('set-user-or-group-policy')
  @RequiresAction('admin:AttachUserOrGroupPolicy')
  @ApiOperation({ summary: 'Make policies the only ones attached to a user or a group' })
  @ApiOkResponse({ description: 'In force; no body' })
  @ApiProblem(404, 'There is no such user, group or policy')
  async setUserOrGroupPolicy(@Query() { policyName, userOrGroup, isGroup }: SetPolicyQuery): Promise<void> {
    noteTarget(userOrGroup);
    const target = isGroup === true ? { group: userOrGroup } : { user: userOrGroup };
    await this.policies.replace(namesOf(policyName), target);
  }

  @Post('idp/builtin/policy/:operation')
  @HttpCode(200)
  @RawBody()
  @RequiresAction('admin:UpdatePolicyAssociation', 'admin:AttachUserOrGroupPolicy')
  @ApiOperation({ summary: 'Attach policies to a user or a group, or detach them' })
  @ApiBody({ type: PolicyAssociationBody })
  @ApiOkResponse({ schema: { type: 'object', additionalProperties: true } })
  @ApiProblem(404, 'There is no such user, group or policy')
  async changePolicyAssociation(
    @Req() request: AdminRequest,
    @Param('operation') operation: string,
  ): Promise<StreamableFile> {
    if (operation !== 'attach' && operation !== 'detach') {
      throw new AdminError('InvalidRequest', 'The operation is attach or detach');
    }
    const attach = operation === 'attach';
    const body = await this.payloads.read(request, PolicyAssociationBody);
    annotateAudit({ details: { target: body.user || body.group || '', policies: body.policies.join(',') } });
    const changed = await this.policies.change(attach, body);
    const updatedAt = new Date().toISOString();
    return this.payloads.answer(
      request,
      attach ? { policiesAttached: changed, updatedAt } : { policiesDetached: changed, updatedAt },
    );
  }

  @Get('idp/builtin/policy-entities')
  @RequiresAction('admin:ListUserPolicies', 'admin:ListGroups', 'admin:ListUsers')
  @ApiOperation({ summary: 'Who holds which policies' })
  @ApiOkResponse({ schema: { type: 'object', additionalProperties: true } })
  async listPolicyEntities(@Req() request: AdminRequest, @Query() query: PolicyEntitiesQuery): Promise<StreamableFile> {
    return this.payloads.answer(request, await this.policies.entities(query));
  }
}
