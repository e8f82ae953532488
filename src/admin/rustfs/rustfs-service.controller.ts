import { Body, Get, HttpCode, Post } from '@nestjs/common';
import { ApiOkResponse, ApiOperation } from '@nestjs/swagger';
import type { Principal } from '../../identity/identity.types';
import { AdminController, ApiProblem } from '../admin-controller.decorator';
import { Caller } from '../caller.decorator';
import { RequiresAction } from '../requires-action.decorator';
import { RustfsConfigureDto } from './rustfs-configure.dto';
import { RustfsKmsService } from './rustfs-kms-service.service';
import {
  RustfsCacheAnswerDto,
  RustfsConfigDto,
  RustfsServiceAnswerDto,
  RustfsServiceStatusDto,
  RustfsStartDto,
  RustfsStatusDto,
} from './rustfs-service.dto';

/** RustFS' one KMS: configured, started, stopped and looked at. */
@AdminController('rustfs/admin/v3/kms', 'kms')
export class RustfsServiceController {
  constructor(private readonly service: RustfsKmsService) {}

  @Post(['configure', 'reconfigure'])
  @HttpCode(200)
  @RequiresAction('kms:Configure')
  @ApiOperation({ summary: 'Test a KMS, store its configuration, and make it the default' })
  @ApiOkResponse({ type: RustfsServiceAnswerDto })
  @ApiProblem(409, 'The environment pins a field')
  @ApiProblem(501, 'This server has no such KMS')
  async configureRustfsKms(
    @Body() body: RustfsConfigureDto,
    @Caller() caller: Principal,
  ): Promise<RustfsServiceAnswerDto> {
    return this.service.configure(body, caller.name);
  }

  @Post('start')
  @HttpCode(200)
  @RequiresAction('kms:ServiceControl')
  @ApiOperation({ summary: 'Enable the default KMS' })
  @ApiOkResponse({ type: RustfsServiceAnswerDto })
  async startRustfsKms(@Caller() caller: Principal, @Body() body?: RustfsStartDto): Promise<RustfsServiceAnswerDto> {
    return this.service.start(body?.force === true, caller.name);
  }

  @Post('stop')
  @HttpCode(200)
  @RequiresAction('kms:ServiceControl')
  @ApiOperation({ summary: 'Disable the default KMS; objects under its keys cannot be read meanwhile' })
  @ApiOkResponse({ type: RustfsServiceAnswerDto })
  async stopRustfsKms(@Caller() caller: Principal): Promise<RustfsServiceAnswerDto> {
    return this.service.stop(caller.name);
  }

  @Get('service-status')
  @RequiresAction('kms:ServiceControl')
  @ApiOperation({ summary: 'Whether the default KMS is running' })
  @ApiOkResponse({ type: RustfsServiceStatusDto })
  async getRustfsServiceStatus(): Promise<RustfsServiceStatusDto> {
    return this.service.serviceStatus();
  }

  @Get('status')
  @RequiresAction('kms:ServiceControl', 'admin:KMSKeyStatus', 'kms:Status')
  @ApiOperation({ summary: 'The default KMS, its cache and capabilities, and every other KMS' })
  @ApiOkResponse({ type: RustfsStatusDto })
  async getRustfsStatus(): Promise<RustfsStatusDto> {
    return this.service.status();
  }

  @Post('status')
  @HttpCode(200)
  @RequiresAction('kms:ServiceControl', 'admin:KMSKeyStatus', 'kms:Status')
  @ApiOperation({ summary: 'The same' })
  @ApiOkResponse({ type: RustfsStatusDto })
  async postRustfsStatus(): Promise<RustfsStatusDto> {
    return this.service.status();
  }

  @Get('config')
  @RequiresAction('kms:Configure')
  @ApiOperation({ summary: 'Which KMS is the default, and the cache of data keys' })
  @ApiOkResponse({ type: RustfsConfigDto })
  getRustfsConfig(): RustfsConfigDto {
    return this.service.configuration();
  }

  @Post('clear-cache')
  @HttpCode(200)
  @RequiresAction('kms:ClearCache')
  @ApiOperation({ summary: 'Forget every unwrapped data key, in every process' })
  @ApiOkResponse({ type: RustfsCacheAnswerDto })
  async clearRustfsCache(@Caller() caller: Principal): Promise<RustfsCacheAnswerDto> {
    await this.service.clearCache(caller.name);
    return { status: 'success', message: 'cache cleared' };
  }
}
