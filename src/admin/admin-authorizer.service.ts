import { Injectable } from '@nestjs/common';
import { IdentityService } from '../identity/identity.service';
import type { AccessDecision, ConditionValue } from '../identity/identity.types';
import { AdminError } from './admin-error';
import type { AdminRequest } from './admin-request';

/** Asks the policy evaluator on behalf of an authenticated admin request. */
@Injectable()
export class AdminAuthorizer {
  constructor(private readonly identity: IdentityService) {}

  /** Whether one of the actions is allowed on the resource and none of them denied. */
  async allows(request: AdminRequest, actions: readonly string[], resource: string): Promise<boolean> {
    const decisions = (await this.decide(request, actions, resource)) ?? [];
    return !decisions.some(isDenial) && decisions.some((decision) => decision.allowed);
  }

  /** @throws AdminError `AccessDenied` naming the action */
  async require(request: AdminRequest, actions: readonly string[], resource: string): Promise<void> {
    if (!(await this.allows(request, actions, resource))) {
      const target = resource === '*' ? '' : ` on ${resource}`;
      throw new AdminError('AccessDenied', `Your policies do not allow ${actions.join(' or ')}${target}`);
    }
  }

  /** For what everybody may do unless a policy says no. @throws AdminError `AccessDenied` naming the action */
  async requireNoDenial(request: AdminRequest, actions: readonly string[]): Promise<void> {
    const decisions = await this.decide(request, actions, '*');
    if (decisions === undefined || decisions.some(isDenial)) {
      throw new AdminError('AccessDenied', `Your policies deny ${actions.join(' or ')}`);
    }
  }

  private async decide(
    request: AdminRequest,
    actions: readonly string[],
    resource: string,
  ): Promise<AccessDecision[] | undefined> {
    const { principal } = request;
    if (principal === undefined) {
      return undefined;
    }
    const conditions = conditionsOf(request);
    return Promise.all(actions.map((action) => this.identity.authorize({ principal, action, resource, conditions })));
  }
}

/** Somebody who is no longer known has no policy that could deny anything, and may do nothing. */
function isDenial({ reason }: AccessDecision): boolean {
  return reason.startsWith('explicit-deny:') || reason === 'unknown-principal';
}

function conditionsOf(request: AdminRequest): Record<string, ConditionValue | undefined> {
  return {
    'aws:SourceIp': request.socket.remoteAddress?.replace(/^::ffff:/, ''),
    'aws:SecureTransport': String('encrypted' in request.socket),
    'aws:UserAgent': request.headers['user-agent'],
    'aws:Referer': request.headers.referer,
  };
}
