import type { IncomingHttpHeaders } from 'node:http';
import { Injectable } from '@nestjs/common';
import { DomainError } from '../common/domain-error';
import { BucketService } from '../object-storage/bucket.service';
import { CORS_DOCUMENT } from './bucket-documents';
import { CORS_METHODS, corsHeaders, HEADER_NAME, type CorsRule } from './documents/cors-rules';
import { headerOf, textHeaderOf } from './headers/header-values';
import { emptyAnswer, type S3Answer } from './s3-call';
import { S3Error } from './s3-error';

/** Cross-origin rules of buckets, applied to what browsers send. */
@Injectable()
export class S3Cors {
  constructor(private readonly buckets: BucketService) {}

  /**
   * Answers a preflight request, which is never authenticated.
   * @throws S3Error BadRequest, AccessForbidden
   */
  async preflight(bucket: string, key: string, headers: IncomingHttpHeaders): Promise<S3Answer> {
    const origin = headerOf(headers, 'origin');
    const method = headerOf(headers, 'access-control-request-method') || undefined;
    if (origin === undefined || origin === '') {
      throw new S3Error('BadRequest', 'Insufficient information. Origin request header needed.');
    }
    if (method !== undefined) {
      assertMethod(method);
    }
    const asked = requestedHeaders(headers);
    asked.forEach(assertHeaderName);
    const rules = await this.#rulesOf(bucket);
    if (rules === undefined || rules === 'no-bucket') {
      const message = rules === undefined ? undefined : 'CORSResponse: Bucket not found';
      throw new S3Error('AccessForbidden', message, { Method: method ?? 'OPTIONS', ResourceType: 'BUCKET' });
    }
    assertMethod(method);
    const answer = corsHeaders(rules, { origin, method, headers: namesOf(asked) });
    if (answer === undefined) {
      throw new S3Error(
        'AccessForbidden',
        "CORSResponse: This CORS request is not allowed. This is usually because the evalution of Origin, request method / Access-Control-Request-Method or Access-Control-Request-Headers are not whitelisted by the resource's CORS spec.",
        { Method: method, ResourceType: key === '' ? 'BUCKET' : 'OBJECT' },
      );
    }
    return emptyAnswer(200, answer);
  }

  /** Headers for the answer to a cross-origin request; none when it is not one, or not allowed. */
  async headersFor(bucket: string, method: string, headers: IncomingHttpHeaders): Promise<Record<string, string>> {
    const origin = headerOf(headers, 'origin');
    if (origin === undefined || bucket === '') {
      return {};
    }
    const asked = headerOf(headers, 'access-control-request-method') ?? method;
    const rules = await this.#rulesOf(bucket);
    return rules === undefined || rules === 'no-bucket'
      ? {}
      : (corsHeaders(rules, { origin, method: asked, headers: namesOf(requestedHeaders(headers)) }) ?? {});
  }

  async #rulesOf(bucket: string): Promise<readonly CorsRule[] | 'no-bucket' | undefined> {
    try {
      const document = await this.buckets.getDocument(bucket, CORS_DOCUMENT);
      return document === undefined ? undefined : (JSON.parse(document) as CorsRule[]);
    } catch (error) {
      if (error instanceof DomainError && error.kind === 'NoSuchBucket') {
        return 'no-bucket';
      }
      throw error;
    }
  }
}

function assertMethod(method: string | undefined): asserts method is string {
  if (method === undefined || !CORS_METHODS.has(method)) {
    throw new S3Error('BadRequest', `Invalid Access-Control-Request-Method: ${method ?? 'null'}`);
  }
}

function assertHeaderName(asked: string): void {
  if (!HEADER_NAME.test(asked.trim())) {
    throw new S3Error('BadRequest', `Access-Control-Request-Headers "${asked}" contains invalid character.`);
  }
}

/** As they stand between the commas. */
function requestedHeaders(headers: IncomingHttpHeaders): string[] {
  return (textHeaderOf(headers, 'access-control-request-headers') ?? '').split(',');
}

function namesOf(asked: readonly string[]): string[] {
  return asked.map((name) => name.trim().toLowerCase()).filter((name) => name !== '');
}
