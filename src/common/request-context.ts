import { AsyncLocalStorage } from 'node:async_hooks';

/** What every log line and audit record of one request shares. */
export interface RequestContext {
  readonly requestId: string;
  /** Operation name of the routing table (`PutObject`) or the admin route; filled in when known. */
  operation?: string;
  /** Access key id or user name; filled in after authentication. */
  principal?: string;
}

export const requestContext = new AsyncLocalStorage<RequestContext>();
