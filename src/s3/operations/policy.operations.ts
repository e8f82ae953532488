import { Injectable } from '@nestjs/common';
import { IdentityError } from '../../identity/identity-error';
import { IdentityService } from '../../identity/identity.service';
import { BucketService } from '../../object-storage/bucket.service';
import { POLICY_DOCUMENT, PUBLIC_ACCESS_DOCUMENT, publicAccessBlock } from '../bucket-documents';
import { emptyAnswer, xmlAnswer, type S3Answer, type S3Call, type S3Handlers } from '../s3-call';
import { S3Error } from '../s3-error';
import { textElement, xmlDocument } from '../xml-writer';

const MAX_DOCUMENT_BYTES = 64 * 1024;

/** Bucket policies. */
@Injectable()
export class PolicyOperations {
  readonly handlers: S3Handlers = {
    GetBucketPolicy: (call) => this.get(call),
    PutBucketPolicy: (call) => this.put(call),
    DeleteBucketPolicy: (call) => this.delete(call),
    GetBucketPolicyStatus: (call) => this.status(call),
  };

  constructor(
    private readonly buckets: BucketService,
    private readonly identity: IdentityService,
  ) {}

  private async get(call: S3Call): Promise<S3Answer> {
    const policy = await this.require(call.bucket);
    return { status: 200, headers: { 'Content-Type': 'application/json' }, body: policy };
  }

  private async put(call: S3Call): Promise<S3Answer> {
    const policy = (await call.body.read(MAX_DOCUMENT_BYTES)).toString('utf8');
    await this.#check(policy, call.bucket);
    const block = publicAccessBlock(await this.buckets.getDocument(call.bucket, PUBLIC_ACCESS_DOCUMENT));
    if (block.BlockPublicPolicy && this.identity.isPublic(policy, call.bucket)) {
      throw new S3Error('AccessDenied', 'The public access block of the bucket refuses public policies.');
    }
    await this.buckets.setDocument(call.bucket, POLICY_DOCUMENT, policy);
    return emptyAnswer(204);
  }

  private async delete(call: S3Call): Promise<S3Answer> {
    await this.buckets.setDocument(call.bucket, POLICY_DOCUMENT, null);
    return emptyAnswer(204);
  }

  private async status(call: S3Call): Promise<S3Answer> {
    const isPublic = this.identity.isPublic(await this.require(call.bucket), call.bucket);
    return xmlAnswer(xmlDocument('PolicyStatus', textElement('IsPublic', isPublic)));
  }

  /** @throws S3Error MalformedPolicy in AWS's words */
  async #check(policy: string, bucket: string): Promise<void> {
    try {
      await this.identity.checkBucketPolicy(policy, bucket);
    } catch (error) {
      if (error instanceof IdentityError) {
        throw new S3Error('MalformedPolicy', error.message, error.details);
      }
      throw error;
    }
  }

  private async require(bucket: string): Promise<string> {
    const policy = await this.buckets.getDocument(bucket, POLICY_DOCUMENT);
    if (policy === undefined) {
      throw new S3Error('NoSuchBucketPolicy', undefined, { BucketName: bucket });
    }
    return policy;
  }
}
