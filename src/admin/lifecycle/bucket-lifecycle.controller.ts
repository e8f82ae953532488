import { Get, HttpCode, Param, Post, Query } from '@nestjs/common';
import { ApiAcceptedResponse, ApiOkResponse, ApiOperation } from '@nestjs/swagger';
import { LifecycleService } from '../../lifecycle/lifecycle.service';
import type { LifecycleCursor } from '../../lifecycle/lifecycle.types';
import { AdminController, ApiProblem } from '../admin-controller.decorator';
import { AdminError } from '../admin-error';
import { BucketParams } from '../bucket-escrow.dto';
import { RequiresAction } from '../requires-action.decorator';
import { LifecyclePreviewDto, LifecyclePreviewQuery, LifecycleRunDto } from './lifecycle.dto';

const PAGE = 100;

/** The lifecycle rules of one bucket: what they did, what they would do, and having them run. */
@AdminController('api/v1/buckets/:bucket/lifecycle', 'lifecycle')
export class BucketLifecycleController {
  constructor(private readonly lifecycle: LifecycleService) {}

  @Get('run')
  @RequiresAction('admin:ListLifecycleRuns')
  @ApiOperation({ summary: 'The run that is under way, or the last one' })
  @ApiOkResponse({ type: LifecycleRunDto })
  @ApiProblem(404, 'There is no such bucket, or it has no lifecycle rules')
  async getLifecycleRun(@Param() { bucket }: BucketParams): Promise<LifecycleRunDto> {
    return this.lifecycle.get(bucket);
  }

  @Post('run')
  @HttpCode(202)
  @RequiresAction('admin:RunLifecycle')
  @ApiOperation({ summary: 'Run the rules as soon as a worker is free; a run under way is not disturbed' })
  @ApiAcceptedResponse({ type: LifecycleRunDto })
  @ApiProblem(404, 'There is no such bucket, or it has no lifecycle rules')
  @ApiProblem(409, 'Lifecycle rules are switched off')
  async runLifecycle(@Param() { bucket }: BucketParams): Promise<LifecycleRunDto> {
    return this.lifecycle.request(bucket);
  }

  @Get('preview')
  @RequiresAction('admin:ListLifecycleRuns')
  @ApiOperation({ summary: 'What a run would do now; nothing is done' })
  @ApiOkResponse({ type: LifecyclePreviewDto })
  @ApiProblem(404, 'There is no such bucket, or it has no lifecycle rules')
  async previewLifecycle(
    @Param() { bucket }: BucketParams,
    @Query() { cursor, limit = PAGE }: LifecyclePreviewQuery,
  ): Promise<LifecyclePreviewDto> {
    const from = cursor === undefined ? undefined : cursorOf(cursor);
    const { actions, scanned, next } = await this.lifecycle.preview(bucket, from, limit);
    return { actions, scanned, next: next === undefined ? undefined : textOf(next) };
  }
}

function textOf({ stage, key, seq, upload }: LifecycleCursor): string {
  return Buffer.from(JSON.stringify([stage, key, seq ?? null, upload])).toString('base64url');
}

function cursorOf(text: string): LifecycleCursor {
  try {
    const [stage, key, seq, upload] = JSON.parse(Buffer.from(text, 'base64url').toString()) as unknown[];
    const place = seq === null ? undefined : seq;
    if (
      (stage === 'objects' || stage === 'uploads') &&
      typeof key === 'string' &&
      typeof upload === 'string' &&
      (place === undefined || (typeof place === 'string' && /^-?\d{1,19}$/.test(place)))
    ) {
      return { stage, key, seq: place, upload };
    }
  } catch {
    // Told below like any other text that is no cursor.
  }
  throw new AdminError('InvalidRequest', 'cursor must be the next of an earlier page');
}
