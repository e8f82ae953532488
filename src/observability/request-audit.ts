import { adminCategoryOf, type AuditEvent, type AuditTrail } from '../common/audit-trail';
import type { FinishedRequest } from '../common/request-observer';

/** S3 operations that change what a bucket is or who may use it. */
const BUCKET_CHANGE = /^(Create|Put|Delete)(Bucket|PublicAccessBlock|ObjectLock)/;
const ANONYMOUS = 'anonymous';

/**
 * Notes refusals of both faces, and changes of buckets, in the audit trail. Refusals of callers without a name are counted,
 * since anybody can cause as many as they like.
 */
export function auditRequest(audit: AuditTrail, request: FinishedRequest): void {
  if (isRefusal(request)) {
    const event = eventOf(request, 'denied');
    if (request.principal === undefined || request.principal === ANONYMOUS) {
      audit.count({ ...event, resource: undefined });
    } else {
      audit.note(event);
    }
  } else if (BUCKET_CHANGE.test(request.operation)) {
    audit.note(eventOf(request, request.status < 400 ? 'success' : 'failure'));
  }
}

/** S3 answers 400 where it refuses KMS encryption to callers without a signature. */
function isRefusal({ status, audit, principal }: FinishedRequest): boolean {
  return status === 401 || status === 403 || (status === 400 && principal === ANONYMOUS && audit?.keyId !== undefined);
}

function eventOf(request: FinishedRequest, outcome: AuditEvent['outcome']): AuditEvent {
  const { operation, path, audit, principal = ANONYMOUS } = request;
  return {
    resource: path,
    ...audit,
    category: categoryOf(request),
    operation,
    principal,
    outcome,
    errorClass: request.errorCode,
    sourceIp: request.remoteAddress,
    userAgent: request.userAgent,
    requestId: request.requestId,
    seconds: request.seconds,
  };
}

function categoryOf({ operation, path, audit }: FinishedRequest): AuditEvent['category'] {
  if (operation.startsWith('Admin')) {
    return adminCategoryOf(path);
  }
  if (operation.startsWith('Sts')) {
    return 'identity';
  }
  if (audit?.keyId !== undefined) {
    return 'kms';
  }
  return BUCKET_CHANGE.test(operation) ? 'bucket' : 'object';
}
