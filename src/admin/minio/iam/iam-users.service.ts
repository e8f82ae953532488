import { Injectable } from '@nestjs/common';
import { Secret } from '../../../common/secret';
import type { AccessKey } from '../../../identity/access-key.repository';
import { AccessKeyService } from '../../../identity/access-key.service';
import { IdentityAdminService } from '../../../identity/identity-admin.service';
import { IdentityError } from '../../../identity/identity-error';
import type { EntityStatus, User } from '../../../identity/user.repository';
import { AdminError } from '../../admin-error';
import type { AdminRequest } from '../../admin-request';
import type { AddUserBody } from './iam-body.dto';
import { callerOf, IamCallers } from './iam-callers.service';
import { IamPolicies, namesOf } from './iam-policies.service';

/** A user in MinIO's shape. */
export interface UserInfo {
  readonly userAuthInfo: { readonly type: 'builtin' };
  readonly policyName: string;
  readonly status: EntityStatus;
  readonly memberOf: readonly string[];
  readonly updatedAt: string;
}

/** Users as MinIO has them: one name, which is the id of an access key too. */
@Injectable()
export class IamUsers {
  constructor(
    private readonly identity: IdentityAdminService,
    private readonly keys: AccessKeyService,
    private readonly policies: IamPolicies,
    private readonly callers: IamCallers,
  ) {}

  /** Creates a user, or changes one that there is. @throws IdentityError, AdminError `ActionNotAllowed` */
  async put(request: AdminRequest, name: string, body: AddUserBody): Promise<void> {
    if (this.callers.isRoot(name)) {
      throw new AdminError('ActionNotAllowed', 'This is the access key of root');
    }
    const caller = callerOf(request);
    const user = await orUndefined(this.identity.getUser(name));
    const key = await orUndefined(this.keys.get(name, caller));
    if (key !== undefined && key.userName !== name) {
      throw new IdentityError('EntityAlreadyExists', `The access key "${name}" belongs to somebody else`);
    }
    const secretKey = secretOf(body, key);
    this.keys.checkFormat(name, secretKey);
    if (user === undefined) {
      await this.identity.createUser(name);
    }
    if (key === undefined) {
      await this.keys.create({ accessKeyId: name, secretKey, userName: name }, caller);
    } else if (secretKey !== undefined) {
      await this.keys.update(name, { secretKey }, caller);
    }
    const status = body.status === undefined || body.status === '' ? 'enabled' : body.status;
    if (status !== (user?.status ?? 'enabled')) {
      await this.identity.setUserStatus(name, status);
    }
    if (body.policy !== undefined && body.policy !== '') {
      await this.policies.replace(namesOf(body.policy), { user: name });
    }
  }

  async remove(request: AdminRequest, name: string): Promise<void> {
    this.callers.refuseRootAndSelf(request, name);
    await this.identity.deleteUser(name);
  }

  async setStatus(request: AdminRequest, name: string, status: EntityStatus): Promise<void> {
    this.callers.refuseRootAndSelf(request, name);
    await this.identity.setUserStatus(name, status);
  }

  async list(): Promise<Record<string, UserInfo>> {
    return Object.fromEntries((await this.identity.listUsers()).map((user) => [user.name, infoOf(user)]));
  }

  async info(name: string): Promise<UserInfo> {
    return infoOf(await this.identity.getUser(name));
  }
}

function infoOf(user: User): UserInfo {
  return {
    userAuthInfo: { type: 'builtin' },
    policyName: user.policies.join(','),
    status: user.status,
    memberOf: user.groups,
    updatedAt: user.updatedAt.toISOString(),
  };
}

function secretOf({ secretKey }: AddUserBody, key: AccessKey | undefined): Secret | undefined {
  if (secretKey !== undefined && secretKey !== '') {
    return new Secret(secretKey);
  }
  if (key === undefined) {
    const field = 'secretKey';
    throw new IdentityError('InvalidInput', 'secretKey is missing', [{ field, message: 'is missing' }]);
  }
  return undefined;
}

/** Undefined for what does not exist. */
export async function orUndefined<T>(found: Promise<T>): Promise<T | undefined> {
  try {
    return await found;
  } catch (error) {
    if (error instanceof IdentityError && error.kind === 'NoSuchEntity') {
      return undefined;
    }
    throw error;
  }
}
