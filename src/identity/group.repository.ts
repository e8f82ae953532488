import { Injectable } from '@nestjs/common';
import { In, type EntityManager } from 'typeorm';
import { noSuchEntity } from './entity-name';
import { GroupEntity } from './group.entity';
import { IdentityChangeRepository } from './identity-change.repository';
import { UserEntity } from './user.entity';
import type { EntityStatus } from './user.repository';

/** A group as it is managed. */
export interface Group {
  readonly name: string;
  readonly status: EntityStatus;
  readonly members: readonly string[];
  readonly policies: readonly string[];
  readonly createdAt: Date;
  readonly updatedAt: Date;
}

/** Groups with their members and attachments. */
@Injectable()
export class GroupRepository {
  constructor(private readonly changes: IdentityChangeRepository) {}

  /** @throws IdentityError `EntityAlreadyExists`, or `NoSuchEntity` for an unknown member */
  async create(name: string, members: readonly string[]): Promise<Group> {
    return this.changes.change(`The group "${name}"`, async (manager) => {
      await manager.insert(GroupEntity, { name });
      await this.addTo(manager, name, members);
      return this.read(manager, name);
    });
  }

  async list(): Promise<Group[]> {
    const relations = { members: true, policies: true };
    const groups = await this.changes.manager.find(GroupEntity, { relations, order: { name: 'ASC' } });
    return groups.map(toGroup);
  }

  /** @throws IdentityError `NoSuchEntity` */
  async get(name: string): Promise<Group> {
    return this.read(this.changes.manager, name);
  }

  /** @throws IdentityError `NoSuchEntity` */
  async setStatus(name: string, status: EntityStatus): Promise<Group> {
    return this.changes.change(`The group "${name}"`, async (manager) => {
      await manager.update(GroupEntity, { name }, { status });
      return this.read(manager, name);
    });
  }

  /** Adds members; those already there stay. @throws IdentityError `NoSuchEntity` */
  async addMembers(name: string, members: readonly string[]): Promise<Group> {
    return this.changes.change(`The group "${name}"`, async (manager) => {
      await this.addTo(manager, name, members);
      return this.read(manager, name);
    });
  }

  /** Removes members; those not there are passed over. @throws IdentityError `NoSuchEntity` */
  async removeMembers(name: string, members: readonly string[]): Promise<Group> {
    return this.changes.change(`The group "${name}"`, async (manager) => {
      const group = await this.find(manager, name);
      const leaving = group.members.filter((member) => members.includes(member.name));
      await manager.createQueryBuilder().relation(GroupEntity, 'members').of(group).remove(leaving);
      return this.read(manager, name);
    });
  }

  /** @throws IdentityError `NoSuchEntity` */
  async delete(name: string): Promise<void> {
    await this.changes.change(`The group "${name}"`, async (manager) => {
      const { affected } = await manager.delete(GroupEntity, { name });
      if (affected === 0) {
        throw noSuchEntity('group', name);
      }
    });
  }

  private async addTo(manager: EntityManager, name: string, members: readonly string[]): Promise<void> {
    const group = await this.find(manager, name);
    const users = await manager.findBy(UserEntity, { name: In([...members]) });
    const missing = members.find((member) => !users.some((user) => user.name === member));
    if (missing !== undefined) {
      throw noSuchEntity('user', missing);
    }
    const present = new Set(group.members.map((member) => member.id));
    const joining = users.filter((user) => !present.has(user.id));
    await manager.createQueryBuilder().relation(GroupEntity, 'members').of(group).add(joining);
  }

  private async read(manager: EntityManager, name: string): Promise<Group> {
    return toGroup(await this.find(manager, name));
  }

  private async find(manager: EntityManager, name: string): Promise<GroupEntity> {
    const relations = { members: true, policies: true };
    const group = await manager.findOne(GroupEntity, { where: { name }, relations });
    if (group === null) {
      throw noSuchEntity('group', name);
    }
    return group;
  }
}

function toGroup(group: GroupEntity): Group {
  return {
    name: group.name,
    status: group.status,
    members: group.members.map((member) => member.name).sort(),
    policies: group.policies.map((policy) => policy.name).sort(),
    createdAt: group.createdAt,
    updatedAt: group.updatedAt,
  };
}
