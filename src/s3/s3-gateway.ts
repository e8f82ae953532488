import type { IncomingMessage, ServerResponse } from 'node:http';
import { Injectable, Optional } from '@nestjs/common';
import { requestContext, type RequestContext } from '../common/request-context';
import { RequestObserver } from '../common/request-observer';
import { Settings } from '../settings/settings';
import { writeAnswer, writeRefusal } from './answer-writer';
import { queryHeaders } from './headers/query-headers';
import { joinRepeatedHeaders } from './headers/repeated-headers';
import { RequestBody } from './request-body';
import { HOST_ID, nextRequestId } from './request-ids';
import { S3Authenticator } from './s3-authenticator';
import { S3Authorizer } from './s3-authorizer';
import { S3Call, type S3Answer } from './s3-call';
import { S3Cors } from './s3-cors';
import { s3ErrorAnswer, S3Error } from './s3-error';
import { S3Operations } from './s3-operations';
import { parseS3Request } from './s3-request';
import { routeOf } from './s3-routes';
import { errorDocument } from './xml-writer';

const SERVER_NAME = 'Strongroom';
const CLIENT_LEFT = 499;
const UNKNOWN_OPERATION = 'Unknown';
const PREFLIGHT = 'Preflight';

/** What is known of a request while it runs, for the one report at its end. */
interface Progress {
  readonly context: RequestContext;
  body?: RequestBody;
  errorCode?: string;
  failure?: unknown;
  length?: number;
}

/** The S3 face: takes raw HTTP requests through parse → route → authenticate → authorise → operation → answer. */
@Injectable()
export class S3Gateway {
  constructor(
    private readonly settings: Settings,
    private readonly authenticator: S3Authenticator,
    private readonly authorizer: S3Authorizer,
    private readonly operations: S3Operations,
    private readonly cors: S3Cors,
    @Optional() private readonly observer?: RequestObserver,
  ) {}

  /**
   * Serves one request; never throws.
   *
   * @param expectsContinue the client waits for `100 Continue`, which it gets once it is authenticated and authorised
   */
  handle(request: IncomingMessage, response: ServerResponse, expectsContinue = false): void {
    joinRepeatedHeaders(request);
    const requestId = nextRequestId();
    const context: RequestContext = {
      requestId,
      remoteAddress: request.socket.remoteAddress,
      userAgent: request.headers['user-agent'],
    };
    const progress: Progress = { context };
    this.#watch(request, response, progress);
    response.setHeader('x-amz-request-id', requestId);
    response.setHeader('x-amz-id-2', HOST_ID);
    response.setHeader('Server', SERVER_NAME);
    const body = new RequestBody(request, expectsContinue ? (): void => response.writeContinue() : undefined);
    progress.body = body;
    requestContext.run(context, () => {
      this.#serve(request, response, body, progress).catch((error: unknown) =>
        this.#refuse(request, response, body, progress, error),
      );
    });
  }

  async #serve(
    request: IncomingMessage,
    response: ServerResponse,
    body: RequestBody,
    progress: Progress,
  ): Promise<void> {
    const method = request.method ?? 'GET';
    const parsed = parseS3Request(request.url ?? '/', request.headers.host, this.settings.s3Domains);
    if (method === 'OPTIONS') {
      progress.context.operation = PREFLIGHT;
      writeAnswer(response, await this.cors.preflight(parsed.bucket, parsed.key, request.headers), false);
      return;
    }
    if (request.headers.origin !== undefined) {
      setHeaders(response, await this.cors.headersFor(parsed.bucket, method, request.headers));
    }
    const carried = queryHeaders(request.headers, parsed.query);
    const route = routeOf(method, parsed, (name) => (request.headers[name] ?? carried?.[name]) !== undefined);
    const { context } = progress;
    context.operation = route.operation;
    const call = new S3Call(context.requestId, request, parsed, route, body);
    await this.authenticator.authenticate(call);
    if (carried !== undefined) {
      Object.assign(request.headers, carried);
    }
    context.principal = call.principal.name;
    if (!route.implemented) {
      throw new S3Error('NotImplemented', `${route.operation} is not implemented.`);
    }
    await this.authorizer.authorize(call);
    const answer = await this.operations.run(call);
    if (response.destroyed) {
      discard(answer);
      return;
    }
    progress.length = answer.length;
    writeAnswer(response, answer, method === 'HEAD');
  }

  #refuse(
    request: IncomingMessage,
    response: ServerResponse,
    body: RequestBody,
    progress: Progress,
    error: unknown,
  ): void {
    const answer = s3ErrorAnswer(error);
    progress.errorCode = answer.code;
    if (answer.serverFault) {
      progress.failure = error;
    }
    if (response.headersSent || response.destroyed) {
      response.destroy();
      return;
    }
    const { code, status, message } = answer;
    const details =
      code === 'MethodNotAllowed' ? { Method: request.method ?? 'GET', ...answer.details } : answer.details;
    const resource = (request.url ?? '/').replace(/\?.*$/s, '');
    const bodiless = status === 304 || request.method === 'HEAD';
    writeRefusal(
      request,
      response,
      {
        status,
        headers: { ...(status === 304 ? {} : { 'Content-Type': 'application/xml' }), ...answer.headers },
        body: bodiless
          ? undefined
          : errorDocument(code, message, details, resource, progress.context.requestId, HOST_ID),
      },
      body,
    );
  }

  #watch(request: IncomingMessage, response: ServerResponse, progress: Progress): void {
    const { observer } = this;
    if (observer === undefined) {
      return;
    }
    const startedAt = process.hrtime.bigint();
    const { socket } = request;
    const writtenBefore = socket.bytesWritten;
    response.once('close', () => {
      const { context } = progress;
      observer.requestFinished({
        requestId: context.requestId,
        operation: context.operation ?? UNKNOWN_OPERATION,
        method: request.method ?? 'GET',
        path: (request.url ?? '/').replace(/\?.*$/s, ''),
        status: response.headersSent ? response.statusCode : CLIENT_LEFT,
        errorCode: progress.errorCode,
        failure: progress.failure,
        bytesIn: progress.body?.bytesReceived ?? 0,
        bytesOut:
          response.writableFinished && progress.length !== undefined && request.method !== 'HEAD'
            ? progress.length
            : request.method === 'HEAD'
              ? 0
              : Math.max(0, socket.bytesWritten - writtenBefore),
        seconds: Number(process.hrtime.bigint() - startedAt) / 1e9,
        principal: context.principal,
        remoteAddress: socket.remoteAddress,
        userAgent: request.headers['user-agent'],
        audit: context.audit,
      });
    });
  }
}

function setHeaders(response: ServerResponse, headers: Readonly<Record<string, string>>): void {
  for (const name in headers) {
    response.setHeader(name, headers[name] as string);
  }
}

function discard(answer: S3Answer): void {
  if (answer.body !== undefined && typeof answer.body !== 'string' && !Buffer.isBuffer(answer.body)) {
    answer.body.destroy();
  }
}
