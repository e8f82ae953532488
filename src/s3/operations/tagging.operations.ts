import { Injectable } from '@nestjs/common';
import { BucketService } from '../../object-storage/bucket.service';
import { ObjectService } from '../../object-storage/object.service';
import { TAGGING_DOCUMENT } from '../bucket-documents';
import {
  checkedTags,
  MAX_BUCKET_TAGS,
  MAX_OBJECT_TAGS,
  RESERVED_IN_BUCKETS,
  RESERVED_IN_OBJECTS,
} from '../headers/tag-rules';
import { versionHeader } from '../answer-headers';
import { emptyAnswer, xmlAnswer, type S3Answer, type S3Call, type S3Handlers } from '../s3-call';
import { S3Error } from '../s3-error';
import { S3Events } from '../s3-events';
import { parseXml } from '../xml';
import { element, textElement, xmlDocument } from '../xml-writer';

const MAX_DOCUMENT_BYTES = 256 * 1024;

type Tags = Readonly<Record<string, string>>;

/** Tags of buckets and objects. */
@Injectable()
export class TaggingOperations {
  readonly handlers: S3Handlers = {
    GetBucketTagging: (call) => this.getOfBucket(call),
    PutBucketTagging: (call) => this.putToBucket(call),
    DeleteBucketTagging: (call) => this.deleteOfBucket(call),
    GetObjectTagging: (call) => this.getOfObject(call),
    PutObjectTagging: (call) => this.putToObject(call),
    DeleteObjectTagging: (call) => this.deleteOfObject(call),
  };

  constructor(
    private readonly buckets: BucketService,
    private readonly objects: ObjectService,
    private readonly events: S3Events,
  ) {}

  private async getOfBucket(call: S3Call): Promise<S3Answer> {
    const document = await this.buckets.getDocument(call.bucket, TAGGING_DOCUMENT);
    if (document === undefined) {
      throw new S3Error('NoSuchTagSet', undefined, { BucketName: call.bucket });
    }
    return xmlAnswer(taggingXml(JSON.parse(document) as Tags));
  }

  private async putToBucket(call: S3Call): Promise<S3Answer> {
    const tags = await readTags(call, MAX_BUCKET_TAGS, RESERVED_IN_BUCKETS);
    const document = Object.keys(tags).length === 0 ? null : JSON.stringify(tags);
    await this.buckets.setDocument(call.bucket, TAGGING_DOCUMENT, document);
    // As the reference of S3 has it. S3 itself answers 204, which minio-js takes for a failure.
    return emptyAnswer(200);
  }

  private async deleteOfBucket(call: S3Call): Promise<S3Answer> {
    await this.buckets.setDocument(call.bucket, TAGGING_DOCUMENT, null);
    return emptyAnswer(204);
  }

  private async getOfObject(call: S3Call): Promise<S3Answer> {
    const tagged = await this.objects.getTags(call.bucket, { key: call.key, versionId: call.versionId });
    return xmlAnswer(taggingXml(tagged.tags), versionHeader(tagged));
  }

  private async putToObject(call: S3Call): Promise<S3Answer> {
    const tags = await readTags(call, MAX_OBJECT_TAGS, RESERVED_IN_OBJECTS);
    const entry = { key: call.key, versionId: call.versionId };
    const version = await this.objects.setTags(call.bucket, entry, tags);
    await this.events.publish(call, { name: 's3:ObjectTagging:Put', versionId: version.versionId });
    return emptyAnswer(200, versionHeader(version));
  }

  private async deleteOfObject(call: S3Call): Promise<S3Answer> {
    const entry = { key: call.key, versionId: call.versionId };
    const version = await this.objects.setTags(call.bucket, entry, {});
    await this.events.publish(call, { name: 's3:ObjectTagging:Delete', versionId: version.versionId });
    return emptyAnswer(204, versionHeader(version));
  }
}

/** A document without a set stands for an empty one. */
async function readTags(call: S3Call, limit: number, reserved: string): Promise<Tags> {
  const tagging = parseXml(await call.body.read(MAX_DOCUMENT_BYTES), 'Tagging');
  const tags = tagging.child('TagSet')?.all('Tag') ?? [];
  return checkedTags(
    tags.map((tag) => [tag.required('Key'), tag.required('Value')] as const),
    limit,
    reserved,
  );
}

function taggingXml(tags: Tags): string {
  const set = Object.keys(tags)
    .sort()
    .map((key) => element('Tag', textElement('Key', key) + textElement('Value', tags[key])));
  return xmlDocument('Tagging', element('TagSet', set.join('')));
}
