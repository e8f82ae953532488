import { Injectable } from '@nestjs/common';
import { IsNull, type EntityManager, type FindOptionsWhere } from 'typeorm';
import { AccessKeyEntity } from './access-key.entity';
import { noSuchEntity } from './entity-name';
import { IdentityChangeRepository } from './identity-change.repository';
import { UserEntity } from './user.entity';
import type { EntityStatus } from './user.repository';

/** An access key as it is managed; the secret is never read back. */
export interface AccessKey {
  readonly accessKeyId: string;
  /** Undefined for a key of root. */
  readonly userName: string | undefined;
  readonly status: EntityStatus;
  readonly name: string;
  readonly description: string;
  readonly sessionPolicy: string | undefined;
  readonly expiresAt: Date | undefined;
  readonly createdAt: Date;
  readonly updatedAt: Date;
}

/** What a change may set; undefined leaves a field as it is, null empties it. */
export interface AccessKeyChange {
  readonly status?: EntityStatus;
  readonly name?: string;
  readonly description?: string;
  readonly sessionPolicy?: string | null;
  readonly expiresAt?: Date | null;
  readonly sealedSecret?: Buffer;
}

export interface NewAccessKey {
  readonly accessKeyId: string;
  readonly userName: string | undefined;
  readonly sealedSecret: Buffer;
  readonly name: string;
  readonly description: string;
  readonly sessionPolicy: string | undefined;
  readonly expiresAt: Date | undefined;
}

/** Access keys; sealed secrets go in and never come out here. */
@Injectable()
export class AccessKeyRepository {
  constructor(private readonly changes: IdentityChangeRepository) {}

  /** @throws IdentityError `EntityAlreadyExists`, or `NoSuchEntity` for an unknown user */
  async create(key: NewAccessKey): Promise<AccessKey> {
    return this.changes.change(`The access key "${key.accessKeyId}"`, async (manager) => {
      await manager.insert(AccessKeyEntity, {
        accessKeyId: key.accessKeyId,
        userId: key.userName === undefined ? null : (await this.findUser(manager, key.userName)).id,
        sealedSecret: key.sealedSecret,
        name: key.name,
        description: key.description,
        sessionPolicy: key.sessionPolicy ?? null,
        expiresAt: key.expiresAt ?? null,
      });
      return this.read(manager, key.accessKeyId);
    });
  }

  /** @param owner a user's name, `null` for the keys of root, undefined for all */
  async list(owner: string | null | undefined): Promise<AccessKey[]> {
    const where: FindOptionsWhere<AccessKeyEntity> =
      owner === undefined ? {} : owner === null ? { userId: IsNull() } : { user: { name: owner } };
    const keys = await this.changes.manager.find(AccessKeyEntity, {
      where,
      relations: { user: true },
      order: { accessKeyId: 'ASC' },
    });
    return keys.map(toAccessKey);
  }

  /** @throws IdentityError `NoSuchEntity` */
  async get(accessKeyId: string): Promise<AccessKey> {
    return this.read(this.changes.manager, accessKeyId);
  }

  /** @throws IdentityError `NoSuchEntity` */
  async update(accessKeyId: string, change: AccessKeyChange): Promise<AccessKey> {
    return this.changes.change(`The access key "${accessKeyId}"`, async (manager) => {
      const defined = Object.entries(change).filter(([, value]) => value !== undefined);
      await manager.update(AccessKeyEntity, { accessKeyId }, { ...Object.fromEntries(defined), updatedAt: new Date() });
      return this.read(manager, accessKeyId);
    });
  }

  /** @throws IdentityError `NoSuchEntity` */
  async delete(accessKeyId: string): Promise<void> {
    await this.changes.change(`The access key "${accessKeyId}"`, async (manager) => {
      const { affected } = await manager.delete(AccessKeyEntity, { accessKeyId });
      if (affected === 0) {
        throw noSuchEntity('access key', accessKeyId);
      }
    });
  }

  private async findUser(manager: EntityManager, name: string): Promise<UserEntity> {
    const user = await manager.findOneBy(UserEntity, { name });
    if (user === null) {
      throw noSuchEntity('user', name);
    }
    return user;
  }

  private async read(manager: EntityManager, accessKeyId: string): Promise<AccessKey> {
    const key = await manager.findOne(AccessKeyEntity, { where: { accessKeyId }, relations: { user: true } });
    if (key === null) {
      throw noSuchEntity('access key', accessKeyId);
    }
    return toAccessKey(key);
  }
}

function toAccessKey(key: AccessKeyEntity): AccessKey {
  return {
    accessKeyId: key.accessKeyId,
    userName: key.user?.name,
    status: key.status,
    name: key.name,
    description: key.description,
    sessionPolicy: key.sessionPolicy ?? undefined,
    expiresAt: key.expiresAt ?? undefined,
    createdAt: key.createdAt,
    updatedAt: key.updatedAt,
  };
}
