import { Get, Query } from '@nestjs/common';
import { ApiOkResponse, ApiOperation } from '@nestjs/swagger';
import { KeyUsageService } from '../object-storage/key-usage.service';
import { AdminController } from './admin-controller.decorator';
import { KeyUsageListDto, KeyUsageQuery } from './key-usage.dto';
import { RequiresAction } from './requires-action.decorator';

/** What is sealed under which key: what would be lost with it, and what is left to be moved. */
@AdminController('api/v1/kms/usage', 'kms')
export class KeyUsageController {
  constructor(private readonly keyUsage: KeyUsageService) {}

  @Get()
  @RequiresAction('admin:KMSKeyUsage')
  @ApiOperation({
    summary: 'Objects, bytes, uploads in progress and bucket defaults by key and key version, counted now',
  })
  @ApiOkResponse({ type: KeyUsageListDto })
  async getKeyUsage(@Query() { kms, keyId }: KeyUsageQuery): Promise<KeyUsageListDto> {
    return { keys: await this.keyUsage.usage({ kms, keyId }) };
  }
}
