import { Injectable } from '@nestjs/common';
import { annotateAudit } from '../common/audit-trail';
import { DomainError } from '../common/domain-error';
import type { EncryptionContext } from '../common/encryption-context';
import { IdentityService } from '../identity/identity.service';
import type { AccessRequest } from '../identity/identity.types';
import { DataKeys } from '../kms/data-keys';
import { BucketService } from '../object-storage/bucket.service';
import { ObjectService } from '../object-storage/object.service';
import type { KeyGuard } from '../object-storage/object-storage.types';
import { conditionsOf, contextConditions, existingTagConditions } from './access-conditions';
import type { S3Call } from './s3-call';
import { S3Error } from './s3-error';

import { POLICY_DOCUMENT, PUBLIC_ACCESS_DOCUMENT, publicAccessBlock } from './bucket-documents';

/** Actions on a version of an object have names of their own. */
const VERSION_ACTIONS: Readonly<Record<string, string>> = {
  's3:GetObject': 's3:GetObjectVersion',
  's3:GetObjectAttributes': 's3:GetObjectVersionAttributes',
  's3:GetObjectAcl': 's3:GetObjectVersionAcl',
  's3:PutObjectAcl': 's3:PutObjectVersionAcl',
  's3:GetObjectTagging': 's3:GetObjectVersionTagging',
  's3:PutObjectTagging': 's3:PutObjectVersionTagging',
  's3:DeleteObjectTagging': 's3:DeleteObjectVersionTagging',
  's3:DeleteObject': 's3:DeleteObjectVersion',
};

/** Headers of a write that set something of its own permission. */
const WRITE_ACTIONS: Readonly<Record<string, string>> = {
  'x-amz-tagging': 's3:PutObjectTagging',
  'x-amz-object-lock-mode': 's3:PutObjectRetention',
  'x-amz-object-lock-legal-hold': 's3:PutObjectLegalHold',
};

const EXISTING_TAG = 's3:existingobjecttag/';

/** Puts every question of permission on the S3 face to the policies. */
@Injectable()
export class S3Authorizer {
  constructor(
    private readonly identity: IdentityService,
    private readonly buckets: BucketService,
    private readonly objects: ObjectService,
    private readonly dataKeys: DataKeys,
  ) {}

  /**
   * Checks the actions of the call's route on its bucket or object.
   * @throws S3Error AccessDenied
   */
  async authorize(call: S3Call): Promise<void> {
    if (call.headers['x-amz-expected-bucket-owner'] !== undefined && call.bucket !== '') {
      await this.requireOwner(call.bucket, call.headers['x-amz-expected-bucket-owner']);
    }
    if (call.principal.kind === 'root') {
      return;
    }
    for (const action of call.route.actions) {
      await this.require(call, action, call.bucket, call.key, call.versionId);
    }
    if (call.route.actions.includes('s3:PutObject')) {
      for (const header in WRITE_ACTIONS) {
        if (call.headers[header] !== undefined) {
          await this.require(call, WRITE_ACTIONS[header] as string, call.bucket, call.key);
        }
      }
    }
  }

  /** Whether the caller may act on a bucket, or on an object in it when a key is given. */
  async allows(call: S3Call, action: string, bucket: string, key = '', versionId?: string): Promise<boolean> {
    if (call.principal.kind === 'root') {
      return true;
    }
    return this.#decide(call, action, bucket, key, versionId, {});
  }

  /** Whether the caller may list a key's name, and so may learn that there is no such key. */
  async allowsListing(call: S3Call, bucket: string, key: string): Promise<boolean> {
    return (
      call.principal.kind === 'root' || this.#decide(call, 's3:ListBucket', bucket, '', undefined, { 's3:prefix': key })
    );
  }

  async #decide(
    call: S3Call,
    action: string,
    bucket: string,
    key: string,
    versionId: string | undefined,
    further: AccessRequest['conditions'],
  ): Promise<boolean> {
    const policy = await this.#policyOf(call, bucket);
    const decision = await this.identity.authorize(
      {
        principal: call.principal,
        action: versionId === undefined ? action : (VERSION_ACTIONS[action] ?? action),
        resource: `arn:aws:s3:::${bucket === '' ? '*' : key === '' ? bucket : `${bucket}/${key}`}`,
        conditions: {
          ...conditionsOf(call, versionId),
          ...(key === '' ? {} : await this.#existingTags(call, policy, bucket, key, versionId)),
          ...further,
        },
      },
      policy,
    );
    return decision.allowed;
  }

  /** Tags are looked up only for a policy that asks for them. */
  async #existingTags(
    call: S3Call,
    policy: string | undefined,
    bucket: string,
    key: string,
    versionId: string | undefined,
  ): Promise<AccessRequest['conditions']> {
    const asked = policy !== undefined && /s3:ExistingObjectTag/i.test(policy);
    if (!asked && !(await this.identity.asksFor(call.principal, EXISTING_TAG))) {
      return {};
    }
    try {
      return existingTagConditions((await this.objects.getTags(bucket, { key, versionId })).tags);
    } catch (error) {
      if (error instanceof DomainError) {
        return {};
      }
      throw error;
    }
  }

  /** The same as {@link allows}. @throws S3Error AccessDenied */
  async require(call: S3Call, action: string, bucket: string, key = '', versionId?: string): Promise<void> {
    if (!(await this.allows(call, action, bucket, key, versionId))) {
      throw new S3Error('AccessDenied');
    }
  }

  /**
   * What decides which KMS keys the caller may use; undefined for root, who may use all.
   * See {@link requireKey} for what it rejects with.
   */
  keyGuard(call: S3Call): KeyGuard | undefined {
    if (call.principal.kind === 'root' && call.signature?.version === 4) {
      return undefined;
    }
    return (use, { kms, keyId, context }) =>
      this.requireKey(
        call,
        use === 'generate' ? 'kms:GenerateDataKey' : 'kms:Decrypt',
        kms === undefined ? keyId : `${kms}/${keyId ?? ''}`,
        context,
      );
  }

  /**
   * Checks a KMS action on one key, before the key's state can show through the answer. Statements name keys as
   * `arn:aws:kms:::key/<reference>`, where the reference is what answers show of the key. Bucket policies have no say.
   *
   * @param keyReference as a client sends it; undefined for the default key
   * @param context what policies may ask for as `kms:EncryptionContext:…`
   * @throws S3Error AccessDenied, InvalidArgument for requests without a signature of Version 4
   */
  async requireKey(
    call: S3Call,
    action: 'kms:GenerateDataKey' | 'kms:Decrypt',
    keyReference?: string,
    context?: EncryptionContext,
  ): Promise<void> {
    const signedWell = call.signature?.version === 4;
    if (call.principal.kind === 'root' && signedWell) {
      return;
    }
    const key = this.#resolve(keyReference);
    annotateAudit({ kms: key.kms, keyId: key.keyId });
    if (!signedWell) {
      throw new S3Error(
        'InvalidArgument',
        'Requests specifying Server Side Encryption with AWS KMS managed keys require AWS Signature Version 4.',
      );
    }
    const decision = await this.identity.authorize({
      principal: call.principal,
      action,
      resource: `arn:aws:kms:::key/${this.keyReference(key.kms, key.keyId) ?? ''}`,
      conditions: { ...conditionsOf(call), ...contextConditions(context) },
    });
    if (!decision.allowed) {
      throw new S3Error('AccessDenied', `Not allowed: ${action} on the KMS key of the object`);
    }
  }

  /**
   * A key in the form that answers show and clients can send back: its bare id in the default KMS, else
   * `type:target/key`.
   */
  keyReference(kms: string | undefined, keyId: string | undefined): string | undefined {
    if (kms === undefined || keyId === undefined) {
      return keyId;
    }
    return kms === this.#defaultKms() ? keyId : `${kms}/${keyId}`;
  }

  /**
   * Guards a client against a bucket that has changed hands, as x-amz-expected-bucket-owner asks.
   * @throws S3Error AccessDenied
   */
  async requireOwner(bucket: string, expected: string | string[] | undefined): Promise<void> {
    const { owner } = await this.buckets.get(bucket);
    if (owner !== expected) {
      throw new S3Error('AccessDenied');
    }
  }

  /** Whether a KMS is configured is nothing to tell before permission is given; the operation itself will say it. */
  #resolve(keyReference: string | undefined): { readonly kms?: string; readonly keyId?: string } {
    try {
      return this.dataKeys.resolve(keyReference);
    } catch (error) {
      if (error instanceof DomainError) {
        return { keyId: keyReference };
      }
      throw error;
    }
  }

  #defaultKms(): string | undefined {
    try {
      return this.dataKeys.resolve(undefined).kms;
    } catch (error) {
      if (error instanceof DomainError) {
        return undefined;
      }
      throw error;
    }
  }

  /** A missing bucket has no policy: whoever may act on it then learns from the operation that it is missing. */
  async #policyOf(call: S3Call, bucket: string): Promise<string | undefined> {
    if (bucket === '') {
      return undefined;
    }
    try {
      if (call.principal.kind === 'anonymous' && (await this.#restrictsPublic(bucket))) {
        return undefined;
      }
      return await this.buckets.getDocument(bucket, POLICY_DOCUMENT);
    } catch (error) {
      if (error instanceof DomainError && error.kind === 'NoSuchBucket') {
        return undefined;
      }
      throw error;
    }
  }

  /** RestrictPublicBuckets of the public access block takes the effect of the policy away from the public. */
  async #restrictsPublic(bucket: string): Promise<boolean> {
    return publicAccessBlock(await this.buckets.getDocument(bucket, PUBLIC_ACCESS_DOCUMENT)).RestrictPublicBuckets;
  }
}
