import type { IncomingMessage, ServerResponse } from 'node:http';
import type { TLSSocket } from 'node:tls';
import { Injectable, Optional } from '@nestjs/common';
import { AuditTrail } from '../common/audit-trail';
import { requestContext, type RequestContext } from '../common/request-context';
import { RequestObserver } from '../common/request-observer';
import { writeRefusal } from '../s3/answer-writer';
import { nextRequestId } from '../s3/request-ids';
import { answerDocument, errorDocument } from './sts-answers';
import { StsAuthenticator } from './sts-authenticator';
import { StsError, stsErrorAnswer } from './sts-error';
import { StsParameters } from './sts-parameters';
import { readBody, splitTarget } from './sts-request';
import { type StsCall, StsService } from './sts.service';

const VERSION = '2011-06-15';
/** Tools for IAM find the same address. */
const IAM_VERSION = '2010-05-08';
const CLIENT_LEFT = 499;
const UNKNOWN = 'StsUnknown';

/** Ways in for people who are known elsewhere; here everybody has access keys. */
const NEEDS_A_PROVIDER = new Set([
  'AssumeRoleWithCertificate',
  'AssumeRoleWithClientGrants',
  'AssumeRoleWithCustomToken',
  'AssumeRoleWithLDAPIdentity',
  'AssumeRoleWithSAML',
  'AssumeRoleWithWebIdentity',
]);

type Action = 'AssumeRole' | 'GetSessionToken' | 'GetCallerIdentity' | 'GetAccessKeyInfo';

/** What is known of a request while it runs, for the one report at its end. */
interface Progress {
  bytesIn: number;
  bytesOut: number;
  errorCode?: string;
  failure?: unknown;
}

/** The face of the Security Token Service: AWS's query protocol on the root path of the one port. */
@Injectable()
export class StsGateway {
  private readonly actions: Readonly<Record<Action, (call: StsCall) => Promise<string>>>;

  constructor(
    private readonly authenticator: StsAuthenticator,
    service: StsService,
    @Optional() private readonly audit?: AuditTrail,
    @Optional() private readonly observer?: RequestObserver,
  ) {
    this.actions = {
      AssumeRole: (call) => service.assumeRole(call),
      GetSessionToken: (call) => service.getSessionToken(call),
      GetCallerIdentity: (call) => service.getCallerIdentity(call),
      GetAccessKeyInfo: (call) => service.getAccessKeyInfo(call),
    };
  }

  /** Serves one request; never throws. @param expectsContinue the client waits for `100 Continue` */
  handle(request: IncomingMessage, response: ServerResponse, expectsContinue = false): void {
    const { remoteAddress } = request.socket;
    const userAgent = request.headers['user-agent'];
    const context: RequestContext = { requestId: nextRequestId(), remoteAddress, userAgent, operation: UNKNOWN };
    const progress: Progress = { bytesIn: 0, bytesOut: 0 };
    this.report(request, response, context, progress);
    response.setHeader('x-amzn-RequestId', context.requestId);
    response.setHeader('Content-Type', 'text/xml');
    response.setHeader('Cache-Control', 'no-store');
    if (expectsContinue) {
      response.writeContinue();
    }
    requestContext.run(context, () => {
      this.serve(request, response, context, progress).catch((error: unknown) => {
        this.refuse(request, response, context, progress, error);
      });
    });
  }

  private async serve(
    request: IncomingMessage,
    response: ServerResponse,
    context: RequestContext,
    progress: Progress,
  ): Promise<void> {
    const startedAt = performance.now();
    const body = await readBody(request);
    progress.bytesIn = body.length;
    const parameters = new StsParameters(parametersOf(request, body));
    const action = this.actionOf(parameters);
    context.operation = `Sts${action}`;
    const caller = await this.authenticator.authenticate(request, body);
    context.principal = caller.name;
    const result = await this.actions[action]({ caller, parameters, conditions: conditionsOf(request) });
    if (action === 'AssumeRole' || action === 'GetSessionToken') {
      await this.record(context, startedAt);
    }
    const document = Buffer.from(answerDocument(action, result, context.requestId), 'utf8');
    progress.bytesOut = document.length;
    response.setHeader('Content-Length', document.length);
    response.writeHead(200);
    response.end(document);
  }

  private actionOf({ action, version }: StsParameters): Action {
    if (NEEDS_A_PROVIDER.has(action)) {
      throw new StsError(
        'NotImplemented',
        `${action} needs an identity provider, and none can be configured here: sign with an access key and use AssumeRole`,
      );
    }
    if (action === '') {
      throw new StsError('MissingParameter', 'The request must contain the parameter Action.');
    }
    if (version === IAM_VERSION) {
      throw new StsError(
        'NotImplemented',
        'IAM is not offered here; users and access keys have an admin API, see /docs',
      );
    }
    if (version !== VERSION || !Object.hasOwn(this.actions, action)) {
      throw new StsError(
        'InvalidAction',
        `Could not find operation ${action.slice(0, 64)} for version ${version.slice(0, 16) || 'NO_VERSION_SPECIFIED'}`,
      );
    }
    return action as Action;
  }

  /** Credentials that nobody could trace are not given out: the record comes first. */
  private async record(context: RequestContext, startedAt: number): Promise<void> {
    await this.audit?.record({
      ...context.audit,
      category: 'identity',
      operation: context.operation ?? UNKNOWN,
      principal: context.principal ?? 'anonymous',
      outcome: 'success',
      sourceIp: context.remoteAddress,
      userAgent: context.userAgent,
      requestId: context.requestId,
      seconds: (performance.now() - startedAt) / 1000,
    });
  }

  private refuse(
    request: IncomingMessage,
    response: ServerResponse,
    context: RequestContext,
    progress: Progress,
    error: unknown,
  ): void {
    const answer = stsErrorAnswer(error);
    progress.errorCode = answer.code;
    if (answer.status === 500) {
      progress.failure = error;
    }
    if (response.headersSent || response.destroyed) {
      response.destroy();
      return;
    }
    const body = errorDocument(answer, context.requestId);
    progress.bytesOut = Buffer.byteLength(body);
    writeRefusal(request, response, { status: answer.status, body }, undefined);
  }

  private report(
    request: IncomingMessage,
    response: ServerResponse,
    context: RequestContext,
    progress: Progress,
  ): void {
    const startedAt = performance.now();
    response.once('close', () =>
      this.observer?.requestFinished({
        requestId: context.requestId,
        operation: context.operation ?? UNKNOWN,
        method: request.method ?? 'POST',
        path: '/',
        status: response.headersSent ? response.statusCode : CLIENT_LEFT,
        ...progress,
        seconds: (performance.now() - startedAt) / 1000,
        principal: context.principal,
        remoteAddress: context.remoteAddress,
        userAgent: context.userAgent,
        audit: context.audit,
      }),
    );
  }
}

/** A form says what is asked; where there is none, the query does. */
function parametersOf(request: IncomingMessage, body: Buffer): URLSearchParams {
  return new URLSearchParams(
    request.method === 'POST' && body.length > 0 ? body.toString('utf8') : splitTarget(request.url ?? '/').rawQuery,
  );
}

function conditionsOf(request: IncomingMessage): StsCall['conditions'] {
  return {
    'aws:SourceIp': request.socket.remoteAddress?.replace(/^::ffff:(?=\d+\.)/, ''),
    'aws:SecureTransport': String((request.socket as Partial<TLSSocket>).encrypted === true),
    'aws:UserAgent': request.headers['user-agent'],
    'aws:Referer': request.headers.referer,
  };
}
