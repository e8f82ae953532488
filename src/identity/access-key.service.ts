import { Inject, Injectable } from '@nestjs/common';
import { seal } from '../common/sealed-box';
import { Secret } from '../common/secret';
import { ROOT_KEY } from '../settings/root-key';
import { AccessKeyRepository, type AccessKey, type AccessKeyChange } from './access-key.repository';
import {
  ACCESS_KEY_ID,
  generateAccessKeyId,
  generateSecretKey,
  SECRET_KEY,
  secretPurpose,
  TEMPORARY_KEY_ID,
} from './credential-format';
import { noSuchEntity } from './entity-name';
import { IdentityError } from './identity-error';
import { IdentityService } from './identity.service';
import type { Principal } from './identity.types';
import { parsePolicy } from './policy-document';

export interface AccessKeyRequest {
  /** Generated when absent. */
  readonly accessKeyId?: string;
  /** Generated when absent. */
  readonly secretKey?: Secret;
  /** Undefined asks for a key of root. */
  readonly userName?: string;
  /** Short, for people. */
  readonly name?: string;
  readonly description?: string;
  /** JSON of a policy that narrows what the owner may do. */
  readonly sessionPolicy?: string;
  readonly expiresAt?: Date;
}

export type AccessKeyUpdate = Omit<AccessKeyChange, 'sealedSecret'> & { readonly secretKey?: Secret };

/** Makes, changes and removes access keys. Keys of root are for root alone to touch or see. */
@Injectable()
export class AccessKeyService {
  constructor(
    private readonly keys: AccessKeyRepository,
    private readonly identity: IdentityService,
    @Inject(ROOT_KEY) private readonly rootKey: Buffer,
  ) {}

  /**
   * @returns the key with its secret, which cannot be read again later
   * @throws IdentityError `InvalidInput`, `MalformedPolicyDocument`, `EntityAlreadyExists`, `NoSuchEntity`
   */
  async create(request: AccessKeyRequest, caller: Principal): Promise<{ key: AccessKey; secretKey: Secret }> {
    const accessKeyId = request.accessKeyId ?? generateAccessKeyId();
    const secretKey = request.secretKey ?? new Secret(generateSecretKey());
    this.checkFormat(accessKeyId, secretKey);
    if (TEMPORARY_KEY_ID.test(accessKeyId)) {
      throw invalid('accessKeyId', 'looks like one of a temporary credential; choose another');
    }
    checkExpiry(request.expiresAt);
    if (request.userName === undefined && caller.kind !== 'root') {
      throw new IdentityError('InvalidInput', 'Only root may create access keys of root; name a user', [
        { field: 'userName', message: 'is missing' },
      ]);
    }
    if (accessKeyId === this.identity.rootAccessKeyId) {
      throw new IdentityError('EntityAlreadyExists', `The access key "${accessKeyId}" exists already`);
    }
    if (request.sessionPolicy !== undefined) {
      parsePolicy(request.sessionPolicy);
    }
    const key = await this.keys.create({
      accessKeyId,
      userName: request.userName,
      sealedSecret: this.sealSecret(accessKeyId, secretKey),
      name: request.name ?? '',
      description: request.description ?? '',
      sessionPolicy: request.sessionPolicy,
      expiresAt: request.expiresAt,
    });
    return { key, secretKey };
  }

  /** @param userName only the keys of this user */
  async list(userName: string | undefined, caller: Principal): Promise<AccessKey[]> {
    const keys = await this.keys.list(userName);
    return keys.filter((key) => key.userName !== undefined || caller.kind === 'root');
  }

  /** @throws IdentityError `NoSuchEntity` */
  async get(accessKeyId: string, caller: Principal): Promise<AccessKey> {
    const key = await this.keys.get(accessKeyId);
    if (key.userName === undefined && caller.kind !== 'root') {
      throw noSuchEntity('access key', accessKeyId);
    }
    return key;
  }

  /** @throws IdentityError `NoSuchEntity`, `InvalidInput`, `MalformedPolicyDocument` */
  async update(accessKeyId: string, update: AccessKeyUpdate, caller: Principal): Promise<AccessKey> {
    await this.get(accessKeyId, caller);
    this.checkFormat(accessKeyId, update.secretKey);
    checkExpiry(update.expiresAt ?? undefined);
    if (typeof update.sessionPolicy === 'string') {
      parsePolicy(update.sessionPolicy);
    }
    const { secretKey, ...change } = update;
    const sealedSecret = secretKey && this.sealSecret(accessKeyId, secretKey);
    return this.keys.update(accessKeyId, { ...change, sealedSecret });
  }

  /** @throws IdentityError `NoSuchEntity` */
  async delete(accessKeyId: string, caller: Principal): Promise<void> {
    await this.get(accessKeyId, caller);
    await this.keys.delete(accessKeyId);
  }

  /** Checks an id and a secret before anything is done with them. @throws IdentityError `InvalidInput` */
  checkFormat(accessKeyId: string, secretKey: Secret | undefined): void {
    if (!ACCESS_KEY_ID.test(accessKeyId)) {
      throw invalid('accessKeyId', 'must be 3 to 128 letters, digits or any of ._@-, a letter or digit first');
    }
    if (secretKey !== undefined && !SECRET_KEY.test(secretKey.reveal())) {
      throw invalid('secretKey', 'must be 8 to 128 printable ASCII characters without blanks');
    }
  }

  private sealSecret(accessKeyId: string, secretKey: Secret): Buffer {
    return seal(this.rootKey, Buffer.from(secretKey.reveal(), 'utf8'), secretPurpose(accessKeyId));
  }
}

function checkExpiry(expiresAt: Date | undefined): void {
  if (expiresAt !== undefined && !(expiresAt.getTime() > Date.now())) {
    throw invalid('expiresAt', 'must lie in the future');
  }
}

function invalid(field: string, message: string): IdentityError {
  return new IdentityError('InvalidInput', `${field} ${message}`, [{ field, message }]);
}
