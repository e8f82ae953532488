import { Delete, Get, Header, Put, Query, Req, type StreamableFile } from '@nestjs/common';
import { ApiBody, ApiConsumes, ApiOkResponse, ApiOperation, ApiProduces } from '@nestjs/swagger';
import type { SetOptions } from '../../config/subsystem';
import type { Principal } from '../../identity/identity.types';
import { AdminController, ApiProblem } from '../admin-controller.decorator';
import type { AdminRequest } from '../admin-request';
import { Caller } from '../caller.decorator';
import { RawBody } from '../raw-body.decorator';
import { RequiresAction } from '../requires-action.decorator';
import {
  ClearHistoryQuery,
  ConfigHelpDto,
  ConfigHistoryKvQuery,
  GetConfigKvQuery,
  HelpConfigKvQuery,
  RestoreIdQuery,
} from './config-kv.dto';
import { ConfigKvService } from './config-kv.service';
import { MadminPayloads } from './madmin-payloads.service';

const TEXT = 'text/plain; charset=utf-8';
const DEFAULT_COUNT = 10;

/** mc tells its user to restart the server unless this says that the change is in force. */
const APPLIED: readonly [string, string] = ['x-minio-config-applied', 'true'];

const TEXT_BODY = ApiBody({
  description: 'Lines of configuration: text/plain, or encrypted with the secret key of the caller, as mc does it',
  schema: {
    type: 'string',
    example: 'kms_vault endpoint=https://vault.example.com:8200 key_name=app-key token=<token>',
  },
});

/** What `mc admin config` needs, in MinIO's shapes: encrypted for clients of MinIO, plain text for all others. */
@AdminController('minio/admin/v3', 'configuration')
export class ConfigKvController {
  constructor(
    private readonly config: ConfigKvService,
    private readonly payloads: MadminPayloads,
  ) {}

  @Get('get-config-kv')
  @RequiresAction('admin:ConfigUpdate')
  @ApiOperation({ summary: 'Documents of a subsystem as text, secrets masked' })
  @ApiProduces('text/plain', 'application/octet-stream')
  @ApiOkResponse({ schema: { type: 'string' } })
  @ApiProblem(404, 'There is no such subsystem or target')
  async getConfigKv(@Req() request: AdminRequest, @Query() { key }: GetConfigKvQuery): Promise<StreamableFile> {
    return this.payloads.answer(request, await this.config.print(key), TEXT);
  }

  @Put('set-config-kv')
  @RawBody()
  @RequiresAction('admin:ConfigUpdate')
  @Header(...APPLIED)
  @ApiOperation({ summary: 'Merge fields into documents; tested before they take effect' })
  @ApiConsumes('text/plain', 'application/octet-stream')
  @TEXT_BODY
  @ApiOkResponse({ description: 'In force in every process; no body' })
  async setConfigKv(@Req() request: AdminRequest, @Caller() caller: Principal): Promise<void> {
    await this.config.set(await this.payloads.read(request), by(caller));
  }

  @Delete('del-config-kv')
  @RawBody()
  @RequiresAction('admin:ConfigUpdate')
  @Header(...APPLIED)
  @ApiOperation({ summary: 'Delete a document, or fields of it' })
  @ApiConsumes('text/plain', 'application/octet-stream')
  @TEXT_BODY
  @ApiOkResponse({ description: 'In force in every process; no body' })
  async deleteConfigKv(@Req() request: AdminRequest, @Caller() caller: Principal): Promise<void> {
    await this.config.reset(await this.payloads.read(request), by(caller));
  }

  @Get('help-config-kv')
  @RequiresAction('admin:ConfigUpdate')
  @ApiOperation({ summary: 'Subsystems, or the fields of one' })
  @ApiOkResponse({ type: ConfigHelpDto })
  async helpConfigKv(@Query() query: HelpConfigKvQuery): Promise<ConfigHelpDto> {
    return this.config.help(query);
  }

  @Get('list-config-history-kv')
  @RequiresAction('admin:ConfigUpdate')
  @ApiOperation({ summary: 'The latest changes of all documents, secrets masked' })
  @ApiProduces('application/json', 'application/octet-stream')
  @ApiOkResponse({ schema: { type: 'array', items: { type: 'object' } } })
  async listConfigHistoryKv(
    @Req() request: AdminRequest,
    @Query() { count = DEFAULT_COUNT }: ConfigHistoryKvQuery,
  ): Promise<StreamableFile> {
    return this.payloads.answer(request, JSON.stringify(await this.config.history(count)), 'application/json');
  }

  @Put('restore-config-history-kv')
  @RequiresAction('admin:ConfigUpdate')
  @Header(...APPLIED)
  @ApiOperation({ summary: 'Bring a document back to how a change left it' })
  @ApiOkResponse({ description: 'In force in every process; no body' })
  @ApiProblem(404, 'There is no such change')
  async restoreConfigHistoryKv(@Query() { restoreId }: RestoreIdQuery, @Caller() caller: Principal): Promise<void> {
    await this.config.restore(restoreId, by(caller));
  }

  @Delete('clear-config-history-kv')
  @RequiresAction('admin:ConfigUpdate')
  @ApiOperation({
    summary: 'Hide changes from this history',
    description: 'The history itself is append-only: /config/{subsystem}/{target}/history goes on to show everything.',
  })
  @ApiOkResponse({ description: 'Hidden; no body' })
  @ApiProblem(404, 'There is no such change')
  async clearConfigHistoryKv(@Query() { restoreId }: ClearHistoryQuery, @Caller() caller: Principal): Promise<void> {
    await this.config.clear(restoreId, caller.name);
  }

  @Put('config')
  @RawBody()
  @RequiresAction('admin:ConfigUpdate')
  @Header(...APPLIED)
  @ApiOperation({
    summary: 'Replace the documents that a text names; others stay',
    description: 'All are tested before the first is written. A masked secret keeps the stored one.',
  })
  @ApiConsumes('text/plain', 'application/octet-stream')
  @TEXT_BODY
  @ApiOkResponse({ description: 'In force in every process; no body' })
  async replaceWholeConfig(@Req() request: AdminRequest, @Caller() caller: Principal): Promise<void> {
    await this.config.replace(await this.payloads.read(request), by(caller));
  }
}

function by(caller: Principal): SetOptions {
  return { changedBy: caller.name };
}
