import { Injectable } from '@nestjs/common';
import { abortOf, type DueDate, expirationOf, type FilteredObject } from '../lifecycle/lifecycle-evaluator';
import { LIFECYCLE_DOCUMENT, type LifecycleRule, parseLifecycleRules } from '../lifecycle/lifecycle-rules';
import { BucketDocumentCache } from '../object-storage/bucket-document-cache.service';

/** What answers tell of the lifecycle rules of their bucket. Dates are of whole days, however long tests make a day. */
@Injectable()
export class LifecycleHeaders {
  constructor(private readonly documents: BucketDocumentCache) {}

  /** `x-amz-expiration` of a current version, when a rule applies to it. */
  async ofObject(
    bucket: string,
    object: FilteredObject & { readonly lastModified: Date },
  ): Promise<Readonly<Record<string, string>>> {
    const due = await this.dueBy(bucket, (rules) => expirationOf(object, rules));
    return due === undefined
      ? {}
      : { 'x-amz-expiration': `expiry-date="${due.at.toUTCString()}", rule-id="${encodeURIComponent(due.ruleId)}"` };
  }

  /** `x-amz-abort-date` and `x-amz-abort-rule-id` of an upload in progress, when a rule applies to it. */
  async ofUpload(
    bucket: string,
    upload: { readonly key: string; readonly initiatedAt: Date },
  ): Promise<Readonly<Record<string, string>>> {
    const due = await this.dueBy(bucket, (rules) => abortOf(upload, rules));
    return due === undefined
      ? {}
      : { 'x-amz-abort-date': due.at.toUTCString(), 'x-amz-abort-rule-id': encodeURIComponent(due.ruleId) };
  }

  private async dueBy(
    bucket: string,
    due: (rules: readonly LifecycleRule[]) => DueDate | undefined,
  ): Promise<DueDate | undefined> {
    const rules = await this.documents.get(bucket, LIFECYCLE_DOCUMENT, parseLifecycleRules);
    return rules === undefined ? undefined : due(rules);
  }
}
