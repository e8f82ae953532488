import { Injectable } from '@nestjs/common';
import { BucketService } from '../../object-storage/bucket.service';
import {
  LIFECYCLE_DOCUMENT,
  type LifecycleConfiguration,
  parseLifecycle,
  TRANSITION_MINIMUM_SIZES,
} from '../../lifecycle/lifecycle-rules';
import { CORS_DOCUMENT } from '../bucket-documents';
import { headerOf } from '../headers/header-values';
import { corsXml, readCorsRules, type CorsRule } from '../documents/cors-rules';
import { lifecycleXml, readLifecycle } from '../documents/lifecycle-document';
import { emptyAnswer, xmlAnswer, type S3Answer, type S3Call, type S3Handlers } from '../s3-call';
import { S3Error } from '../s3-error';
import type { S3ErrorCode } from '../s3-error-codes';
import { parseXml } from '../xml';

const MAX_CORS_BYTES = 64 * 1024;
const MAX_LIFECYCLE_BYTES = 1024 * 1024;
const MINIMUM_SIZE_HEADER = 'x-amz-transition-default-minimum-object-size';

/** Rules that a bucket keeps as a document: CORS and lifecycle. */
@Injectable()
export class RuleDocumentOperations {
  readonly handlers: S3Handlers = {
    GetBucketCors: async (call) => {
      const document = await this.require(call, CORS_DOCUMENT, 'NoSuchCORSConfiguration');
      return xmlAnswer(corsXml(JSON.parse(document) as CorsRule[]));
    },
    PutBucketCors: async (call) => {
      const rules = readCorsRules(parseXml(await call.body.read(MAX_CORS_BYTES), 'CORSConfiguration'));
      await this.store(call, CORS_DOCUMENT, rules);
      return emptyAnswer(200);
    },
    DeleteBucketCors: (call) => this.remove(call, CORS_DOCUMENT),
    GetBucketLifecycleConfiguration: async (call) => {
      const document = await this.require(call, LIFECYCLE_DOCUMENT, 'NoSuchLifecycleConfiguration');
      const { rules, transitionMinimumSize } = parseLifecycle(document);
      return xmlAnswer(lifecycleXml(rules), { [MINIMUM_SIZE_HEADER]: transitionMinimumSize });
    },
    PutBucketLifecycleConfiguration: async (call) => {
      const transitionMinimumSize = minimumSizeOf(call);
      const rules = readLifecycle(parseXml(await call.body.read(MAX_LIFECYCLE_BYTES), 'LifecycleConfiguration'));
      await this.store(call, LIFECYCLE_DOCUMENT, { rules, transitionMinimumSize } satisfies LifecycleConfiguration);
      return emptyAnswer(200, { [MINIMUM_SIZE_HEADER]: transitionMinimumSize });
    },
    DeleteBucketLifecycle: (call) => this.remove(call, LIFECYCLE_DOCUMENT),
  };

  constructor(private readonly buckets: BucketService) {}

  private async require(call: S3Call, name: string, code: S3ErrorCode): Promise<string> {
    const document = await this.buckets.getDocument(call.bucket, name);
    if (document === undefined) {
      throw new S3Error(code, undefined, { BucketName: call.bucket });
    }
    return document;
  }

  private async store(call: S3Call, name: string, document: object): Promise<void> {
    await this.buckets.setDocument(call.bucket, name, JSON.stringify(document));
  }

  private async remove(call: S3Call, name: string): Promise<S3Answer> {
    await this.buckets.setDocument(call.bucket, name, null);
    return emptyAnswer(204);
  }
}

function minimumSizeOf(call: S3Call): LifecycleConfiguration['transitionMinimumSize'] {
  const wanted = headerOf(call.headers, MINIMUM_SIZE_HEADER);
  const known =
    wanted === undefined ? TRANSITION_MINIMUM_SIZES[0] : TRANSITION_MINIMUM_SIZES.find((size) => size === wanted);
  if (known === undefined) {
    throw new S3Error('InvalidRequest', `Invalid TransitionDefaultMinimumObjectSize found: ${wanted}`);
  }
  return known;
}
