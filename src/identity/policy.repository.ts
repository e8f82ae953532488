import { Injectable } from '@nestjs/common';
import type { EntityManager } from 'typeorm';
import { noSuchEntity } from './entity-name';
import { GroupEntity } from './group.entity';
import { IdentityChangeRepository } from './identity-change.repository';
import { IdentityError } from './identity-error';
import { PolicyEntity } from './policy.entity';
import { UserEntity } from './user.entity';

/** A stored policy as it is managed. */
export interface StoredPolicy {
  readonly name: string;
  /** JSON text as it was given. */
  readonly document: string;
  readonly builtin: boolean;
  readonly createdAt: Date;
  readonly updatedAt: Date;
}

/** Whom a policy is attached to. */
export type PolicyTarget = { readonly user: string } | { readonly group: string };

/** Policies and where they are attached. */
@Injectable()
export class PolicyRepository {
  constructor(private readonly changes: IdentityChangeRepository) {}

  async list(): Promise<StoredPolicy[]> {
    return this.changes.manager.find(PolicyEntity, { order: { name: 'ASC' } });
  }

  /** @throws IdentityError `NoSuchEntity` */
  async get(name: string): Promise<StoredPolicy> {
    return this.find(this.changes.manager, name);
  }

  /** Creates or replaces a policy. @throws IdentityError `DeleteConflict` for a built-in one */
  async put(name: string, document: string): Promise<StoredPolicy> {
    return this.changes.change(`The policy "${name}"`, async (manager) => {
      const existing = await manager.findOneBy(PolicyEntity, { name });
      refuseBuiltin(existing);
      await manager.upsert(PolicyEntity, { name, document }, { conflictPaths: ['name'] });
      return this.find(manager, name);
    });
  }

  /** @throws IdentityError `NoSuchEntity`, or `DeleteConflict` while it is attached or when it is built in */
  async delete(name: string): Promise<void> {
    await this.changes.change(`The policy "${name}"`, async (manager) => {
      refuseBuiltin(await this.find(manager, name));
      await manager.delete(PolicyEntity, { name });
    });
  }

  /** Attaches a policy; attaching it again changes nothing. @throws IdentityError `NoSuchEntity` */
  async attach(name: string, target: PolicyTarget): Promise<void> {
    await this.changes.change(`The policy "${name}"`, async (manager) => {
      const policy = await this.find(manager, name);
      const holder = await this.findHolder(manager, target);
      if (!holder.policies.some((attached) => attached.name === name)) {
        await manager.createQueryBuilder().relation(holder.constructor, 'policies').of(holder).add(policy);
      }
    });
  }

  /** @throws IdentityError `NoSuchEntity` when it is not attached there */
  async detach(name: string, target: PolicyTarget): Promise<void> {
    await this.changes.change(`The policy "${name}"`, async (manager) => {
      const holder = await this.findHolder(manager, target);
      const policy = holder.policies.find((attached) => attached.name === name);
      if (policy === undefined) {
        throw noSuchEntity('attached policy', name);
      }
      await manager.createQueryBuilder().relation(holder.constructor, 'policies').of(holder).remove(policy);
    });
  }

  private async find(manager: EntityManager, name: string): Promise<PolicyEntity> {
    const policy = await manager.findOneBy(PolicyEntity, { name });
    if (policy === null) {
      throw noSuchEntity('policy', name);
    }
    return policy;
  }

  private async findHolder(manager: EntityManager, target: PolicyTarget): Promise<UserEntity | GroupEntity> {
    const relations = { policies: true };
    const holder =
      'user' in target
        ? await manager.findOne(UserEntity, { where: { name: target.user }, relations })
        : await manager.findOne(GroupEntity, { where: { name: target.group }, relations });
    if (holder === null) {
      throw 'user' in target ? noSuchEntity('user', target.user) : noSuchEntity('group', target.group);
    }
    return holder;
  }
}

function refuseBuiltin(policy: PolicyEntity | null): void {
  if (policy?.builtin === true) {
    throw new IdentityError('DeleteConflict', `The policy "${policy.name}" is built in and cannot be changed`, [], {
      remedy: 'Store the changed document under another name',
    });
  }
}
