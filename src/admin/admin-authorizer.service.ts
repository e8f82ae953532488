import { Injectable } from '@nestjs/common';
import { IdentityService } from '../identity/identity.service';
import type { ConditionValue } from '../identity/identity.types';
import { AdminError } from './admin-error';
import type { AdminRequest } from './admin-request';

/** Asks the policy evaluator on behalf of an authenticated admin request. */
@Injectable()
export class AdminAuthorizer {
  constructor(private readonly identity: IdentityService) {}

  /** Whether one of the actions is allowed on the resource and none of them denied. */
  async allows(request: AdminRequest, actions: readonly string[], resource: string): Promise<boolean> {
    const { principal } = request;
    if (principal === undefined) {
      return false;
    }
    const conditions = conditionsOf(request);
    const decisions = await Promise.all(
      actions.map((action) => this.identity.authorize({ principal, action, resource, conditions })),
    );
    const denied = decisions.some((decision) => decision.reason.startsWith('explicit-deny:'));
    return !denied && decisions.some((decision) => decision.allowed);
  }

  /** @throws AdminError `AccessDenied` naming the action */
  async require(request: AdminRequest, actions: readonly string[], resource: string): Promise<void> {
    if (!(await this.allows(request, actions, resource))) {
      const target = resource === '*' ? '' : ` on ${resource}`;
      throw new AdminError('AccessDenied', `Your policies do not allow ${actions.join(' or ')}${target}`);
    }
  }
}

function conditionsOf(request: AdminRequest): Record<string, ConditionValue | undefined> {
  return {
    'aws:SourceIp': request.socket.remoteAddress?.replace(/^::ffff:/, ''),
    'aws:SecureTransport': String('encrypted' in request.socket),
    'aws:UserAgent': request.headers['user-agent'],
    'aws:Referer': request.headers.referer,
  };
}
