import type { AuditAnnotations } from './request-context';

/** What there is to know of a request once it has been answered or cut off. */
export interface FinishedRequest {
  readonly requestId: string;
  /** Name from the routing table (`PutObject`), or `Unknown` when the request was not understood. */
  readonly operation: string;
  readonly method: string;
  /** Path of the request line without the query, which may hold a presigned signature. */
  readonly path: string;
  /** 499 when the client left before an answer was begun. */
  readonly status: number;
  /** S3 error code of a refused or failed request. */
  readonly errorCode?: string;
  /** What made the server fail, for the one log line of the request; absent when the caller was at fault. */
  readonly failure?: unknown;
  /** Body bytes received. */
  readonly bytesIn: number;
  /** Body bytes sent. */
  readonly bytesOut: number;
  readonly seconds: number;
  /** User name or `anonymous`; undefined when the request failed before it was known. */
  readonly principal?: string;
  readonly remoteAddress?: string;
  readonly userAgent?: string;
  /** What the work has told for the audit record. */
  readonly audit?: AuditAnnotations;
}

/** The port through which a protocol face reports its requests; logs, metrics and audit stand behind it. */
export abstract class RequestObserver {
  /** Called exactly once for each request; must not throw and must not block. */
  abstract requestFinished(request: FinishedRequest): void;
}
