import { Body, Delete, Get, HttpCode, Param, Post, Put, Query, Req, type StreamableFile } from '@nestjs/common';
import { ApiBody, ApiExtraModels, ApiNoContentResponse, ApiOkResponse, ApiOperation } from '@nestjs/swagger';
import { ConfigManager } from '../config/config-manager';
import type { ConfigReadout, SetOptions, SetResult } from '../config/subsystem';
import type { Principal } from '../identity/identity.types';
import { AdminController, ApiProblem } from './admin-controller.decorator';
import { AdminError } from './admin-error';
import type { AdminRequest } from './admin-request';
import { Caller } from './caller.decorator';
import {
  ConfigChangeDto,
  ConfigDocumentParams,
  ConfigHistoryDto,
  ConfigListDto,
  ConfigReadoutDto,
  ConfigSubsystemParams,
  DeleteConfigQuery,
  EffectiveFieldDto,
  HistoryQuery,
  RollbackDto,
  SetConfigQuery,
  TestConfigQuery,
} from './config.dto';
import { ConfigKvService } from './minio/config-kv.service';
import { MadminPayloads, speaksMadmin } from './minio/madmin-payloads.service';
import { RequiresAction } from './requires-action.decorator';
import { TestReportDto } from './test-report.dto';

const FIELDS_BODY = ApiBody({
  description: 'Fields of the document; GET /api/v1/config/subsystems lists them. A blank secret keeps the stored one.',
  schema: { type: 'object', additionalProperties: true },
  examples: {
    vault: {
      summary: 'Vault with a token',
      value: { endpoint: 'https://vault.example.com:8200', key_name: 'app-key', token: '<token>', enabled: true },
    },
  },
});

/** Dynamic configuration: `subsystem/target` documents, tested before they take effect, with history and rollback. */
@AdminController(['minio/admin/v3', 'rustfs/admin/v3'], 'configuration')
@ApiExtraModels(EffectiveFieldDto)
export class ConfigController {
  constructor(
    private readonly config: ConfigManager,
    private readonly text: ConfigKvService,
    private readonly payloads: MadminPayloads,
  ) {}

  @Get('config')
  @RequiresAction('admin:ConfigUpdate')
  @ApiOperation({
    summary: 'Every configuration document, secrets masked, with the source of each field',
    description: "Clients of MinIO, known by their User-Agent, get MinIO's text, encrypted with their secret key.",
  })
  @ApiOkResponse({ type: ConfigListDto })
  async listConfig(@Req() request: AdminRequest): Promise<ConfigListDto | StreamableFile> {
    if (speaksMadmin(request)) {
      return this.payloads.answer(request, await this.text.printAll(), 'text/plain');
    }
    return { config: await this.config.list() };
  }

  @Get('config/:subsystem')
  @RequiresAction('admin:ConfigUpdate')
  @ApiOperation({ summary: 'The documents of one subsystem' })
  @ApiOkResponse({ type: ConfigListDto })
  @ApiProblem(404, 'There is no such subsystem')
  async listSubsystemConfig(@Param() { subsystem }: ConfigSubsystemParams): Promise<ConfigListDto> {
    return { config: await this.config.list(subsystem) };
  }

  @Get('config/:subsystem/:target')
  @RequiresAction('admin:ConfigUpdate')
  @ApiOperation({ summary: 'One document, secrets masked' })
  @ApiOkResponse({ type: ConfigReadoutDto })
  @ApiProblem(404, 'There is no such document')
  async getConfig(@Param() { subsystem, target }: ConfigDocumentParams): Promise<ConfigReadout> {
    return this.config.get(subsystem, target);
  }

  @Post('config/:subsystem/:target')
  @HttpCode(200)
  @RequiresAction('admin:ConfigUpdate')
  @ApiOperation({
    summary: 'Merge fields into a document',
    description:
      'Validates, tests the connection, stores a new version, and takes effect in every process. When the test fails, ' +
      'nothing changes and the answer is 400 with the report of the test.',
  })
  @FIELDS_BODY
  @ApiOkResponse({ type: ConfigChangeDto })
  @ApiProblem(404, 'There is no such subsystem')
  @ApiProblem(409, 'Somebody else changed it meanwhile, or the environment pins a field')
  async setConfig(
    @Param() params: ConfigDocumentParams,
    @Body() fields: unknown,
    @Query() query: SetConfigQuery,
    @Caller() caller: Principal,
  ): Promise<ConfigChangeDto> {
    return this.change(params, fields, query, caller, false);
  }

  @Put('config/:subsystem/:target')
  @RequiresAction('admin:ConfigUpdate')
  @ApiOperation({ summary: 'Replace a document; fields left out return to file, environment or default' })
  @FIELDS_BODY
  @ApiOkResponse({ type: ConfigChangeDto })
  @ApiProblem(404, 'There is no such subsystem')
  @ApiProblem(409, 'Somebody else changed it meanwhile, or the environment pins a field')
  async replaceConfig(
    @Param() params: ConfigDocumentParams,
    @Body() fields: unknown,
    @Query() query: SetConfigQuery,
    @Caller() caller: Principal,
  ): Promise<ConfigChangeDto> {
    return this.change(params, fields, query, caller, true);
  }

  @Delete('config/:subsystem/:target')
  @HttpCode(204)
  @RequiresAction('admin:ConfigUpdate')
  @ApiOperation({ summary: 'Delete the stored document; its history stays' })
  @ApiNoContentResponse()
  @ApiProblem(404, 'There is no such document')
  @ApiProblem(409, 'The document comes from the environment or a file')
  async deleteConfig(
    @Param() { subsystem, target }: ConfigDocumentParams,
    @Query() query: DeleteConfigQuery,
    @Caller() caller: Principal,
  ): Promise<void> {
    await this.config.delete(subsystem, target, optionsOf(query, caller));
  }

  @Post('config/:subsystem/:target/test')
  @HttpCode(200)
  @RequiresAction('admin:ConfigUpdate')
  @ApiOperation({
    summary: 'Test the connection',
    description: 'Without a body, of the stored document; with one, of the stored document overlaid with these fields.',
  })
  @FIELDS_BODY
  @ApiOkResponse({ type: TestReportDto, description: 'The test ran; `ok` says how it ended' })
  @ApiProblem(404, 'There is no such document')
  async testConfig(
    @Param() { subsystem, target }: ConfigDocumentParams,
    @Body() fields: unknown,
    @Query() _query: TestConfigQuery,
  ): Promise<TestReportDto> {
    return this.config.test(subsystem, target, fields === undefined ? undefined : fieldsOf(fields));
  }

  @Get('config/:subsystem/:target/history')
  @RequiresAction('admin:ConfigUpdate')
  @ApiOperation({ summary: 'Changes of a document, newest first, secrets masked' })
  @ApiOkResponse({ type: ConfigHistoryDto })
  async getConfigHistory(
    @Param() { subsystem, target }: ConfigDocumentParams,
    @Query() { limit }: HistoryQuery,
  ): Promise<ConfigHistoryDto> {
    return { entries: await this.config.history(subsystem, target, limit) };
  }

  @Post('config/:subsystem/:target/rollback')
  @HttpCode(200)
  @RequiresAction('admin:ConfigUpdate')
  @ApiOperation({ summary: 'Return to an earlier version; a change like any other, tested and recorded' })
  @ApiOkResponse({ type: ConfigChangeDto })
  @ApiProblem(404, 'There is no such version')
  async rollbackConfig(
    @Param() { subsystem, target }: ConfigDocumentParams,
    @Body() { version }: RollbackDto,
    @Query() query: DeleteConfigQuery,
    @Caller() caller: Principal,
  ): Promise<ConfigChangeDto> {
    return applied(await this.config.rollback(subsystem, target, version, optionsOf(query, caller)));
  }

  private async change(
    { subsystem, target }: ConfigDocumentParams,
    body: unknown,
    query: SetConfigQuery,
    caller: Principal,
    replace: boolean,
  ): Promise<ConfigChangeDto> {
    const fields = fieldsOf(body);
    if (query['dry-run'] === true) {
      return { applied: false, test: await this.config.test(subsystem, target, fields) };
    }
    return applied(await this.config.set(subsystem, target, fields, { ...optionsOf(query, caller), replace }));
  }
}

function applied({ readout, test, propagation }: SetResult): ConfigChangeDto {
  return { applied: true, config: readout, test, propagation };
}

function optionsOf(query: DeleteConfigQuery, caller: Principal): SetOptions {
  return {
    changedBy: caller.name,
    comment: query.reason,
    force: query.force,
    expectedVersion: query['expected-version'],
  };
}

/** Which fields there are, the subsystem knows; here they only have to be fields. */
function fieldsOf(body: unknown): Readonly<Record<string, unknown>> {
  if (typeof body !== 'object' || body === null || Array.isArray(body)) {
    throw new AdminError('InvalidRequest', 'The body must be a JSON object of fields', [], {
      remedy: 'For example {"endpoint": "https://vault.example.com:8200", "key_name": "app-key"}',
    });
  }
  return body as Readonly<Record<string, unknown>>;
}
