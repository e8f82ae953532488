import { Injectable } from '@nestjs/common';
import { IdentityService } from '../identity/identity.service';
import { BucketDocumentCache } from '../object-storage/bucket-document-cache.service';
import { BucketService } from '../object-storage/bucket.service';
import type { BucketAccess } from '../object-storage/object-storage.types';
import { POLICY_DOCUMENT, publicAccessBlock, type PublicAccessBlock } from './bucket-documents';
import type { S3Call } from './s3-call';

/** What decides on access to a bucket, read for one call. */
export interface CallAccess extends BucketAccess {
  readonly block: PublicAccessBlock;
  /** The bucket has a public policy and `RestrictPublicBuckets`: only users whom policies of their own allow may come in. */
  readonly restricted: boolean;
}

/** Reads what decides on access to buckets, each bucket once a call. */
@Injectable()
export class BucketAccessReader {
  readonly #read = new WeakMap<S3Call, Map<string, Promise<CallAccess | undefined>>>();

  constructor(
    private readonly buckets: BucketService,
    private readonly documents: BucketDocumentCache,
    private readonly identity: IdentityService,
  ) {}

  /** Undefined when there is no such bucket: whoever may act on it then learns from the operation that it is missing. */
  of(call: S3Call, bucket: string): Promise<CallAccess | undefined> {
    const known = this.#read.get(call) ?? new Map<string, Promise<CallAccess | undefined>>();
    this.#read.set(call, known);
    const access = known.get(bucket) ?? this.#load(bucket);
    known.set(bucket, access);
    return access;
  }

  /** The policy alone, kept in memory, for a caller whom nothing else concerns and who then pays no query. */
  async policy(bucket: string): Promise<string | undefined> {
    return bucket === '' ? undefined : this.documents.get(bucket, POLICY_DOCUMENT, (content) => content);
  }

  async #load(bucket: string): Promise<CallAccess | undefined> {
    const access = bucket === '' ? undefined : await this.buckets.access(bucket);
    if (access === undefined) {
      return undefined;
    }
    const block = publicAccessBlock(access.publicAccessBlock);
    const restricted =
      block.RestrictPublicBuckets && access.policy !== undefined && this.identity.isPublic(access.policy, bucket);
    return { ...access, block, restricted };
  }
}
