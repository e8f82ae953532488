import { Injectable } from '@nestjs/common';
import { checkEntityName } from './entity-name';
import { GroupRepository, type Group } from './group.repository';
import { parsePolicy } from './policy-document';
import { PolicyRepository, type PolicyTarget, type StoredPolicy } from './policy.repository';
import { UserRepository, type EntityStatus, type User } from './user.repository';

/**
 * Manages users, groups and policies. Every change is in force in this process when its promise resolves and in all others
 * a moment later. Failures are IdentityErrors: `InvalidInput`, `MalformedPolicyDocument`, `NoSuchEntity`,
 * `EntityAlreadyExists`, `DeleteConflict`.
 */
@Injectable()
export class IdentityAdminService {
  constructor(
    private readonly users: UserRepository,
    private readonly groups: GroupRepository,
    private readonly policies: PolicyRepository,
  ) {}

  async createUser(name: string): Promise<User> {
    checkEntityName('name', name);
    return this.users.create(name);
  }

  async listUsers(): Promise<User[]> {
    return this.users.list();
  }

  async getUser(name: string): Promise<User> {
    return this.users.get(name);
  }

  /** A disabled user's access keys are refused at once. */
  async setUserStatus(name: string, status: EntityStatus): Promise<User> {
    return this.users.setStatus(name, status);
  }

  /** Deletes the user with all its access keys. */
  async deleteUser(name: string): Promise<void> {
    await this.users.delete(name);
  }

  async createGroup(name: string, members: readonly string[]): Promise<Group> {
    checkEntityName('name', name);
    return this.groups.create(name, members);
  }

  async listGroups(): Promise<Group[]> {
    return this.groups.list();
  }

  async getGroup(name: string): Promise<Group> {
    return this.groups.get(name);
  }

  /** A disabled group gives its members nothing. */
  async setGroupStatus(name: string, status: EntityStatus): Promise<Group> {
    return this.groups.setStatus(name, status);
  }

  async addGroupMembers(name: string, members: readonly string[]): Promise<Group> {
    return this.groups.addMembers(name, members);
  }

  async removeGroupMembers(name: string, members: readonly string[]): Promise<Group> {
    return this.groups.removeMembers(name, members);
  }

  async deleteGroup(name: string): Promise<void> {
    await this.groups.delete(name);
  }

  async listPolicies(): Promise<StoredPolicy[]> {
    return this.policies.list();
  }

  async getPolicy(name: string): Promise<StoredPolicy> {
    return this.policies.get(name);
  }

  /** Creates or replaces a policy. @param document JSON in AWS's grammar */
  async putPolicy(name: string, document: string): Promise<StoredPolicy> {
    checkEntityName('name', name);
    parsePolicy(document);
    return this.policies.put(name, document);
  }

  async deletePolicy(name: string): Promise<void> {
    await this.policies.delete(name);
  }

  async attachPolicy(name: string, target: PolicyTarget): Promise<void> {
    await this.policies.attach(name, target);
  }

  async detachPolicy(name: string, target: PolicyTarget): Promise<void> {
    await this.policies.detach(name, target);
  }
}
