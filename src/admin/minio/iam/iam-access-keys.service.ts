import { Injectable } from '@nestjs/common';
import { Secret } from '../../../common/secret';
import type { AccessKey } from '../../../identity/access-key.repository';
import { AccessKeyService } from '../../../identity/access-key.service';
import { noSuchEntity } from '../../../identity/entity-name';
import { IdentityAdminService } from '../../../identity/identity-admin.service';
import type { Principal } from '../../../identity/identity.types';
import type { Session } from '../../../identity/session.repository';
import { SessionService } from '../../../identity/session.service';
import type { AddServiceAccountBody, UpdateServiceAccountBody } from './iam-body.dto';
import { IamCallers } from './iam-callers.service';
import type { ListAccessKeysQuery } from './iam-query.dto';

/** What MinIO's clients take for no expiry. */
const NEVER = '1970-01-01T00:00:00Z';

/** An access key of a user beside the first, or a temporary one. */
export type ListedKey =
  | { readonly kind: 'service-account'; readonly owner: string | undefined; readonly key: AccessKey }
  | { readonly kind: 'session'; readonly owner: string | undefined; readonly session: Session };

/** An access key in MinIO's shape. */
export interface AccessKeyInfo {
  readonly parentUser: string;
  readonly accountStatus: 'on' | 'off';
  readonly impliedPolicy: boolean;
  /** JSON text. */
  readonly policy?: string;
  readonly accessKey?: string;
  readonly name?: string;
  readonly description?: string;
  readonly expiration: string;
}

interface KeysOfUser {
  readonly serviceAccounts: readonly { readonly accessKey: string; readonly expiration: string }[];
  readonly stsKeys: readonly { readonly accessKey: string; readonly expiration: string }[];
}

/** Service accounts, which are access keys beside the one that bears its user's name, and temporary credentials. */
@Injectable()
export class IamAccessKeys {
  constructor(
    private readonly keys: AccessKeyService,
    private readonly sessions: SessionService,
    private readonly identity: IdentityAdminService,
    private readonly callers: IamCallers,
  ) {}

  /** @param owner user name; undefined for root */
  async add(
    owner: string | undefined,
    body: AddServiceAccountBody,
    caller: Principal,
  ): Promise<{ readonly credentials: Readonly<Record<string, string>> }> {
    const { key, secretKey } = await this.keys.create(
      {
        accessKeyId: body.accessKey || undefined,
        secretKey: body.secretKey ? new Secret(body.secretKey) : undefined,
        userName: owner,
        name: body.name,
        description: body.description || body.comment,
        sessionPolicy: textOf(body.policy) ?? undefined,
        expiresAt: body.expiration ?? undefined,
      },
      caller,
    );
    return {
      credentials: {
        accessKey: key.accessKeyId,
        secretKey: secretKey.reveal(),
        expiration: expirationOf(key.expiresAt),
      },
    };
  }

  async update(accessKeyId: string, body: UpdateServiceAccountBody, caller: Principal): Promise<void> {
    const { newStatus, newName, newDescription, newSecretKey, newExpiration, newPolicy } = body;
    await this.keys.update(
      accessKeyId,
      {
        status: newStatus ? (newStatus === 'on' || newStatus === 'enabled' ? 'enabled' : 'disabled') : undefined,
        name: newName || undefined,
        description: newDescription || undefined,
        secretKey: newSecretKey ? new Secret(newSecretKey) : undefined,
        expiresAt: newExpiration,
        sessionPolicy: textOf(newPolicy),
      },
      caller,
    );
  }

  /** Finds a service account or a session. @throws IdentityError `NoSuchEntity` */
  async find(accessKeyId: string, caller: Principal): Promise<ListedKey> {
    const session = (await this.sessions.list(caller)).find((listed) => listed.accessKeyId === accessKeyId);
    if (session !== undefined) {
      return { kind: 'session', owner: session.userName, session };
    }
    return this.findServiceAccount(accessKeyId, caller);
  }

  /** @throws IdentityError `NoSuchEntity` */
  async findServiceAccount(accessKeyId: string, caller: Principal): Promise<ListedKey & { kind: 'service-account' }> {
    const key = await this.keys.get(accessKeyId, caller);
    if (!isServiceAccount(key)) {
      throw noSuchEntity('access key', accessKeyId);
    }
    return { kind: 'service-account', owner: key.userName, key };
  }

  /** Deletes a service account; ends a session. */
  async delete(found: ListedKey, caller: Principal): Promise<void> {
    if (found.kind === 'session') {
      await this.sessions.revoke(found.session.accessKeyId);
    } else {
      await this.keys.delete(found.key.accessKeyId, caller);
    }
  }

  async info(found: ListedKey): Promise<AccessKeyInfo> {
    const own = found.kind === 'session' ? lastPolicy(found.session) : found.key.sessionPolicy;
    const policy = own ?? (await this.combinedPolicy(found.owner));
    return { ...this.describe(found), policy };
  }

  /** Service accounts of a user. @param owner user name; undefined for root */
  async list(owner: string | undefined, caller: Principal): Promise<{ readonly accounts: readonly AccessKeyInfo[] }> {
    const keys = await this.keys.list(undefined, caller);
    const owned = keys.filter((key) => key.userName === owner && isServiceAccount(key));
    return {
      accounts: owned.map((key) => ({
        ...this.describe({ kind: 'service-account', owner, key }),
        accessKey: key.accessKeyId,
      })),
    };
  }

  /** Credentials of several users, or of all that there are. @param owners user names; undefined among them for root */
  async listBulk(
    owners: readonly (string | undefined)[] | 'all',
    listType: ListAccessKeysQuery['listType'],
    caller: Principal,
  ): Promise<Record<string, KeysOfUser>> {
    const users = await this.identity.listUsers();
    const known = [...users.map(({ name }) => name), undefined];
    const wanted = owners === 'all' ? known : known.filter((owner) => owners.includes(owner));
    const keys = (await this.keys.list(undefined, caller)).filter(isServiceAccount);
    const sessions = await this.sessions.list(caller);
    const withKeys = listType === 'all' || listType === 'svcacc-only';
    const withSessions = listType === 'all' || listType === 'sts-only';
    const listed = wanted.map((owner): [string, KeysOfUser] => [
      this.callers.nameOf(owner),
      {
        serviceAccounts: withKeys ? keys.filter(({ userName }) => userName === owner).map(brief) : [],
        stsKeys: withSessions ? sessions.filter(({ userName }) => userName === owner).map(brief) : [],
      },
    ]);
    const oneKind = withKeys !== withSessions;
    return Object.fromEntries(
      listed.filter(([, { serviceAccounts, stsKeys }]) => !oneKind || serviceAccounts.length + stsKeys.length > 0),
    );
  }

  /** The statements of all policies of a user in one document. @param owner user name; undefined for root */
  async combinedPolicy(owner: string | undefined): Promise<string> {
    if (owner === undefined) {
      return (await this.identity.getPolicy('consoleAdmin')).document;
    }
    const user = await this.identity.getUser(owner);
    const groups = (await this.identity.listGroups()).filter(
      ({ name, status }) => user.groups.includes(name) && status === 'enabled',
    );
    const names = new Set([user, ...groups].flatMap(({ policies }) => policies));
    const held = (await this.identity.listPolicies()).filter(({ name }) => names.has(name));
    const statements = held.flatMap(
      ({ document }) => (JSON.parse(document) as { Statement: object | object[] }).Statement,
    );
    return JSON.stringify({ Version: '2012-10-17', Statement: statements });
  }

  private describe(found: ListedKey): AccessKeyInfo {
    const parentUser = this.callers.nameOf(found.owner);
    if (found.kind === 'session') {
      const { policies, expiresAt, sessionName } = found.session;
      const impliedPolicy = policies.length === 0;
      const expiration = expirationOf(expiresAt);
      return { parentUser, accountStatus: 'on', impliedPolicy, name: sessionName, expiration };
    }
    const { status, sessionPolicy, name, description, expiresAt } = found.key;
    return {
      parentUser,
      accountStatus: status === 'enabled' ? 'on' : 'off',
      impliedPolicy: sessionPolicy === undefined,
      name,
      description,
      expiration: expirationOf(expiresAt),
    };
  }
}

/** The key that bears its user's name is the user itself in MinIO's eyes. */
function isServiceAccount({ accessKeyId, userName }: AccessKey): boolean {
  return accessKeyId !== userName;
}

function brief(key: AccessKey | Session): { accessKey: string; expiration: string } {
  return { accessKey: key.accessKeyId, expiration: expirationOf(key.expiresAt) };
}

/** The first policy of the innermost level; MinIO's clients show one. */
function lastPolicy({ policies }: Session): string | undefined {
  return policies.at(-1)?.[0]?.document;
}

function textOf(policy: Record<string, unknown> | null | undefined): string | null | undefined {
  return policy && JSON.stringify(policy);
}

function expirationOf(date: Date | undefined): string {
  return date === undefined ? NEVER : date.toISOString();
}
