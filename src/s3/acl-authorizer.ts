import { Injectable } from '@nestjs/common';
import { DomainError } from '../common/domain-error';
import { aclsEnabled } from '../object-storage/access-control';
import { MultipartService } from '../object-storage/multipart.service';
import type { ObjectInfo } from '../object-storage/object-storage.types';
import { ObjectService } from '../object-storage/object.service';
import { ACL_RULES, aclGrants, type AclRule } from './acl-permissions';
import type { CallAccess } from './bucket-access-reader';
import type { S3Call } from './s3-call';

/** One question of permission on a bucket, or on an object in it when the key is not empty. */
export interface AclQuestion {
  readonly action: string;
  readonly bucket: string;
  readonly key: string;
  readonly versionId: string | undefined;
}

/** An error says that the object is not there, which only who may list the bucket may learn. */
export type AclVerdict = 'granted' | 'not-granted' | DomainError;

/** Asks access lists, where they count. */
@Injectable()
export class AclAuthorizer {
  constructor(
    private readonly objects: ObjectService,
    private readonly uploads: MultipartService,
  ) {}

  /** Whether an access list grants the caller what no policy allows and none refuses. What is not there has no list. */
  async judge(call: S3Call, access: CallAccess, question: AclQuestion): Promise<AclVerdict> {
    const rule = ACL_RULES[question.action];
    const isBucketOwner = call.principal.ownerId === access.owner;
    const listsCount = aclsEnabled(access) && (!access.restricted || isBucketOwner);
    if (rule?.on === 'object') {
      const found = await findOrError(this.#describe(question));
      return found instanceof DomainError
        ? found
        : verdict(listsCount && aclGrants(found, rule.permission, ...asked(call, access)));
    }
    return verdict(
      rule !== undefined &&
        listsCount &&
        aclGrants(access, rule.permission, ...asked(call, access)) &&
        (isBucketOwner || (await this.#isReservedFor(call, rule, question))),
    );
  }

  async #isReservedFor(call: S3Call, rule: AclRule, question: AclQuestion): Promise<boolean> {
    switch (rule.reservedFor) {
      case undefined:
        return true;
      case 'bucket-owner':
        return false;
      case 'owners': {
        const found = await findOrError(this.#describe(question));
        return found instanceof DomainError || found.owner === call.principal.ownerId;
      }
      case 'initiator': {
        const initiator = await this.#initiator(call, question);
        return initiator === undefined || initiator === call.principal.ownerId;
      }
    }
  }

  #describe({ bucket, key, versionId }: AclQuestion): Promise<ObjectInfo> {
    return this.objects.describe(bucket, { key, versionId });
  }

  async #initiator(call: S3Call, { bucket, key }: AclQuestion): Promise<string | undefined> {
    const uploadId = call.query.get('uploadId') ?? '';
    const found = await findOrError(this.uploads.listParts(bucket, key, uploadId, 0, 0));
    return found instanceof DomainError ? undefined : found.upload.initiator;
  }
}

/** What is there, or why it is not. */
async function findOrError<T>(work: Promise<T>): Promise<T | DomainError> {
  try {
    return await work;
  } catch (error) {
    if (error instanceof DomainError) {
      return error;
    }
    throw error;
  }
}

function asked(call: S3Call, access: CallAccess): [S3Call['principal'], boolean] {
  return [call.principal, !access.block.IgnorePublicAcls];
}

function verdict(granted: boolean): AclVerdict {
  return granted ? 'granted' : 'not-granted';
}
