import { Global, Module } from '@nestjs/common';
import { AuditTrail } from '../common/audit-trail';
import { AuditLog } from './audit-log.service';
import { AuditReader } from './audit-reader.service';
import { AuditRetention } from './audit-retention.service';
import { AuditRepository } from './audit.repository';

/** The audit log. Global, because every layer reports to the {@link AuditTrail} port. */
@Global()
@Module({
  providers: [AuditRepository, AuditLog, AuditReader, AuditRetention, { provide: AuditTrail, useExisting: AuditLog }],
  exports: [AuditTrail, AuditReader],
})
export class AuditModule {}
