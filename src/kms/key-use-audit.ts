import type { AuditTrail } from '../common/audit-trail';
import { requestContext } from '../common/request-context';
import { KmsError } from './kms-error';

/** One call for a data key, as it went out to the KMS; keys that came from a cache are none. */
export interface KeyUseCall {
  readonly operation: 'KmsGenerateDataKey' | 'KmsDecrypt' | 'KmsReEncrypt';
  readonly kms: string;
  readonly keyId: string;
  readonly keyVersion?: string;
  /** Milliseconds of the monotonic clock. */
  readonly startedAt: number;
  readonly error?: unknown;
}

/** Tells the audit trail that a key was used, on whose behalf, and with what outcome. */
export function auditKeyUse(audit: AuditTrail | undefined, call: KeyUseCall): void {
  if (audit === undefined) {
    return;
  }
  const { operation, kms, keyId, keyVersion, startedAt, error } = call;
  const context = requestContext.getStore();
  audit.count({
    category: 'kms',
    operation,
    principal: context?.principal ?? 'system',
    outcome: error === undefined ? 'success' : 'failure',
    errorClass: error === undefined ? undefined : error instanceof KmsError ? error.kind : 'kms-protocol',
    kms,
    keyId,
    keyVersion,
    sourceIp: context?.remoteAddress,
    userAgent: context?.userAgent,
    seconds: (performance.now() - startedAt) / 1_000,
  });
}
