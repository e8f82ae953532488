import { Get, HttpCode, Post, Query } from '@nestjs/common';
import { ApiAcceptedResponse, ApiOkResponse, ApiOperation } from '@nestjs/swagger';
import { DomainError } from '../common/domain-error';
import { BlobScrubber } from '../object-storage/blob-scrubber.service';
import { ScrubRepository } from '../object-storage/scrub.repository';
import { Settings } from '../settings/settings';
import { AdminController, ApiProblem } from './admin-controller.decorator';
import { RequiresAction } from './requires-action.decorator';
import { BlobDamageListDto, BlobDamageQuery, ScrubDto } from './scrub.dto';

const PAGE = 100;

/** The verification of stored bytes. */
@AdminController('api/v1/scrub', 'scrub')
export class ScrubController {
  constructor(
    private readonly repository: ScrubRepository,
    private readonly scrubber: BlobScrubber,
    private readonly settings: Settings,
  ) {}

  @Get()
  @RequiresAction('admin:ReadScrub')
  @ApiOperation({ summary: 'The round that is under way, or the last one' })
  @ApiOkResponse({ type: ScrubDto })
  async getScrub(): Promise<ScrubDto> {
    return this.repository.status();
  }

  @Post()
  @HttpCode(202)
  @RequiresAction('admin:RunScrub')
  @ApiOperation({ summary: 'Begin a round as soon as a worker is free; one under way is not disturbed' })
  @ApiAcceptedResponse({ type: ScrubDto })
  @ApiProblem(409, 'Scrubbing is switched off')
  async runScrub(): Promise<ScrubDto> {
    if (this.settings.scrubIntervalSeconds === 0) {
      throw new DomainError('scrub-off', 'Stored blobs are not verified here', {
        remedy: 'Set STRONGROOM_SCRUB_INTERVAL to other than 0, or remove it',
      });
    }
    await this.repository.request();
    this.scrubber.wake();
    return this.repository.status();
  }

  @Get('damage')
  @RequiresAction('admin:ReadScrub')
  @ApiOperation({ summary: 'Blobs that were found damaged, with an object that has them' })
  @ApiOkResponse({ type: BlobDamageListDto })
  async listBlobDamage(@Query() { after = '', limit = PAGE }: BlobDamageQuery): Promise<BlobDamageListDto> {
    return { damage: await this.repository.damage(after, limit) };
  }
}
