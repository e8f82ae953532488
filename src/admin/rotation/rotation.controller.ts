import { Body, Delete, Get, HttpCode, Param, Put, Req } from '@nestjs/common';
import { ApiNoContentResponse, ApiOkResponse, ApiOperation } from '@nestjs/swagger';
import { annotateAudit } from '../../common/audit-trail';
import type { Principal } from '../../identity/identity.types';
import { KmsError } from '../../kms/kms-error';
import { KmsService } from '../../kms/kms.service';
import { RotationPolicies, type RotationPolicy } from '../../rotation/rotation-policy.repository';
import { AdminAuthorizer } from '../admin-authorizer.service';
import { AdminController, ApiProblem } from '../admin-controller.decorator';
import { AdminError } from '../admin-error';
import type { AdminRequest } from '../admin-request';
import { Caller } from '../caller.decorator';
import { ANY_KEY, KeyResources } from '../key-resources.service';
import { KeyParams } from '../keys/keys.dto';
import { RequiresAction, RequiresKeyAction } from '../requires-action.decorator';
import { toPolicyDto } from './rotation-wire';
import { RotationPolicyDto, RotationPolicyListDto, RotationRuleDto, TargetParams } from './rotation.dto';

/** Rotation policies: one for all keys of a KMS, and one for each key that is to be treated otherwise. */
@AdminController('api/v1/kms', 'kms')
export class RotationController {
  constructor(
    private readonly policies: RotationPolicies,
    private readonly kms: KmsService,
    private readonly authorizer: AdminAuthorizer,
    private readonly keyResources: KeyResources,
  ) {}

  @Get('rotation-policies')
  @RequiresAction('kms:Configure', 'kms:DescribeKey')
  @ApiOperation({ summary: 'Every rotation policy' })
  @ApiOkResponse({ type: RotationPolicyListDto })
  async listRotationPolicies(): Promise<RotationPolicyListDto> {
    return { policies: (await this.policies.list()).map(toPolicyDto) };
  }

  @Get('keys/:key_id/rotation-policy')
  @RequiresKeyAction('kms:DescribeKey')
  @ApiOperation({ summary: 'The policy of a key itself; its description shows the one in force' })
  @ApiOkResponse({ type: RotationPolicyDto })
  @ApiProblem(404, 'There is no such key, or it has no policy of its own')
  async getKeyRotationPolicy(@Param() { key_id }: KeyParams): Promise<RotationPolicyDto> {
    const { kms, keyId } = this.kms.locateKey(key_id);
    return toPolicyDto(found(await this.policies.find(kms, keyId)));
  }

  @Put('keys/:key_id/rotation-policy')
  @RequiresKeyAction('kms:RotateKey')
  @ApiOperation({ summary: 'Set the policy of a key; with rewrap also needs what starting that job needs' })
  @ApiOkResponse({ type: RotationPolicyDto })
  @ApiProblem(404, 'There is no such key')
  async putKeyRotationPolicy(
    @Param() { key_id }: KeyParams,
    @Body() body: RotationRuleDto,
    @Caller() caller: Principal,
    @Req() request: AdminRequest,
  ): Promise<RotationPolicyDto> {
    requireLimit(body);
    await this.requireRewrap(request, body, this.keyResources.ofReference(key_id));
    const { kms, keyId } = await this.kms.describeKey(key_id);
    return this.put(kms, keyId, body, caller);
  }

  @Delete('keys/:key_id/rotation-policy')
  @HttpCode(204)
  @RequiresKeyAction('kms:RotateKey')
  @ApiOperation({ summary: 'Remove the policy of a key; that of its KMS then applies, if there is one' })
  @ApiNoContentResponse({ description: 'Removed' })
  @ApiProblem(404, 'The key has no policy of its own')
  async deleteKeyRotationPolicy(@Param() { key_id }: KeyParams): Promise<void> {
    const { kms, keyId } = this.kms.locateKey(key_id);
    annotateAudit({ kms, keyId });
    requireRemoved(await this.policies.remove(kms, keyId));
  }

  @Get('targets/:kms/rotation-policy')
  @RequiresAction('kms:Configure', 'kms:DescribeKey')
  @ApiOperation({ summary: 'The policy of all keys of a KMS that have none of their own' })
  @ApiOkResponse({ type: RotationPolicyDto })
  @ApiProblem(404, 'The KMS has no policy')
  async getTargetRotationPolicy(@Param() { kms }: TargetParams): Promise<RotationPolicyDto> {
    return toPolicyDto(found(await this.policies.find(kms)));
  }

  @Put('targets/:kms/rotation-policy')
  @RequiresAction('kms:Configure')
  @ApiOperation({
    summary:
      'Set the policy of all keys of a KMS that have none of their own; with rewrap also needs what starting that job needs',
  })
  @ApiOkResponse({ type: RotationPolicyDto })
  @ApiProblem(501, 'There is no such KMS')
  async putTargetRotationPolicy(
    @Param() { kms }: TargetParams,
    @Body() body: RotationRuleDto,
    @Caller() caller: Principal,
    @Req() request: AdminRequest,
  ): Promise<RotationPolicyDto> {
    requireLimit(body);
    await this.requireRewrap(request, body, ANY_KEY);
    if (!this.kms.status().some((target) => target.kms === kms)) {
      throw new KmsError('kms-not-configured', `There is no KMS ${kms}`, { remedy: 'Configure it first.' });
    }
    return this.put(kms, undefined, body, caller);
  }

  @Delete('targets/:kms/rotation-policy')
  @HttpCode(204)
  @RequiresAction('kms:Configure')
  @ApiOperation({ summary: 'Remove the policy of a KMS; those of its keys stay' })
  @ApiNoContentResponse({ description: 'Removed' })
  @ApiProblem(404, 'The KMS has no policy')
  async deleteTargetRotationPolicy(@Param() { kms }: TargetParams): Promise<void> {
    annotateAudit({ kms });
    requireRemoved(await this.policies.remove(kms));
  }

  /** Who cannot start a rewrap job must not get one by a policy either. @throws AdminError `AccessDenied` */
  private async requireRewrap(request: AdminRequest, { rewrap }: RotationRuleDto, resource: string): Promise<void> {
    if (rewrap === true) {
      await this.authorizer.require(request, ['admin:CreateRewrapJob'], '*');
      await this.authorizer.require(request, ['kms:ReEncryptFrom'], resource);
      await this.authorizer.require(request, ['kms:ReEncryptTo'], resource);
    }
  }

  private async put(
    kms: string,
    keyId: string | undefined,
    body: RotationRuleDto,
    caller: Principal,
  ): Promise<RotationPolicyDto> {
    const { max_age_days: maxAgeDays, max_wraps: maxWraps, automatic = true, rewrap = false } = body;
    annotateAudit({ kms, keyId, details: { rule: JSON.stringify({ maxAgeDays, maxWraps, automatic, rewrap }) } });
    await this.policies.put(kms, keyId, { maxAgeDays, maxWraps, automatic, rewrap }, caller.name);
    return toPolicyDto(found(await this.policies.find(kms, keyId)));
  }
}

function requireLimit({ max_age_days, max_wraps }: RotationRuleDto): void {
  if ((max_age_days ?? undefined) === undefined && (max_wraps ?? undefined) === undefined) {
    throw new AdminError('InvalidRequest', 'A rotation policy needs max_age_days, max_wraps or both', [
      { field: 'max_age_days', message: 'is missing, and so is max_wraps' },
    ]);
  }
}

function found(policy: RotationPolicy | undefined): RotationPolicy {
  if (policy === undefined) {
    throw noSuchPolicy();
  }
  return policy;
}

function requireRemoved(wasThere: boolean): void {
  if (!wasThere) {
    throw noSuchPolicy();
  }
}

function noSuchPolicy(): AdminError {
  return new AdminError('NoSuchRotationPolicy', 'There is no such rotation policy');
}
