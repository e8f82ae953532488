import { Body, Delete, Get, HttpCode, Param, Patch, Post, Query, Req } from '@nestjs/common';
import { ApiCreatedResponse, ApiNoContentResponse, ApiOkResponse, ApiOperation } from '@nestjs/swagger';
import type { Principal } from '../identity/identity.types';
import { DataKeys } from '../kms/data-keys';
import { RewrapService } from '../rewrap/rewrap.service';
import { AdminAuthorizer } from './admin-authorizer.service';
import { AdminController, ApiProblem } from './admin-controller.decorator';
import type { AdminRequest } from './admin-request';
import { Caller } from './caller.decorator';
import { ANY_KEY, KeyResources } from './key-resources.service';
import { RequiresAction } from './requires-action.decorator';
import {
  CreateRewrapJobDto,
  RewrapFailureListDto,
  RewrapFailureQuery,
  RewrapJobDto,
  RewrapJobListDto,
  RewrapJobParams,
  type RewrapSelectionDto,
  UpdateRewrapJobDto,
} from './rewrap.dto';

const PAGE = 100;

/** Jobs that seal object keys anew under another KMS key, without touching data. */
@AdminController('api/v1/rewrap-jobs', 'kms')
export class RewrapController {
  constructor(
    private readonly rewrap: RewrapService,
    private readonly authorizer: AdminAuthorizer,
    private readonly keyResources: KeyResources,
    private readonly dataKeys: DataKeys,
  ) {}

  @Post()
  @RequiresAction('admin:CreateRewrapJob')
  @ApiOperation({
    summary: 'Start a job; needs kms:ReEncryptFrom on the key it leaves and kms:ReEncryptTo on the key it goes to',
  })
  @ApiCreatedResponse({ type: RewrapJobDto })
  @ApiProblem(501, 'The target names no KMS that is configured')
  async createRewrapJob(
    @Body() body: CreateRewrapJobDto,
    @Caller() caller: Principal,
    @Req() request: AdminRequest,
  ): Promise<RewrapJobDto> {
    const { target, selection = {}, dryRun = false } = body;
    const from = this.sourceResource(selection);
    await this.authorizer.require(request, ['kms:ReEncryptFrom'], from);
    const to = target === undefined ? from : this.keyResources.ofReference(target);
    await this.authorizer.require(request, ['kms:ReEncryptTo'], to);
    if (body.escrow === 'add') {
      const escrow = this.dataKeys.escrowReference();
      await this.authorizer.require(
        request,
        ['kms:ReEncryptTo'],
        this.keyResources.ofReference(body.escrowTarget ?? escrow),
      );
    }
    return this.rewrap.create({ ...body, selection, dryRun, createdBy: caller.name });
  }

  @Get()
  @RequiresAction('admin:ListRewrapJobs')
  @ApiOperation({ summary: 'List jobs, the newest first' })
  @ApiOkResponse({ type: RewrapJobListDto })
  async listRewrapJobs(): Promise<RewrapJobListDto> {
    return { jobs: await this.rewrap.list() };
  }

  @Get(':id')
  @RequiresAction('admin:ListRewrapJobs')
  @ApiOperation({ summary: 'One job with its progress, rate and estimated time' })
  @ApiOkResponse({ type: RewrapJobDto })
  @ApiProblem(404, 'There is no such job')
  async getRewrapJob(@Param() { id }: RewrapJobParams): Promise<RewrapJobDto> {
    return this.rewrap.get(id);
  }

  @Get(':id/failures')
  @RequiresAction('admin:ListRewrapJobs')
  @ApiOperation({ summary: 'What could not be done, with the reason; a page goes on behind the failure given' })
  @ApiOkResponse({ type: RewrapFailureListDto })
  @ApiProblem(404, 'There is no such job')
  async listRewrapFailures(
    @Param() { id }: RewrapJobParams,
    @Query() { limit = PAGE, ...after }: RewrapFailureQuery,
  ): Promise<RewrapFailureListDto> {
    return { failures: await this.rewrap.failures(id, after, limit) };
  }

  @Patch(':id')
  @RequiresAction('admin:UpdateRewrapJob')
  @ApiOperation({ summary: 'Pause, resume or cancel a job, or change its pace; what has been sealed anew stays so' })
  @ApiOkResponse({ type: RewrapJobDto })
  @ApiProblem(404, 'There is no such job')
  @ApiProblem(409, 'The job has ended')
  async updateRewrapJob(@Param() { id }: RewrapJobParams, @Body() body: UpdateRewrapJobDto): Promise<RewrapJobDto> {
    return this.rewrap.change(id, body);
  }

  @Delete(':id')
  @HttpCode(204)
  @RequiresAction('admin:DeleteRewrapJob')
  @ApiOperation({ summary: 'Forget a job that has ended' })
  @ApiNoContentResponse()
  @ApiProblem(404, 'There is no such job')
  @ApiProblem(409, 'The job has not ended')
  async deleteRewrapJob(@Param() { id }: RewrapJobParams): Promise<void> {
    await this.rewrap.delete(id);
  }

  private sourceResource({ kms, keyId }: RewrapSelectionDto): string {
    return kms === undefined || keyId === undefined ? ANY_KEY : this.keyResources.ofKey(kms, keyId);
  }
}
