import { Injectable } from '@nestjs/common';
import { BucketService } from '../object-storage/bucket.service';
import { AcceptedDocumentOperations } from './operations/accepted-document.operations';
import { AclOperations } from './operations/acl.operations';
import { BucketConfigurationOperations } from './operations/bucket-configuration.operations';
import { BucketOperations } from './operations/bucket.operations';
import { CopyOperations } from './operations/copy.operations';
import { DeleteOperations } from './operations/delete.operations';
import { EncryptionOperations } from './operations/encryption.operations';
import { ListingOperations } from './operations/listing.operations';
import { MultipartListingOperations } from './operations/multipart-listing.operations';
import { MultipartOperations } from './operations/multipart.operations';
import { NotificationOperations } from './operations/notification.operations';
import { ObjectLockOperations } from './operations/object-lock.operations';
import { ObjectReadOperations } from './operations/object-read.operations';
import { ObjectStateOperations } from './operations/object-state.operations';
import { ObjectWriteOperations } from './operations/object-write.operations';
import { PolicyOperations } from './operations/policy.operations';
import { PostObjectOperations } from './operations/post-object.operations';
import { RuleDocumentOperations } from './operations/rule-document.operations';
import { TaggingOperations } from './operations/tagging.operations';
import type { S3Answer, S3Call, S3Handler } from './s3-call';
import { S3Error } from './s3-error';

const DOCUMENT_ERRORS: ReadonlySet<string> = new Set(['MalformedXML', 'MalformedPolicy', 'MissingRequestBodyError']);

/** Every implemented operation by its name in the routing table. */
@Injectable()
export class S3Operations {
  readonly #handlers: ReadonlyMap<string, S3Handler>;

  constructor(
    private readonly bucketService: BucketService,
    buckets: BucketOperations,
    configuration: BucketConfigurationOperations,
    acceptedDocuments: AcceptedDocumentOperations,
    notifications: NotificationOperations,
    locks: ObjectLockOperations,
    posts: PostObjectOperations,
    ruleDocuments: RuleDocumentOperations,
    encryption: EncryptionOperations,
    acl: AclOperations,
    policy: PolicyOperations,
    tagging: TaggingOperations,
    listing: ListingOperations,
    reads: ObjectReadOperations,
    writes: ObjectWriteOperations,
    states: ObjectStateOperations,
    copies: CopyOperations,
    deletes: DeleteOperations,
    multipart: MultipartOperations,
    multipartListing: MultipartListingOperations,
  ) {
    const groups = [
      buckets,
      configuration,
      acceptedDocuments,
      notifications,
      locks,
      posts,
      ruleDocuments,
      encryption,
      acl,
      policy,
      tagging,
      listing,
      reads,
      writes,
      states,
      copies,
      deletes,
      multipart,
      multipartListing,
    ];
    this.#handlers = new Map(groups.flatMap(({ handlers }) => Object.entries(handlers)));
  }

  /** Names of all operations that have a handler. */
  get names(): readonly string[] {
    return [...this.#handlers.keys()];
  }

  /** Runs the operation of a call. @throws S3Error NotImplemented, and whatever the operation refuses with */
  async run(call: S3Call): Promise<S3Answer> {
    const handler = this.#handlers.get(call.route.operation);
    if (handler === undefined) {
      throw new S3Error('NotImplemented', `${call.route.operation} is not implemented.`);
    }
    try {
      return await handler(call);
    } catch (error) {
      if (error instanceof S3Error && DOCUMENT_ERRORS.has(error.kind)) {
        await this.#requireBucket(call);
      }
      throw error;
    }
  }

  /** AWS looks for the bucket before it reads a document that is meant for it. @throws S3Error NoSuchBucket */
  async #requireBucket({ route, bucket }: S3Call): Promise<void> {
    if (
      route.operation !== 'CreateBucket' &&
      bucket !== '' &&
      (await this.bucketService.access(bucket)) === undefined
    ) {
      throw new S3Error('NoSuchBucket', undefined, { BucketName: bucket });
    }
  }
}
