import { Injectable, Logger, Optional } from '@nestjs/common';
import { AuditTrail } from '../common/audit-trail';
import { type FinishedRequest, RequestObserver } from '../common/request-observer';
import { auditRequest } from './request-audit';
import { receivedBytes, requestDuration, requestsTotal, sentBytes } from './request.metrics';

/** Asked for every few seconds by machines; a line each would drown the rest. */
const NOT_IMPLEMENTED = 501;
const SILENT_OPERATIONS: ReadonlySet<string> = new Set(['Health', 'Metrics']);

/** Counts every finished request and writes at most one line about it. */
@Injectable()
export class RequestLog extends RequestObserver {
  private readonly logger = new Logger('Request');

  constructor(@Optional() private readonly audit?: AuditTrail) {
    super();
  }

  override requestFinished(request: FinishedRequest): void {
    requestsTotal.inc({ operation: request.operation, status: String(request.status) });
    requestDuration.observe({ operation: request.operation }, request.seconds);
    if (request.bytesIn > 0) receivedBytes.inc(request.bytesIn);
    if (request.bytesOut > 0) sentBytes.inc(request.bytesOut);
    if (this.audit !== undefined) auditRequest(this.audit, request);
    if (!SILENT_OPERATIONS.has(request.operation) || request.status >= 500) {
      this.write(request);
    }
  }

  /**
   * A server fault is an error and a refused caller a warning; all else, a missing key or an operation that this store does
   * not have included, is everyday business.
   */
  private write(request: FinishedRequest): void {
    const milliseconds = Math.round(request.seconds * 10_000) / 10;
    const line = {
      msg: `${request.operation} ${request.status}${request.errorCode === undefined ? '' : ` ${request.errorCode}`} ${milliseconds} ms`,
      requestId: request.requestId,
      operation: request.operation,
      method: request.method,
      path: request.path,
      status: request.status,
      errorCode: request.errorCode,
      principal: request.principal,
      remoteAddress: request.remoteAddress,
      userAgent: request.userAgent,
      bytesIn: request.bytesIn,
      bytesOut: request.bytesOut,
      milliseconds,
      ...(request.failure === undefined ? {} : { err: request.failure }),
    };
    const faulty = request.status >= 500 && request.status !== NOT_IMPLEMENTED;
    if (faulty || request.failure !== undefined) this.logger.error(line);
    else if (request.status === 401 || request.status === 403) this.logger.warn(line);
    else this.logger.log(line);
  }
}
