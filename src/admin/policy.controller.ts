import { Body, Delete, Get, HttpCode, Param, Post, Put } from '@nestjs/common';
import { ApiBody, ApiNoContentResponse, ApiOkResponse, ApiOperation } from '@nestjs/swagger';
import { IdentityAdminService } from '../identity/identity-admin.service';
import { IdentityService } from '../identity/identity.service';
import { ANONYMOUS, type AccessDecision, type Principal } from '../identity/identity.types';
import type { PolicyTarget, StoredPolicy } from '../identity/policy.repository';
import { AdminController, ApiProblem } from './admin-controller.decorator';
import { AdminError } from './admin-error';
import { DecisionDto, PolicyDto, PolicyListDto } from './identity-response.dto';
import { EntityNameParams, PolicyTargetDto, SimulatePolicyDto } from './identity.dto';
import { RequiresAction } from './requires-action.decorator';

const DOCUMENT_BODY = ApiBody({
  description: 'A policy in AWS’s grammar',
  schema: { type: 'object', additionalProperties: true },
  examples: {
    photos: {
      summary: 'Read one bucket',
      value: {
        Version: '2012-10-17',
        Statement: [
          { Effect: 'Allow', Action: ['s3:GetObject', 's3:ListBucket'], Resource: ['arn:aws:s3:::photos*'] },
          { Effect: 'Allow', Action: ['kms:Decrypt'], Resource: ['arn:aws:kms:::key/photos-key'] },
        ],
      },
    },
  },
});

/** IAM policies, where they are attached, and what they come to. */
@AdminController('api/v1/policies', 'identity')
export class PolicyController {
  constructor(
    private readonly identityAdmin: IdentityAdminService,
    private readonly identity: IdentityService,
  ) {}

  @Get()
  @RequiresAction('admin:ListUserPolicies', 'admin:GetPolicy')
  @ApiOperation({ summary: 'List policies, the built-in ones among them' })
  @ApiOkResponse({ type: PolicyListDto })
  async listPolicies(): Promise<PolicyListDto> {
    return { policies: (await this.identityAdmin.listPolicies()).map(toDto) };
  }

  @Post('simulate')
  @HttpCode(200)
  @RequiresAction('admin:GetPolicy')
  @ApiOperation({ summary: 'What a request of a user, or of nobody, would come to, and why' })
  @ApiOkResponse({ type: DecisionDto })
  @ApiProblem(404, 'There is no such user')
  async simulatePolicy(@Body() body: SimulatePolicyDto): Promise<AccessDecision> {
    const principal = await this.principalOf(body.userName);
    const { action, resource } = body;
    const bucketPolicy = body.bucketPolicy && JSON.stringify(body.bucketPolicy);
    return this.identity.authorize(
      { principal, action, resource, conditions: conditionsOf(body.conditions) },
      bucketPolicy,
    );
  }

  @Get(':name')
  @RequiresAction('admin:GetPolicy')
  @ApiOperation({ summary: 'One policy' })
  @ApiOkResponse({ type: PolicyDto })
  @ApiProblem(404, 'There is no such policy')
  async getPolicy(@Param() { name }: EntityNameParams): Promise<PolicyDto> {
    return toDto(await this.identityAdmin.getPolicy(name));
  }

  @Put(':name')
  @RequiresAction('admin:CreatePolicy')
  @ApiOperation({ summary: 'Create or replace a policy' })
  @DOCUMENT_BODY
  @ApiOkResponse({ type: PolicyDto })
  @ApiProblem(409, 'The policy is built in')
  async putPolicy(@Param() { name }: EntityNameParams, @Body() document: unknown): Promise<PolicyDto> {
    return toDto(await this.identityAdmin.putPolicy(name, JSON.stringify(document ?? null)));
  }

  @Delete(':name')
  @HttpCode(204)
  @RequiresAction('admin:DeletePolicy')
  @ApiOperation({ summary: 'Delete a policy that is attached nowhere' })
  @ApiNoContentResponse()
  @ApiProblem(404, 'There is no such policy')
  @ApiProblem(409, 'The policy is attached or built in')
  async deletePolicy(@Param() { name }: EntityNameParams): Promise<void> {
    await this.identityAdmin.deletePolicy(name);
  }

  @Post(':name/attach')
  @HttpCode(204)
  @RequiresAction('admin:AttachUserOrGroupPolicy', 'admin:UpdatePolicyAssociation')
  @ApiOperation({ summary: 'Attach a policy to a user or a group' })
  @ApiNoContentResponse()
  @ApiProblem(404, 'The policy, user or group does not exist')
  async attachPolicy(@Param() { name }: EntityNameParams, @Body() target: PolicyTargetDto): Promise<void> {
    await this.identityAdmin.attachPolicy(name, targetOf(target));
  }

  @Post(':name/detach')
  @HttpCode(204)
  @RequiresAction('admin:AttachUserOrGroupPolicy', 'admin:UpdatePolicyAssociation')
  @ApiOperation({ summary: 'Detach a policy from a user or a group' })
  @ApiNoContentResponse()
  @ApiProblem(404, 'The policy is not attached there')
  async detachPolicy(@Param() { name }: EntityNameParams, @Body() target: PolicyTargetDto): Promise<void> {
    await this.identityAdmin.detachPolicy(name, targetOf(target));
  }

  private async principalOf(userName: string | undefined): Promise<Principal> {
    if (userName === undefined) {
      return ANONYMOUS;
    }
    const principal = await this.identity.findPrincipal(userName);
    // Says the same as every other route does of a user that is not there.
    return principal ?? (await this.identityAdmin.getUser(userName).then(() => ANONYMOUS));
  }
}

function targetOf({ user, group }: PolicyTargetDto): PolicyTarget {
  if (user !== undefined && group === undefined) {
    return { user };
  }
  if (group !== undefined && user === undefined) {
    return { group };
  }
  throw new AdminError('InvalidRequest', 'Name either a user or a group', [
    { field: 'user', message: 'cannot stand beside group' },
  ]);
}

function toDto(policy: StoredPolicy): PolicyDto {
  return { ...policy, document: JSON.parse(policy.document) as Record<string, unknown> };
}

/** Keeps what the evaluator can compare; a condition key holds a text or a list of texts. */
function conditionsOf(given: Record<string, unknown> | undefined): Record<string, string | string[]> {
  const conditions: Record<string, string | string[]> = {};
  for (const [key, value] of Object.entries(given ?? {})) {
    const isList = Array.isArray(value) && value.every((item) => typeof item === 'string');
    if (typeof value !== 'string' && !isList) {
      throw new AdminError('InvalidRequest', `conditions.${key} must be a text or a list of texts`, [
        { field: `conditions.${key}`, message: 'must be a text or a list of texts' },
      ]);
    }
    conditions[key] = value;
  }
  return conditions;
}
