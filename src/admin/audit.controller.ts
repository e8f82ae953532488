import { Get, Query } from '@nestjs/common';
import { ApiOkResponse, ApiOperation } from '@nestjs/swagger';
import { AuditReader } from '../audit/audit-reader.service';
import type { ChainedRecord } from '../audit/audit.repository';
import { AdminController } from './admin-controller.decorator';
import { AuditPageDto, AuditQuery, type AuditRecordDto, AuditVerifyQuery, ChainReportDto } from './audit.dto';
import { RequiresAction } from './requires-action.decorator';

const USUAL_PAGE = 100;

/** Who did what to keys, configuration and identities. */
@AdminController('api/v1/audit', 'audit')
export class AuditController {
  constructor(private readonly reader: AuditReader) {}

  @Get()
  @RequiresAction('admin:ReadAuditLog')
  @ApiOperation({ summary: 'Read the audit log, newest first' })
  @ApiOkResponse({ type: AuditPageDto })
  async readAuditLog(@Query() { before, limit, ...filter }: AuditQuery): Promise<AuditPageDto> {
    const { records, next } = await this.reader.find(filter, before, limit ?? USUAL_PAGE);
    return { records: records.map(toDto), next };
  }

  @Get('verify')
  @RequiresAction('admin:ReadAuditLog')
  @ApiOperation({ summary: 'Recompute the chain of hashes and tell the first break' })
  @ApiOkResponse({ type: ChainReportDto })
  async verifyAuditLog(@Query() { from }: AuditVerifyQuery): Promise<ChainReportDto> {
    return this.reader.verify(from);
  }
}

function toDto({ record, hash }: ChainedRecord): AuditRecordDto {
  const { microseconds, details } = record;
  return {
    sequence: record.sequence,
    at: record.at,
    category: record.category,
    operation: record.operation,
    principal: record.principal,
    outcome: record.outcome,
    errorClass: record.errorClass ?? undefined,
    resource: record.resource ?? undefined,
    kms: record.kms ?? undefined,
    keyId: record.keyId ?? undefined,
    keyVersion: record.keyVersion ?? undefined,
    sourceIp: record.sourceIp ?? undefined,
    userAgent: record.userAgent ?? undefined,
    requestId: record.requestId ?? undefined,
    milliseconds: microseconds === null ? undefined : microseconds / 1_000,
    calls: record.calls,
    details: details === null ? undefined : (JSON.parse(details) as Record<string, string>),
    hash: hash.toString('hex'),
  };
}
