import { Injectable, type CanActivate, type ExecutionContext } from '@nestjs/common';
import { Reflector } from '@nestjs/core';
import type { Response } from 'express';
import { annotateAudit } from '../common/audit-trail';
import { requestContext } from '../common/request-context';
import type { Principal } from '../identity/identity.types';
import { AdminAuthenticator } from './admin-authenticator.service';
import { AdminAuthorizer } from './admin-authorizer.service';
import { AdminError } from './admin-error';
import type { AdminRequest } from './admin-request';
import { KeyResources } from './key-resources.service';
import { RAW_BODY } from './raw-body.decorator';
import { REQUIRED_ACTION, type RequiredAction } from './requires-action.decorator';

const READ_METHODS: ReadonlySet<string> = new Set(['GET', 'HEAD', 'OPTIONS']);

/**
 * Stands before every admin handler: who is it, may they, and is the body readable — in this order, so that nothing is told
 * to strangers. A handler that names no action refuses everyone.
 */
@Injectable()
export class AdminAuthGuard implements CanActivate {
  constructor(
    private readonly reflector: Reflector,
    private readonly authenticator: AdminAuthenticator,
    private readonly authorizer: AdminAuthorizer,
    private readonly keyResources: KeyResources,
  ) {}

  async canActivate(context: ExecutionContext): Promise<boolean> {
    const request = context.switchToHttp().getRequest<AdminRequest>();
    const handler = context.getHandler();
    nameOperation(handler.name);
    context.switchToHttp().getResponse<Response>().setHeader('Cache-Control', 'no-store');
    refuseCrossSite(request);
    request.principal = await this.authenticator.authenticate(request);
    namePrincipal(request.principal.name);
    annotateAudit({ details: accessKeyOf(request.principal) });
    const required = this.reflector.get<RequiredAction | undefined>(REQUIRED_ACTION, handler);
    if (required === undefined) {
      throw new AdminError('AccessDenied', 'This route is closed');
    }
    if (required.resource !== 'deferred') {
      const resource = required.resource === 'key' ? this.keyResources.ofReference(keyReferenceOf(request)) : '*';
      await this.authorizer.require(request, required.actions, resource);
    }
    if (request.bodyProblem !== undefined && this.reflector.get<true | undefined>(RAW_BODY, handler) === undefined) {
      throw request.bodyProblem;
    }
    return true;
  }
}

/** The key that a request names in any of the spellings of MinIO and RustFS; undefined means the default key. */
export function keyReferenceOf(request: Pick<AdminRequest, 'params' | 'query' | 'body'>): string | undefined {
  const body: unknown = request.body;
  const members = typeof body === 'object' && body !== null ? (body as Record<string, unknown>) : {};
  const given = [request.params['key_id'], request.query['key-id'], request.query['keyId'], members['key_id']];
  return given.find((value): value is string => typeof value === 'string' && value !== '');
}

/** One user may have many access keys, and the record should say which of them was used. */
function accessKeyOf({ accessKeyId }: Principal): Record<string, string> {
  return accessKeyId === undefined ? {} : { accessKeyId };
}

/** Browsers attach remembered Basic credentials to requests of foreign pages too; those must not change anything. */
function refuseCrossSite(request: AdminRequest): void {
  if (READ_METHODS.has(request.method)) {
    return;
  }
  const site = request.headers['sec-fetch-site'];
  const { origin } = request.headers;
  const foreignSite = site !== undefined && site !== 'same-origin' && site !== 'none';
  const foreignOrigin = origin !== undefined && hostOf(origin) !== request.headers.host;
  if (foreignSite || foreignOrigin) {
    throw new AdminError('CrossSiteRequest', 'Pages of other sites may not change anything here');
  }
}

function hostOf(origin: string): string | undefined {
  return URL.canParse(origin) ? new URL(origin).host : undefined;
}

function nameOperation(handlerName: string): void {
  const context = requestContext.getStore();
  if (context !== undefined) {
    context.operation = `Admin${handlerName.charAt(0).toUpperCase()}${handlerName.slice(1)}`;
  }
}

function namePrincipal(name: string): void {
  const context = requestContext.getStore();
  if (context !== undefined) {
    context.principal = name;
  }
}
