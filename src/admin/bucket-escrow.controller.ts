import { Body, Delete, Get, Param, Put, Req } from '@nestjs/common';
import { ApiOkResponse, ApiOperation } from '@nestjs/swagger';
import { DataKeys } from '../kms/data-keys';
import { BucketService } from '../object-storage/bucket.service';
import { AdminAuthorizer } from './admin-authorizer.service';
import { AdminController, ApiProblem } from './admin-controller.decorator';
import type { AdminRequest } from './admin-request';
import { BucketEscrowDto, BucketParams, SetBucketEscrowDto } from './bucket-escrow.dto';
import { KeyResources } from './key-resources.service';
import { RequiresAction } from './requires-action.decorator';

/** Which key seals the object keys of a bucket a second time. Objects that are there already are for a rewrap job. */
@AdminController('api/v1/buckets/:bucket/escrow', 'kms')
export class BucketEscrowController {
  constructor(
    private readonly buckets: BucketService,
    private readonly dataKeys: DataKeys,
    private readonly authorizer: AdminAuthorizer,
    private readonly keyResources: KeyResources,
  ) {}

  @Get()
  @RequiresAction('admin:GetBucketEscrow')
  @ApiOperation({ summary: 'The key of the second seal of new SSE-KMS objects, and who has set it' })
  @ApiOkResponse({ type: BucketEscrowDto })
  @ApiProblem(404, 'There is no such bucket')
  async getBucketEscrow(@Param() { bucket }: BucketParams): Promise<BucketEscrowDto> {
    const { escrow } = await this.buckets.get(bucket);
    return escrow === undefined
      ? { target: this.dataKeys.escrowReference() ?? null, source: 'deployment' }
      : { target: escrow, source: 'bucket' };
  }

  @Put()
  @RequiresAction('admin:SetBucketEscrow')
  @ApiOperation({ summary: 'Set it, or with null have none; needs kms:GenerateDataKey on the key' })
  @ApiOkResponse({ type: BucketEscrowDto })
  @ApiProblem(404, 'There is no such bucket')
  @ApiProblem(501, 'The target names no KMS that is configured')
  async setBucketEscrow(
    @Param() { bucket }: BucketParams,
    @Body() { target }: SetBucketEscrowDto,
    @Req() request: AdminRequest,
  ): Promise<BucketEscrowDto> {
    if (target !== null) {
      await this.authorizer.require(request, ['kms:GenerateDataKey'], this.keyResources.ofReference(target));
      this.dataKeys.resolve(target);
    }
    await this.buckets.setEscrow(bucket, target);
    return { target, source: 'bucket' };
  }

  @Delete()
  @RequiresAction('admin:SetBucketEscrow')
  @ApiOperation({ summary: 'Follow the deployment again' })
  @ApiOkResponse({ type: BucketEscrowDto })
  @ApiProblem(404, 'There is no such bucket')
  async deleteBucketEscrow(@Param() params: BucketParams): Promise<BucketEscrowDto> {
    await this.buckets.setEscrow(params.bucket, undefined);
    return this.getBucketEscrow(params);
  }
}
