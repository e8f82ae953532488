import { Injectable } from '@nestjs/common';
import { annotateAudit } from '../../../common/audit-trail';
import { IdentityService } from '../../../identity/identity.service';
import type { Principal } from '../../../identity/identity.types';
import { AdminAuthorizer } from '../../admin-authorizer.service';
import { AdminError } from '../../admin-error';
import type { AdminRequest } from '../../admin-request';

/** Whom MinIO's clients mean, and what callers may do for themselves. */
@Injectable()
export class IamCallers {
  constructor(
    private readonly identity: IdentityService,
    private readonly authorizer: AdminAuthorizer,
  ) {}

  /** MinIO knows root by its access key. */
  isRoot(name: string): boolean {
    return name === this.identity.rootAccessKeyId || name === 'root';
  }

  /** The name by which MinIO's clients know the owner of an access key. */
  nameOf(userName: string | undefined): string {
    return userName ?? this.identity.rootAccessKeyId;
  }

  /** The user of our own whom a client means; undefined is root. */
  userOf(name: string): string | undefined {
    return this.isRoot(name) ? undefined : name;
  }

  /** The user that a caller acts for; undefined is root. */
  ownerOf(caller: Principal): string | undefined {
    return caller.name === 'root' ? undefined : caller.name;
  }

  /**
   * Lets callers manage what is their own unless a policy denies it, as MinIO does. Credentials that a policy narrows, and
   * temporary ones, cannot gain by it what they do not have: they need the action like everybody else.
   *
   * @param owner user name; undefined for root
   * @throws AdminError `AccessDenied`
   */
  async requireUnlessOwn(request: AdminRequest, actions: readonly string[], owner: string | undefined): Promise<void> {
    const caller = callerOf(request);
    const lasting = caller.session === undefined && caller.narrowed !== true;
    if (lasting && this.ownerOf(caller) === owner) {
      await this.authorizer.requireNoDenial(request, actions);
    } else {
      await this.authorizer.require(request, actions, '*');
    }
  }

  /** Nobody may take away root's rights, or their own by mistake. @throws AdminError `ActionNotAllowed` */
  refuseRootAndSelf(request: AdminRequest, name: string): void {
    if (this.isRoot(name) || name === callerOf(request).name) {
      throw new AdminError('ActionNotAllowed', `This cannot be done to root or to yourself: "${name}"`);
    }
  }
}

/** Names in the audit record what a request is about, which its path does not tell. */
export function noteTarget(target: string): void {
  annotateAudit({ details: { target } });
}

/** The authenticated caller of a request. */
export function callerOf(request: AdminRequest): Principal {
  if (request.principal === undefined) {
    throw new AdminError('Unauthorized', 'The request has no caller');
  }
  return request.principal;
}
