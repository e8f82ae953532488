import { AsyncLocalStorage } from 'node:async_hooks';

/** What the code that does the work knows and the face that reports it does not. Never a secret, never key material. */
export interface AuditAnnotations {
  /** `<type>:<target>`. */
  readonly kms?: string;
  readonly keyId?: string;
  readonly keyVersion?: string;
  /** What was acted on, when the path of the request does not say it. */
  readonly resource?: string;
  /** Short facts, such as the names of changed fields and the version they became. */
  readonly details?: Readonly<Record<string, string>>;
}

/** What every log line and audit record of one request shares. */
export interface RequestContext {
  readonly requestId: string;
  readonly remoteAddress?: string;
  readonly userAgent?: string;
  /** Operation name of the routing table (`PutObject`) or the admin route; filled in when known. */
  operation?: string;
  /** Access key id or user name; filled in after authentication. */
  principal?: string;
  /** What the work has told for the audit record so far. */
  audit?: AuditAnnotations;
}

export const requestContext = new AsyncLocalStorage<RequestContext>();
