import { Injectable } from '@nestjs/common';
import type { Group } from '../../../identity/group.repository';
import { IdentityAdminService } from '../../../identity/identity-admin.service';
import type { PolicyTarget, StoredPolicy } from '../../../identity/policy.repository';
import type { User } from '../../../identity/user.repository';
import { AdminError } from '../../admin-error';
import type { PolicyAssociationBody } from './iam-body.dto';
import type { PolicyEntitiesQuery } from './iam-query.dto';

interface GroupMapping {
  readonly group: string;
  readonly policies: readonly string[];
}

/** Who holds which policies, in MinIO's shape. */
export interface PolicyEntities {
  readonly timestamp: string;
  readonly userMappings?: readonly {
    readonly user: string;
    readonly policies: readonly string[];
    readonly memberOfMappings?: readonly GroupMapping[];
  }[];
  readonly groupMappings?: readonly GroupMapping[];
  readonly policyMappings?: readonly {
    readonly policy: string;
    readonly users: readonly string[];
    readonly groups: readonly string[];
  }[];
}

/** Policies and their attachments as MinIO's clients manage them. */
@Injectable()
export class IamPolicies {
  constructor(private readonly identity: IdentityAdminService) {}

  /** All policies by name. */
  async documents(): Promise<Record<string, unknown>> {
    return Object.fromEntries(
      (await this.identity.listPolicies()).map(({ name, document }) => [name, parsed(document)]),
    );
  }

  /** The document of a policy, or with its dates. */
  async info(name: string, withDates: boolean): Promise<unknown> {
    const policy = await this.identity.getPolicy(name);
    return withDates ? describe(policy) : parsed(policy.document);
  }

  /**
   * Attaches or detaches policies.
   * @returns the names of those that were not so before
   * @throws AdminError `PolicyChangeAlreadyApplied` when that is none, `InvalidRequest`; IdentityError `NoSuchEntity`
   */
  async change(attach: boolean, { policies, user = '', group = '' }: PolicyAssociationBody): Promise<string[]> {
    if ((user === '') === (group === '') || policies.length === 0) {
      throw new AdminError('InvalidRequest', 'Name policies, and a user or a group');
    }
    const target: PolicyTarget = user === '' ? { group } : { user };
    const held = new Set(await this.held(target));
    const changed = [...new Set(policies)].filter((name) => held.has(name) !== attach);
    // Every policy has to exist before the first is changed.
    for (const name of changed) {
      await this.identity.getPolicy(name);
    }
    if (changed.length === 0) {
      throw new AdminError('PolicyChangeAlreadyApplied', 'The specified policy change is already in effect.');
    }
    await this.apply(changed, attach, target);
    return changed;
  }

  /** Makes the named policies the only ones attached. @throws IdentityError `NoSuchEntity` */
  async replace(names: readonly string[], target: PolicyTarget): Promise<void> {
    const held = await this.held(target);
    for (const name of names) {
      await this.identity.getPolicy(name);
    }
    await this.apply(
      names.filter((name) => !held.includes(name)),
      true,
      target,
    );
    await this.apply(
      held.filter((name) => !names.includes(name)),
      false,
      target,
    );
  }

  /** Attachments of the named users, groups and policies; of all when none is named. */
  async entities(query: PolicyEntitiesQuery): Promise<PolicyEntities> {
    const { user = [], group = [], policy = [] } = query;
    const all = user.length + group.length + policy.length === 0;
    const users = await this.identity.listUsers();
    const groups = await this.identity.listGroups();
    return {
      timestamp: new Date().toISOString(),
      ...(all || user.length > 0 ? { userMappings: userMappings(chosen(users, user), groups) } : {}),
      ...(all || group.length > 0 ? { groupMappings: chosen(groups, group).map(groupMapping) } : {}),
      ...(all || policy.length > 0 ? { policyMappings: policyMappings(users, groups, policy) } : {}),
    };
  }

  private async held(target: PolicyTarget): Promise<readonly string[]> {
    return 'user' in target
      ? (await this.identity.getUser(target.user)).policies
      : (await this.identity.getGroup(target.group)).policies;
  }

  private async apply(names: readonly string[], attach: boolean, target: PolicyTarget): Promise<void> {
    for (const name of names) {
      await (attach ? this.identity.attachPolicy(name, target) : this.identity.detachPolicy(name, target));
    }
  }
}

/** Names in a list separated by commas. */
export function namesOf(list: string): string[] {
  return [...new Set(list.split(',').map((name) => name.trim()))].filter((name) => name !== '');
}

function describe({ name, document, createdAt, updatedAt }: StoredPolicy): object {
  return {
    PolicyName: name,
    Policy: parsed(document),
    CreateDate: createdAt.toISOString(),
    UpdateDate: updatedAt.toISOString(),
  };
}

function parsed(document: string): unknown {
  return JSON.parse(document);
}

function chosen<T extends User | Group>(all: readonly T[], names: readonly string[]): readonly T[] {
  return all.filter(({ name, policies }) => (names.length === 0 ? policies.length > 0 : names.includes(name)));
}

function groupMapping({ name, policies }: Group): GroupMapping {
  return { group: name, policies };
}

function userMappings(users: readonly User[], groups: readonly Group[]): PolicyEntities['userMappings'] & object {
  return users.map(({ name, policies, groups: memberOf }) => {
    const through = groups.filter((group) => memberOf.includes(group.name) && group.policies.length > 0);
    const memberOfMappings = through.map(groupMapping);
    return { user: name, policies, ...(memberOfMappings.length === 0 ? {} : { memberOfMappings }) };
  });
}

function policyMappings(
  users: readonly User[],
  groups: readonly Group[],
  names: readonly string[],
): PolicyEntities['policyMappings'] & object {
  const attached = new Set([...users, ...groups].flatMap(({ policies }) => policies));
  const holders = (entities: readonly (User | Group)[], policy: string): string[] =>
    entities.filter(({ policies }) => policies.includes(policy)).map(({ name }) => name);
  return [...attached]
    .filter((policy) => names.length === 0 || names.includes(policy))
    .sort()
    .map((policy) => ({ policy, users: holders(users, policy), groups: holders(groups, policy) }));
}
