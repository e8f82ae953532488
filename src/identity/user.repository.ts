import { randomUUID } from 'node:crypto';
import { Injectable } from '@nestjs/common';
import type { EntityManager } from 'typeorm';
import { ownerIdOf } from './credential-format';
import { noSuchEntity } from './entity-name';
import { GroupEntity } from './group.entity';
import { IdentityChangeRepository } from './identity-change.repository';
import { UserEntity } from './user.entity';

export type EntityStatus = 'enabled' | 'disabled';

/** A user as it is managed. */
export interface User {
  readonly name: string;
  readonly status: EntityStatus;
  readonly ownerId: string;
  readonly policies: readonly string[];
  readonly groups: readonly string[];
  readonly createdAt: Date;
  readonly updatedAt: Date;
}

/** Users with their attachments. */
@Injectable()
export class UserRepository {
  constructor(private readonly changes: IdentityChangeRepository) {}

  /** @throws IdentityError `EntityAlreadyExists` */
  async create(name: string): Promise<User> {
    return this.changes.change(`The user "${name}"`, async (manager) => {
      const id = randomUUID();
      await manager.insert(UserEntity, { id, name, ownerId: ownerIdOf(id) });
      return this.read(manager, name);
    });
  }

  async list(): Promise<User[]> {
    const { manager } = this.changes;
    const users = await manager.find(UserEntity, { relations: { policies: true }, order: { name: 'ASC' } });
    const groups = await manager.find(GroupEntity, { relations: { members: true }, order: { name: 'ASC' } });
    return users.map((user) =>
      toUser(
        user,
        groups.filter((group) => group.members.some((member) => member.id === user.id)),
      ),
    );
  }

  /** @throws IdentityError `NoSuchEntity` */
  async get(name: string): Promise<User> {
    return this.read(this.changes.manager, name);
  }

  /** @throws IdentityError `NoSuchEntity` */
  async setStatus(name: string, status: EntityStatus): Promise<User> {
    return this.changes.change(`The user "${name}"`, async (manager) => {
      await manager.update(UserEntity, { name }, { status });
      return this.read(manager, name);
    });
  }

  /** Deletes the user with its access keys and memberships. @throws IdentityError `NoSuchEntity` */
  async delete(name: string): Promise<void> {
    await this.changes.change(`The user "${name}"`, async (manager) => {
      const { affected } = await manager.delete(UserEntity, { name });
      if (affected === 0) {
        throw noSuchEntity('user', name);
      }
    });
  }

  private async read(manager: EntityManager, name: string): Promise<User> {
    const user = await manager.findOne(UserEntity, { where: { name }, relations: { policies: true } });
    if (user === null) {
      throw noSuchEntity('user', name);
    }
    const groups = await manager.find(GroupEntity, { where: { members: { id: user.id } }, order: { name: 'ASC' } });
    return toUser(user, groups);
  }
}

function toUser(user: UserEntity, groups: readonly GroupEntity[]): User {
  return {
    name: user.name,
    status: user.status,
    ownerId: user.ownerId,
    policies: user.policies.map((policy) => policy.name).sort(),
    groups: groups.map((group) => group.name),
    createdAt: user.createdAt,
    updatedAt: user.updatedAt,
  };
}
