import { Injectable } from '@nestjs/common';
import { DomainError } from '../../common/domain-error';
import { ObjectService } from '../../object-storage/object.service';
import type { GetObjectCommand, OpenedObject } from '../../object-storage/object-storage.types';
import { encryptionAnswerHeaders, versionHeader } from '../answer-headers';
import { checksumHeader, checksumHeaders } from '../headers/checksum-headers';
import { partNumberOf, readConditions, requestedRange } from '../headers/condition-headers';
import { describingHeaders } from '../headers/object-headers';
import { readingCustomerKeyOf, refuseManagedEncryptionOnRead } from '../headers/sse-headers';
import { responseOverrides } from '../headers/response-overrides';
import { attributesXml, requestedAttributes } from '../object-attributes';
import { LifecycleHeaders } from '../lifecycle-headers';
import { S3Authorizer } from '../s3-authorizer';
import { xmlAnswer, type S3Answer, type S3Call, type S3Handlers } from '../s3-call';
import { S3Error } from '../s3-error';
import { S3Events } from '../s3-events';

type Described = Omit<OpenedObject, 'body'>;

/** Objects read: content, headers, attributes. */
@Injectable()
export class ObjectReadOperations {
  readonly handlers: S3Handlers = {
    GetObject: (call) => this.get(call),
    HeadObject: (call) => this.head(call),
    GetObjectAttributes: (call) => this.attributes(call),
  };

  constructor(
    private readonly objects: ObjectService,
    private readonly authorizer: S3Authorizer,
    private readonly lifecycle: LifecycleHeaders,
    private readonly events: S3Events,
  ) {}

  private async get(call: S3Call): Promise<S3Answer> {
    const command = this.commandOf(call);
    const overrides = responseOverrides(call);
    const opened = await this.masked(call, this.objects.open(command));
    try {
      return { ...(await this.answerTo(call, command, overrides, opened)), body: opened.body };
    } catch (error) {
      if (!Buffer.isBuffer(opened.body)) {
        opened.body.destroy();
      }
      throw error;
    }
  }

  private async head(call: S3Call): Promise<S3Answer> {
    const command = this.commandOf(call);
    const overrides = responseOverrides(call);
    const described = await this.masked(call, this.objects.head(command));
    return this.answerTo(call, command, overrides, described);
  }

  /** Everything of the answer but the body. */
  private async answerTo(
    call: S3Call,
    command: GetObjectCommand,
    overrides: Record<string, string> | undefined,
    described: Described,
  ): Promise<S3Answer> {
    const { etag, size, versionId } = described.info;
    const kind = call.route.operation === 'GetObject' ? 'Get' : 'Head';
    await this.events.publish(call, { name: `s3:ObjectAccessed:${kind}`, etag, size, versionId });
    return {
      status: described.range === undefined ? 200 : 206,
      headers: { ...(await this.headersOf(call, command, described)), ...overrides },
      length: described.length,
    };
  }

  private async attributes(call: S3Call): Promise<S3Answer> {
    const attributes = requestedAttributes(call.headers);
    const { info } = await this.masked(
      call,
      this.objects.head({
        bucket: call.bucket,
        key: call.key,
        versionId: call.versionId,
        conditions: readConditions(call.headers, ''),
        customerKey: readingCustomerKeyOf(call.headers),
      }),
    );
    return xmlAnswer(attributesXml(info, attributes), {
      'Last-Modified': info.lastModified.toUTCString(),
      ...versionHeader(info),
    });
  }

  private commandOf(call: S3Call): GetObjectCommand {
    const { headers } = call;
    refuseManagedEncryptionOnRead(headers);
    return {
      bucket: call.bucket,
      key: call.key,
      versionId: call.versionId,
      range: requestedRange(headers),
      partNumber: partNumberOf(call.query),
      conditions: readConditions(headers, ''),
      customerKey: readingCustomerKeyOf(headers),
      authorizeKey: this.authorizer.keyGuard(call),
    };
  }

  /** Only who may list the bucket learns that a key does not exist. */
  private async masked<T>(call: S3Call, work: Promise<T>): Promise<T> {
    try {
      return await work;
    } catch (error) {
      const missing = error instanceof DomainError && error.kind === 'NoSuchKey';
      if (missing && !(await this.authorizer.allowsListing(call, call.bucket, call.key))) {
        throw new S3Error('AccessDenied');
      }
      throw error;
    }
  }

  private async headersOf(
    call: S3Call,
    command: GetObjectCommand,
    described: Described,
  ): Promise<Record<string, string>> {
    const { info, range } = described;
    const headers = describingHeaders(info);
    if (range !== undefined) {
      headers['Content-Range'] = `bytes ${range.first}-${range.last}/${info.size}`;
    }
    if (command.partNumber !== undefined && info.parts !== undefined) {
      headers['x-amz-mp-parts-count'] = String(info.parts.length);
    }
    Object.assign(headers, versionHeader(info));
    // As AWS does, only where no version was asked for by its id, be it the current one.
    if (info.isLatest && call.versionId === undefined) {
      Object.assign(headers, await this.lifecycle.ofObject(call.bucket, info));
    }
    if (info.encryption.mode !== 'none') {
      Object.assign(headers, encryptionAnswerHeaders(info.encryption, this.authorizer, command.customerKey));
    }
    if (info.checksum !== undefined && String(call.headers['x-amz-checksum-mode']).toUpperCase() === 'ENABLED') {
      Object.assign(headers, checksumOf(described, command));
    }
    return headers;
  }
}

/** A range has no checksum, unless it is the whole object, or a part whose checksum that of the object is made of. */
function checksumOf({ info, length }: Described, command: GetObjectCommand): Record<string, string> {
  const { checksum, parts } = info;
  if (checksum === undefined) {
    return {};
  }
  if (command.partNumber !== undefined && parts !== undefined && checksum.type === 'COMPOSITE') {
    const part = parts[command.partNumber - 1]?.checksum;
    return part === undefined
      ? {}
      : { [checksumHeader(checksum.algorithm)]: part, 'x-amz-checksum-type': checksum.type };
  }
  return length === info.size ? checksumHeaders(checksum) : {};
}
