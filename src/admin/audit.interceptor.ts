import { type CallHandler, type ExecutionContext, Injectable, type NestInterceptor } from '@nestjs/common';
import { lastValueFrom, from, type Observable } from 'rxjs';
import { adminCategoryOf, AuditTrail, type AuditOutcome } from '../common/audit-trail';
import { DomainError } from '../common/domain-error';
import { requestContext } from '../common/request-context';
import type { AdminRequest } from './admin-request';
import { leavesRecord } from './audit-scope';
import { problemRow } from './problem-table';

/** Statuses that the observer of requests records as refusals, together with those that never reach a handler. */
const REFUSALS: ReadonlySet<number> = new Set([401, 403]);

/** Records what handlers did before anybody is told that it was done. */
@Injectable()
export class AuditInterceptor implements NestInterceptor {
  constructor(private readonly audit: AuditTrail) {}

  intercept(context: ExecutionContext, next: CallHandler): Observable<unknown> {
    const request = context.switchToHttp().getRequest<AdminRequest>();
    const path = request.originalUrl.split('?', 1)[0] ?? '/';
    return leavesRecord(request.method, path) ? from(this.recorded(path, next)) : next.handle();
  }

  private async recorded(path: string, next: CallHandler): Promise<unknown> {
    const startedAt = performance.now();
    let result: unknown;
    try {
      result = await lastValueFrom(next.handle(), { defaultValue: undefined });
    } catch (error) {
      const kind = error instanceof DomainError ? error.kind : 'internal';
      if (!REFUSALS.has(problemRow(kind)?.status ?? 500)) {
        await this.write(path, startedAt, 'failure', kind);
      }
      throw error;
    }
    await this.write(path, startedAt, 'success');
    return result;
  }

  private async write(path: string, startedAt: number, outcome: AuditOutcome, errorClass?: string): Promise<void> {
    const context = requestContext.getStore();
    await this.audit.record({
      resource: path,
      ...context?.audit,
      category: adminCategoryOf(path),
      operation: context?.operation ?? 'AdminUnknown',
      principal: context?.principal ?? 'anonymous',
      outcome,
      errorClass,
      sourceIp: context?.remoteAddress,
      userAgent: context?.userAgent,
      requestId: context?.requestId,
      seconds: (performance.now() - startedAt) / 1_000,
    });
  }
}
