import { Injectable } from '@nestjs/common';
import { ObjectService } from '../../object-storage/object.service';
import { AclRequests } from '../acl-requests';
import { writeHeaders } from '../answer-headers';
import { writeConditions } from '../headers/condition-headers';
import { lockOf } from '../headers/lock-headers';
import { metadataOf, refuseUnsupportedWriteHeaders, tagsOf } from '../headers/object-headers';
import { refuseCopySourceKey, requestedEncryption } from '../headers/sse-headers';
import { LifecycleHeaders } from '../lifecycle-headers';
import { S3Authorizer } from '../s3-authorizer';
import { emptyAnswer, type S3Answer, type S3Call, type S3Handlers } from '../s3-call';
import { S3Events, writeEvent } from '../s3-events';

/** Objects written in one piece. */
@Injectable()
export class ObjectWriteOperations {
  readonly handlers: S3Handlers = { PutObject: (call) => this.put(call) };

  constructor(
    private readonly objects: ObjectService,
    private readonly authorizer: S3Authorizer,
    private readonly lifecycle: LifecycleHeaders,
    private readonly acls: AclRequests,
    private readonly events: S3Events,
  ) {}

  private async put(call: S3Call): Promise<S3Answer> {
    const { headers } = call;
    refuseUnsupportedWriteHeaders(headers);
    refuseCopySourceKey(headers);
    const encryption = requestedEncryption(headers);
    const metadata = metadataOf(headers);
    const tags = tagsOf(headers);
    const lock = lockOf(headers);
    const conditions = writeConditions(headers);
    const acl = await this.acls.ofHeaders(call);
    const body = call.body.open();
    try {
      const result = await this.objects.put({
        bucket: call.bucket,
        key: call.key,
        body,
        metadata,
        lock,
        encryption,
        conditions,
        tags,
        owner: call.principal.ownerId,
        acl,
        authorizeKey: this.authorizer.keyGuard(call),
      });
      await this.events.publish(call, writeEvent('Put', result));
      const customerKey = encryption?.mode === 'sse-c' ? encryption.customerKey : undefined;
      return emptyAnswer(200, {
        ETag: `"${result.etag}"`,
        ...writeHeaders(result, this.authorizer, customerKey),
        ...(await this.lifecycle.ofObject(call.bucket, { key: call.key, tags, ...result })),
      });
    } finally {
      body.stream.destroy();
    }
  }
}
