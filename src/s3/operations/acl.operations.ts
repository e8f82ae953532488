import { Injectable } from '@nestjs/common';
import {
  aclsEnabled,
  assertBucketOwnersAcl,
  currentOwner,
  expandAcl,
  ownerOnly,
} from '../../object-storage/access-control';
import { BucketService } from '../../object-storage/bucket.service';
import { ObjectService } from '../../object-storage/object.service';
import { AclRequests } from '../acl-requests';
import { versionHeader } from '../answer-headers';
import { BucketAccessReader, type CallAccess } from '../bucket-access-reader';
import { accessControlPolicyXml } from '../documents/access-control-policy';
import { emptyAnswer, xmlAnswer, type S3Answer, type S3Call, type S3Handlers } from '../s3-call';
import { S3Error } from '../s3-error';
import { S3Events } from '../s3-events';

/**
 * Access lists of buckets and objects. Where ownership is enforced they do not count: they read as full control of the
 * bucket's owner, and nothing else can be set.
 */
@Injectable()
export class AclOperations {
  readonly handlers: S3Handlers = {
    GetBucketAcl: (call) => this.getOfBucket(call),
    PutBucketAcl: (call) => this.putOfBucket(call),
    GetObjectAcl: (call) => this.getOfObject(call),
    PutObjectAcl: (call) => this.putOfObject(call),
  };

  constructor(
    private readonly access: BucketAccessReader,
    private readonly requests: AclRequests,
    private readonly buckets: BucketService,
    private readonly objects: ObjectService,
    private readonly events: S3Events,
  ) {}

  private async getOfBucket(call: S3Call): Promise<S3Answer> {
    const { owner, acl = ownerOnly(owner) } = await this.bucket(call);
    return xmlAnswer(accessControlPolicyXml(owner, acl));
  }

  private async putOfBucket(call: S3Call): Promise<S3Answer> {
    const access = await this.bucket(call);
    const request = await this.requests.toBeSet(call, access);
    if (aclsEnabled(access)) {
      await this.buckets.setAcl(call.bucket, expandAcl(request, access.owner, access.owner));
    } else {
      assertBucketOwnersAcl(access, request);
    }
    return emptyAnswer(200);
  }

  private async getOfObject(call: S3Call): Promise<S3Answer> {
    const access = await this.bucket(call);
    const info = await this.objects.describe(call.bucket, { key: call.key, versionId: call.versionId });
    const owner = currentOwner(access, info.owner);
    const acl = (aclsEnabled(access) ? info.acl : undefined) ?? ownerOnly(owner);
    return xmlAnswer(accessControlPolicyXml(owner, acl), versionHeader(info));
  }

  private async putOfObject(call: S3Call): Promise<S3Answer> {
    const access = await this.bucket(call);
    const info = await this.objects.describeState(call.bucket, { key: call.key, versionId: call.versionId });
    const owner = currentOwner(access, info.owner);
    const request = await this.requests.toBeSet(call, { owner, acl: info.acl });
    if (aclsEnabled(access)) {
      const entry = { key: call.key, versionId: info.versionId };
      await this.objects.setAcl(call.bucket, entry, expandAcl(request, owner, access.owner));
    } else {
      assertBucketOwnersAcl(access, request);
    }
    await this.events.publish(call, { name: 's3:ObjectAcl:Put', versionId: info.versionId });
    return emptyAnswer(200, versionHeader(info));
  }

  private async bucket(call: S3Call): Promise<CallAccess> {
    const access = await this.access.of(call, call.bucket);
    if (access === undefined) {
      throw new S3Error('NoSuchBucket', undefined, { BucketName: call.bucket });
    }
    return access;
  }
}
