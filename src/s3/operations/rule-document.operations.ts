import { Injectable } from '@nestjs/common';
import { BucketService } from '../../object-storage/bucket.service';
import { LIFECYCLE_DOCUMENT, type LifecycleRule } from '../../lifecycle/lifecycle-rules';
import { CORS_DOCUMENT } from '../bucket-documents';
import { corsXml, readCorsRules, type CorsRule } from '../documents/cors-rules';
import { lifecycleXml, readLifecycle } from '../documents/lifecycle-document';
import { emptyAnswer, xmlAnswer, type S3Answer, type S3Call, type S3Handlers } from '../s3-call';
import { S3Error } from '../s3-error';
import type { S3ErrorCode } from '../s3-error-codes';
import { parseXml } from '../xml';

const MAX_CORS_BYTES = 64 * 1024;
const MAX_LIFECYCLE_BYTES = 1024 * 1024;

/** Rules that a bucket keeps as a document: CORS and lifecycle. */
@Injectable()
export class RuleDocumentOperations {
  readonly handlers: S3Handlers = {
    GetBucketCors: async (call) =>
      xmlAnswer(corsXml(await this.require<CorsRule[]>(call, CORS_DOCUMENT, 'NoSuchCORSConfiguration'))),
    PutBucketCors: async (call) =>
      this.store(
        call,
        CORS_DOCUMENT,
        readCorsRules(parseXml(await call.body.read(MAX_CORS_BYTES), 'CORSConfiguration')),
      ),
    DeleteBucketCors: (call) => this.remove(call, CORS_DOCUMENT),
    GetBucketLifecycleConfiguration: async (call) =>
      xmlAnswer(
        lifecycleXml(await this.require<LifecycleRule[]>(call, LIFECYCLE_DOCUMENT, 'NoSuchLifecycleConfiguration')),
      ),
    PutBucketLifecycleConfiguration: async (call) =>
      this.store(
        call,
        LIFECYCLE_DOCUMENT,
        readLifecycle(parseXml(await call.body.read(MAX_LIFECYCLE_BYTES), 'LifecycleConfiguration')),
      ),
    DeleteBucketLifecycle: (call) => this.remove(call, LIFECYCLE_DOCUMENT),
  };

  constructor(private readonly buckets: BucketService) {}

  private async require<T>(call: S3Call, name: string, code: S3ErrorCode): Promise<T> {
    const document = await this.buckets.getDocument(call.bucket, name);
    if (document === undefined) {
      throw new S3Error(code, undefined, { BucketName: call.bucket });
    }
    return JSON.parse(document) as T;
  }

  private async store(call: S3Call, name: string, rules: readonly object[]): Promise<S3Answer> {
    await this.buckets.setDocument(call.bucket, name, JSON.stringify(rules));
    return emptyAnswer(200);
  }

  private async remove(call: S3Call, name: string): Promise<S3Answer> {
    await this.buckets.setDocument(call.bucket, name, null);
    return emptyAnswer(204);
  }
}
