import { Injectable } from '@nestjs/common';
import { annotateAudit } from '../common/audit-trail';
import { DomainError } from '../common/domain-error';
import type { EncryptionContext } from '../common/encryption-context';
import { ACCOUNT } from '../identity/account';
import { IdentityService } from '../identity/identity.service';
import type { AccessDecision } from '../identity/identity.types';
import { IMPLICIT_DENY } from '../identity/policy-evaluator';
import { DataKeys } from '../kms/data-keys';
import type { KeyGuard } from '../object-storage/object-storage.types';
import type { Conditions } from './access-conditions';
import { AclAuthorizer, type AclQuestion } from './acl-authorizer';
import { BucketAccessReader } from './bucket-access-reader';
import { carriesAcl } from './headers/acl-headers';
import { RequestConditions } from './request-conditions';
import type { S3Call } from './s3-call';
import { S3Error } from './s3-error';

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

/** What root may do with the policy of a bucket, whatever it says: else a mistake in one could never be mended. */
const POLICY_ACTIONS: ReadonlySet<string> = new Set([
  's3:GetBucketPolicy',
  's3:PutBucketPolicy',
  's3:DeleteBucketPolicy',
]);

/** What can own a bucket: an account of AWS or a canonical id. */
const OWNER = /^(?:\d{12}|[0-9a-f]{64})$/;

/** Puts every question of permission on the S3 face to the policies, and to access lists where they count. */
@Injectable()
export class S3Authorizer {
  constructor(
    private readonly identity: IdentityService,
    private readonly access: BucketAccessReader,
    private readonly acls: AclAuthorizer,
    private readonly conditions: RequestConditions,
    private readonly dataKeys: DataKeys,
  ) {}

  /**
   * Checks the actions of the call's route on its bucket or object.
   * @throws S3Error AccessDenied
   */
  async authorize(call: S3Call): Promise<void> {
    if (call.headers['x-amz-expected-bucket-owner'] !== undefined && call.bucket !== '') {
      await this.requireOwner(call, call.bucket, call.headers['x-amz-expected-bucket-owner']);
    }
    for (const action of call.route.actions) {
      await this.require(call, action, call.bucket, call.key, call.versionId);
    }
    await this.#authorizeHeaders(call);
  }

  /**
   * Whether the caller may act on a bucket, or on an object in it when a key is given.
   * @throws StorageError when an object that the caller may not read is not there, and the caller may list the bucket
   */
  allows(call: S3Call, action: string, bucket: string, key = '', versionId?: string): Promise<boolean> {
    return this.#decide(call, { action, bucket, key, versionId }, {});
  }

  /** Whether the caller may list a key's name, and so may learn that there is no such key. */
  allowsListing(call: S3Call, bucket: string, key: string): Promise<boolean> {
    return this.#decide(call, { action: 's3:ListBucket', bucket, key: '', versionId: undefined }, { 's3:prefix': key });
  }

  /** Whether the caller is root and no policy of the bucket can refuse anything. */
  async isUnlimited(call: S3Call, bucket: string): Promise<boolean> {
    return call.principal.kind === 'root' && (await this.access.policy(bucket)) === undefined;
  }

  /** What headers ask for beside the operation itself. */
  async #authorizeHeaders(call: S3Call): Promise<void> {
    const { bucket, key, headers, route } = call;
    if (route.actions.includes('s3:PutObject')) {
      for (const header in WRITE_ACTIONS) {
        if (headers[header] !== undefined) {
          await this.require(call, WRITE_ACTIONS[header] as string, bucket, key);
        }
      }
      if (carriesAcl(headers)) {
        await this.#requireUnrefused(call, { action: 's3:PutObjectAcl', bucket, key, versionId: undefined });
      }
    } else if (route.operation === 'CreateBucket') {
      if (carriesAcl(headers) && headers['x-amz-acl'] !== 'private') {
        await this.require(call, 's3:PutBucketAcl', bucket);
      }
      if (headers['x-amz-object-ownership'] !== undefined) {
        await this.require(call, 's3:PutBucketOwnershipControls', bucket);
      }
    }
  }

  async #decide(call: S3Call, asked: AclQuestion, further: Conditions): Promise<boolean> {
    if (call.principal.kind === 'root') {
      return (await this.#judgeRoot(call, asked, further)).allowed;
    }
    const access = await this.access.of(call, asked.bucket);
    if (access?.restricted === true && call.principal.kind === 'anonymous') {
      return false;
    }
    const question = { ...asked, action: actionOf(asked) };
    const decision = await this.#ask(call, question, access?.policy, further);
    if (decision.allowed || decision.reason !== IMPLICIT_DENY || access === undefined) {
      return decision.allowed;
    }
    const verdict = await this.acls.judge(call, access, question);
    if (verdict instanceof DomainError && (await this.allowsListing(call, asked.bucket, asked.key))) {
      throw verdict;
    }
    return verdict === 'granted';
  }

  /** As in AWS, root of the account may do everything but what the policy of the bucket refuses. */
  async #judgeRoot(call: S3Call, asked: AclQuestion, further: Conditions): Promise<AccessDecision> {
    const policy = POLICY_ACTIONS.has(asked.action) ? undefined : await this.access.policy(asked.bucket);
    return policy === undefined
      ? { allowed: true, reason: 'root' }
      : this.#ask(call, { ...asked, action: actionOf(asked) }, policy, further);
  }

  /**
   * Who may write an object owns it where access lists count, and so may give it one; a policy can still refuse that.
   * @throws S3Error AccessDenied
   */
  async #requireUnrefused(call: S3Call, question: AclQuestion): Promise<void> {
    const decision =
      call.principal.kind === 'root'
        ? await this.#judgeRoot(call, question, {})
        : await this.#ask(call, question, (await this.access.of(call, question.bucket))?.policy, {});
    if (!decision.allowed && decision.reason !== IMPLICIT_DENY) {
      throw new S3Error('AccessDenied');
    }
  }

  async #ask(
    call: S3Call,
    question: AclQuestion,
    policy: string | undefined,
    further: Conditions,
  ): Promise<AccessDecision> {
    const { action, bucket, key } = question;
    return this.identity.authorize(
      {
        principal: call.principal,
        action,
        resource: resourceArn(bucket === '' ? '*' : bucket, key === '' ? undefined : key),
        conditions: await this.conditions.of(call, question, policy, further),
      },
      policy,
    );
  }

  /** The same as {@link allows}. @throws S3Error AccessDenied; NoSuchBucket, which is no secret */
  async require(call: S3Call, action: string, bucket: string, key = '', versionId?: string): Promise<void> {
    if (await this.allows(call, action, bucket, key, versionId)) {
      return;
    }
    const creates = call.route.operation === 'CreateBucket';
    if (bucket !== '' && !creates && (await this.access.of(call, bucket)) === undefined) {
      throw new S3Error('NoSuchBucket', undefined, { BucketName: bucket });
    }
    throw new S3Error('AccessDenied');
  }

  /**
   * What decides which KMS keys the caller may use; undefined for root, who may use all.
   * See {@link requireKey} for what it rejects with.
   */
  keyGuard(call: S3Call): KeyGuard | undefined {
    if (call.principal.kind === 'root' && call.signature?.version === 4) {
      return undefined;
    }
    return (use, { kms, keyId, context, resource }) =>
      this.requireKey(
        call,
        use === 'generate' ? 'kms:GenerateDataKey' : 'kms:Decrypt',
        kms === undefined ? keyId : `${kms}/${keyId ?? ''}`,
        { 'aws:s3:arn': resourceArn(resource.bucket, resource.key), ...context },
      );
  }

  /**
   * Checks a KMS action on one key, before the key's state can show through the answer. Statements name keys as
   * `arn:aws:kms:::key/<reference>`, where the reference is what answers show of the key. Bucket policies have no say.
   *
   * @param keyReference as a client sends it; undefined for the default key
   * @param context what policies may ask for as `kms:EncryptionContext:…`; as in AWS with the ARN of what the data key is for
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
      conditions: this.conditions.ofKey(call, context),
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
   * Guards a client against a bucket that has changed hands, as x-amz-expected-bucket-owner asks. The owner may be named by
   * the account, as in AWS, or by its canonical id, which tells users apart.
   * @throws S3Error AccessDenied; InvalidBucketOwnerAWSAccountID for what names nobody
   */
  async requireOwner(call: S3Call, bucket: string, expected: string | string[] | undefined): Promise<void> {
    if (typeof expected !== 'string' || !OWNER.test(expected)) {
      throw new S3Error(
        'InvalidBucketOwnerAWSAccountID',
        `The value of the expected bucket owner parameter must be an AWS Account ID... [${String(expected)}]`,
      );
    }
    const access = await this.access.of(call, bucket);
    if (access !== undefined && access.owner !== expected && expected !== ACCOUNT) {
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
}

function resourceArn(bucket: string, key: string | undefined): string {
  return `arn:aws:s3:::${key === undefined ? bucket : `${bucket}/${key}`}`;
}

function actionOf({ action, versionId }: AclQuestion): string {
  return versionId === undefined ? action : (VERSION_ACTIONS[action] ?? action);
}
