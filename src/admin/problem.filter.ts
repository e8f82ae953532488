import { Catch, HttpException, type ArgumentsHost, type ExceptionFilter } from '@nestjs/common';
import type { Request, Response } from 'express';
import type { ConfigFailure } from '../config/subsystem';
import { DomainError } from '../common/domain-error';
import { requestContext } from '../common/request-context';
import { AdminError } from './admin-error';
import { iamErrorCode } from './minio/iam/iam-error-codes';
import { problemRow } from './problem-table';
import type { ProblemDto } from './problem.dto';

const CHALLENGE = 'Basic realm="Strongroom", charset="UTF-8"';
const RETRY_AFTER_SECONDS = '5';

/**
 * Turns every failure of the admin face into `application/problem+json`. Expected failures (DomainErrors of the table) are
 * told as they are; anything else is told to the request log and answered with a fixed text.
 */
@Catch()
export class ProblemFilter implements ExceptionFilter {
  catch(exception: unknown, host: ArgumentsHost): void {
    const http = host.switchToHttp();
    const request = http.getRequest<Request>();
    const response = http.getResponse<Response>();
    const problem = this.describe(normalize(exception), request.originalUrl);
    response.locals['errorCode'] = problem.Code;
    if (problem.status >= 500) {
      response.locals['failure'] = exception;
    }
    if (response.headersSent) {
      response.destroy();
      return;
    }
    if (problem.status === 401) {
      response.setHeader('WWW-Authenticate', CHALLENGE);
    }
    if (problem.status === 503) {
      response.setHeader('Retry-After', RETRY_AFTER_SECONDS);
    }
    const { Code, Message, ...standard } = problem;
    const compatible = /^\/(minio|rustfs)\//.test(request.originalUrl);
    const body = compatible ? { ...standard, Code, Message, RequestId: problem.requestId } : standard;
    response.status(problem.status).type('application/problem+json').send(JSON.stringify(body));
  }

  private describe(exception: unknown, path: string): ProblemDto {
    const requestId = requestContext.getStore()?.requestId ?? '';
    const found = exception instanceof DomainError ? problemRow(exception.kind, path) : undefined;
    if (!(exception instanceof DomainError) || found === undefined) {
      const detail = 'The request failed for an unexpected reason; the log has the details under the request id';
      return {
        type: 'urn:strongroom:problem:internal',
        title: 'Internal error',
        status: 500,
        detail,
        requestId,
        Code: 'InternalError',
        Message: detail,
      };
    }
    const { problems, report } = exception as ConfigFailure;
    return {
      type: `urn:strongroom:problem:${exception.kind}`,
      title: found.title,
      status: found.status,
      detail: exception.message,
      requestId,
      ...(exception.remedy === undefined ? {} : { remedy: exception.remedy }),
      ...(problems === undefined || problems.length === 0 ? {} : { problems: [...problems] }),
      ...(report === undefined ? {} : { report }),
      ...(Object.keys(exception.details).length === 0 ? {} : { details: { ...exception.details } }),
      Code: found.code ?? iamErrorCode(exception) ?? exception.kind,
      Message: exception.message,
    };
  }
}

/** Express, its body reader and Nest's router have failures of their own kinds; all of them are about the request. */
function normalize(exception: unknown): unknown {
  if (exception instanceof DomainError) {
    return exception;
  }
  const status = statusOf(exception);
  if (status === 404) {
    return new AdminError('NotFound', 'There is no such route; see /docs');
  }
  if (status === 413) {
    return new AdminError('PayloadTooLarge', 'The body is larger than 256 KiB');
  }
  if (status !== undefined && status >= 400 && status < 500) {
    return new AdminError(
      'InvalidRequest',
      exception instanceof Error ? exception.message : 'The request is malformed',
    );
  }
  return exception;
}

function statusOf(exception: unknown): number | undefined {
  if (exception instanceof HttpException) {
    return exception.getStatus();
  }
  const status: unknown = exception instanceof Error ? (exception as { status?: unknown }).status : undefined;
  return typeof status === 'number' ? status : undefined;
}
