import { randomBytes } from 'node:crypto';
import type { NextFunction, Request, RequestHandler, Response } from 'express';
import { requestContext, type RequestContext } from '../common/request-context';
import type { RequestObserver } from '../common/request-observer';

/** Names of what is not an admin operation, for logs and metrics. */
const OTHER_OPERATIONS: readonly (readonly [RegExp, string])[] = [
  [/^\/(minio\/)?health(\/|$)/, 'Health'],
  [/^\/metrics(\/|$)/, 'Metrics'],
  [/^\/docs(\/|$)/, 'Docs'],
  [/^\/console(\/|$)/, 'Console'],
];

const CLIENT_LEFT = 499;

/**
 * Gives each request its id and context, and reports it to the observer when it has ended. The operation of an admin route
 * is named by the guard.
 */
export function observeRequests(observer: RequestObserver): RequestHandler {
  return (request: Request, response: Response, next: NextFunction): void => {
    const context: RequestContext = requestContext.getStore() ?? {
      requestId: newRequestId(),
      remoteAddress: request.socket.remoteAddress,
      userAgent: request.headers['user-agent'],
    };
    const started = performance.now();
    const path = request.originalUrl.split('?', 1)[0] ?? '/';
    context.operation = OTHER_OPERATIONS.find(([pattern]) => pattern.test(path))?.[1] ?? 'AdminUnknown';
    response.setHeader('x-amz-request-id', context.requestId);
    response.once('close', () => {
      const errorCode: unknown = response.locals['errorCode'];
      observer.requestFinished({
        requestId: context.requestId,
        operation: context.operation ?? 'AdminUnknown',
        method: request.method,
        path,
        status: response.headersSent ? response.statusCode : CLIENT_LEFT,
        errorCode: typeof errorCode === 'string' ? errorCode : undefined,
        failure: response.locals['failure'] as unknown,
        bytesIn: contentLength(request.headers['content-length']),
        bytesOut: contentLength(response.getHeader('content-length')),
        seconds: (performance.now() - started) / 1000,
        principal: context.principal,
        remoteAddress: request.socket.remoteAddress,
        userAgent: request.headers['user-agent'],
        audit: context.audit,
      });
    });
    requestContext.run(context, next);
  };
}

function newRequestId(): string {
  return randomBytes(8).toString('hex').toUpperCase();
}

function contentLength(header: number | string | string[] | undefined): number {
  const length = Number(header ?? 0);
  return Number.isSafeInteger(length) && length > 0 ? length : 0;
}
