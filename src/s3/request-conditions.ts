import { Injectable } from '@nestjs/common';
import { DomainError } from '../common/domain-error';
import type { EncryptionContext } from '../common/encryption-context';
import { IdentityService } from '../identity/identity.service';
import { MultipartService } from '../object-storage/multipart.service';
import { ObjectService } from '../object-storage/object.service';
import { Settings } from '../settings/settings';
import { type Conditions, conditionsOf, contextConditions, existingTagConditions } from './access-conditions';
import type { AclQuestion } from './acl-authorizer';
import { bodyConditions, bodyKeyPrefix } from './body-conditions';
import type { S3Call } from './s3-call';

const EXISTING_TAGS: readonly string[] = ['s3:existingobjecttag/'];
/** How the keys begin whose values the headers of {@link keptHeaders} give. */
const KEPT: readonly string[] = ['s3:x-amz-', 's3:requestobjecttag', 's3:object-lock-'];

/** Collects what policies may judge a request by. What costs a look-up is looked up for a policy that asks for it only. */
@Injectable()
export class RequestConditions {
  readonly #region: string;

  constructor(
    private readonly identity: IdentityService,
    private readonly objects: ObjectService,
    private readonly uploads: MultipartService,
    settings: Settings,
  ) {
    this.#region = settings.region;
  }

  /** What the request itself tells, in a question about a KMS key, which no policy of a bucket answers. */
  ofKey(call: S3Call, context: EncryptionContext | undefined): Conditions {
    return {
      'aws:RequestedRegion': this.#region,
      'kms:ViaService': `s3.${this.#region}.amazonaws.com`,
      ...conditionsOf(call),
      ...contextConditions(context),
    };
  }

  /**
   * @param policy of the bucket, JSON
   * @param further what else the question is about
   */
  async of(call: S3Call, question: AclQuestion, policy: string | undefined, further: Conditions): Promise<Conditions> {
    return Object.assign(
      conditionsOf(call, question.versionId, await this.#keptHeaders(call, policy)),
      { 'aws:RequestedRegion': this.#region, ...further },
      await this.#existingTags(call, question, policy),
      await this.#ofBody(call, policy),
    );
  }

  /** Parts of an upload and its completion come without the headers it was begun with. */
  async #keptHeaders(call: S3Call, policy: string | undefined): Promise<Readonly<Record<string, string>> | undefined> {
    const uploadId = call.query.get('uploadId');
    if (
      uploadId === undefined ||
      !call.route.actions.includes('s3:PutObject') ||
      !(await this.#isAskedFor(call, policy, KEPT))
    ) {
      return undefined;
    }
    return this.uploads.requestHeaders(call.bucket, call.key, uploadId);
  }

  async #existingTags(
    call: S3Call,
    { bucket, key, versionId }: AclQuestion,
    policy: string | undefined,
  ): Promise<Conditions> {
    if (key === '' || !(await this.#isAskedFor(call, policy, EXISTING_TAGS))) {
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

  async #ofBody(call: S3Call, policy: string | undefined): Promise<Conditions> {
    const prefix = bodyKeyPrefix(call);
    return prefix !== undefined && (await this.#isAskedFor(call, policy, [prefix])) ? bodyConditions(call) : {};
  }

  /** Whether a policy of the bucket or of the caller has a condition on a key that begins so. */
  async #isAskedFor(call: S3Call, policy: string | undefined, prefixes: readonly string[]): Promise<boolean> {
    const text = policy?.toLowerCase();
    if (text !== undefined && prefixes.some((prefix) => text.includes(prefix))) {
      return true;
    }
    for (const prefix of prefixes) {
      if (await this.identity.asksFor(call.principal, prefix)) {
        return true;
      }
    }
    return false;
  }
}
