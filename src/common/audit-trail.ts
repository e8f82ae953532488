import { type AuditAnnotations, requestContext } from './request-context';

/** What kind of thing an audit record is about. */
export type AuditCategory = 'kms' | 'config' | 'identity' | 'bucket' | 'object' | 'system';

export type AuditOutcome = 'success' | 'denied' | 'failure';

/** One thing that happened, as it is to be recorded. */
export interface AuditEvent extends AuditAnnotations {
  readonly category: AuditCategory;
  /** Name of the operation (`PutObject`, `AdminRotateKey`, `KmsGenerateDataKey`). */
  readonly operation: string;
  /** User name, `root`, `anonymous`, or `system` for the store's own work. */
  readonly principal: string;
  readonly outcome: AuditOutcome;
  /** Why it did not succeed: an S3 code or an error kind, never a message. */
  readonly errorClass?: string;
  readonly sourceIp?: string;
  readonly userAgent?: string;
  readonly requestId?: string;
  /** Seconds it took. */
  readonly seconds?: number;
}

/** The port through which every layer has things recorded. */
export abstract class AuditTrail {
  /**
   * Records an event durably before it resolves; for administration, which may wait.
   * @throws Error when it cannot be recorded
   */
  abstract record(event: AuditEvent): Promise<void>;

  /** Records an event soon, in a batch with others, without anybody waiting. Never throws. */
  abstract note(event: AuditEvent): void;

  /** Like {@link note}, for what happens too often for a record each: equal events of a few seconds become one with a count. */
  abstract count(event: AuditEvent): void;
}

/** Adds to what the audit record of the current request will say. Without a request it does nothing. */
export function annotateAudit(annotations: AuditAnnotations): void {
  const context = requestContext.getStore();
  if (context !== undefined) {
    context.audit = {
      ...context.audit,
      ...annotations,
      details: { ...context.audit?.details, ...annotations.details },
    };
  }
}

/** What an admin route is about, by its path. Configuring a KMS is configuration, not a use of keys. */
export function adminCategoryOf(path: string): AuditCategory {
  if (/\/[a-z-]*config/.test(path)) {
    return 'config';
  }
  return /\/kms(\/|$)/.test(path) ? 'kms' : 'identity';
}
