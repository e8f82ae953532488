import { Get, Query } from '@nestjs/common';
import { ApiOkResponse, ApiOperation } from '@nestjs/swagger';
import { LifecycleService } from '../../lifecycle/lifecycle.service';
import { AdminController } from '../admin-controller.decorator';
import { RequiresAction } from '../requires-action.decorator';
import { LifecycleRunListDto, LifecycleRunQuery } from './lifecycle.dto';

const PAGE = 100;

/** What the lifecycle rules of all buckets have done. */
@AdminController('api/v1/lifecycle-runs', 'lifecycle')
export class LifecycleRunsController {
  constructor(private readonly lifecycle: LifecycleService) {}

  @Get()
  @RequiresAction('admin:ListLifecycleRuns')
  @ApiOperation({ summary: 'The last run of every bucket that has lifecycle rules' })
  @ApiOkResponse({ type: LifecycleRunListDto })
  async listLifecycleRuns(@Query() { after = '', limit = PAGE }: LifecycleRunQuery): Promise<LifecycleRunListDto> {
    return { runs: await this.lifecycle.list(after, limit) };
  }
}
