import { Get, Query, Req } from '@nestjs/common';
import { ApiOkResponse, ApiOperation } from '@nestjs/swagger';
import { BucketService } from '../../../object-storage/bucket.service';
import { AdminAuthorizer } from '../../admin-authorizer.service';
import { AdminController } from '../../admin-controller.decorator';
import type { AdminRequest } from '../../admin-request';
import { AnyCaller } from '../../requires-action.decorator';
import { IamAccessKeys } from './iam-access-keys.service';
import { callerOf, IamCallers } from './iam-callers.service';
import { PrefixUsageQuery } from './iam-query.dto';

const READING = ['s3:ListBucket', 's3:GetBucketLocation'];
const WRITING = ['s3:PutObject'];

/** What callers may know of themselves. */
@AdminController(['minio/admin/v3', 'rustfs/admin/v3'], 'identity')
export class IamAccountController {
  constructor(
    private readonly buckets: BucketService,
    private readonly keys: IamAccessKeys,
    private readonly callers: IamCallers,
    private readonly authorizer: AdminAuthorizer,
  ) {}

  @Get('accountinfo')
  @AnyCaller()
  @ApiOperation({
    summary: 'The caller’s policy and buckets',
    description: 'Sizes and numbers of objects are not counted and always 0.',
  })
  @ApiOkResponse({ schema: { type: 'object', additionalProperties: true } })
  async accountInfo(@Req() request: AdminRequest, @Query() _query: PrefixUsageQuery): Promise<object> {
    const owner = this.callers.ownerOf(callerOf(request));
    const buckets: object[] = [];
    for (const { name, createdAt, versioning } of (await this.buckets.list()).buckets) {
      const resource = `arn:aws:s3:::${name}`;
      const read = await this.authorizer.allows(request, READING, resource);
      const write = await this.authorizer.allows(request, WRITING, `${resource}/*`);
      if (read || write) {
        const details = { versioning: versioning === 'enabled', versioningSuspended: versioning === 'suspended' };
        buckets.push({ name, created: createdAt.toISOString(), size: 0, objects: 0, details, access: { read, write } });
      }
    }
    return {
      AccountName: this.callers.nameOf(owner),
      Server: { Type: 0 },
      Policy: JSON.parse(await this.keys.combinedPolicy(owner)) as unknown,
      Buckets: buckets,
    };
  }
}
