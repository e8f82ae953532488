import { Injectable } from '@nestjs/common';
import type { EncryptionRequest } from '../../crypto/encryption.types';
import { MultipartService } from '../../object-storage/multipart.service';
import type { CopyObjectCommand, CopyResult } from '../../object-storage/object-storage.types';
import { ObjectService } from '../../object-storage/object.service';
import { AclRequests } from '../acl-requests';
import { encryptionAnswerHeaders, writeHeaders } from '../answer-headers';
import { requestedAlgorithm } from '../headers/checksum-headers';
import { copySourceRange, readConditions, writeConditions } from '../headers/condition-headers';
import { copySourceOf, type CopySource } from '../headers/copy-source';
import { lockOf } from '../headers/lock-headers';
import { metadataOf, placementOf, refuseUnsupportedWriteHeaders, tagsOf } from '../headers/object-headers';
import {
  carriesManagedEncryption,
  copySourceCustomerKeyOf,
  customerKeyOf,
  requestedEncryption,
} from '../headers/sse-headers';
import { LifecycleHeaders } from '../lifecycle-headers';
import { S3Authorizer } from '../s3-authorizer';
import { xmlAnswer, type S3Answer, type S3Call, type S3Handlers } from '../s3-call';
import { invalidArgument, S3Error } from '../s3-error';
import { S3Events, writeEvent } from '../s3-events';
import { slowAnswer } from '../slow-answer';
import { partOf } from '../upload-part';
import { checksumXml, etagXml } from '../xml-objects';
import { xmlDocument, timeElement } from '../xml-writer';

const CONDITION_PREFIX = 'x-amz-copy-source-';
const MAX_PART_BYTES = 5 * 1024 ** 3;

/** Objects and parts made from other objects. */
@Injectable()
export class CopyOperations {
  readonly handlers: S3Handlers = {
    CopyObject: (call) => this.copy(call),
    UploadPartCopy: (call) => this.copyPart(call),
  };

  constructor(
    private readonly objects: ObjectService,
    private readonly uploads: MultipartService,
    private readonly authorizer: S3Authorizer,
    private readonly acls: AclRequests,
    private readonly events: S3Events,
    private readonly lifecycle: LifecycleHeaders,
  ) {}

  private async copy(call: S3Call): Promise<S3Answer> {
    const { headers } = call;
    refuseUnsupportedWriteHeaders(headers);
    const source = copySourceOf(headers);
    const encryption = requestedEncryption(headers);
    const replacesMetadata = directive(call, 'x-amz-metadata-directive') === 'REPLACE';
    const replacesTags = directive(call, 'x-amz-tagging-directive') === 'REPLACE';
    const command: CopyObjectCommand = {
      source,
      sourceConditions: readConditions(headers, CONDITION_PREFIX),
      sourceCustomerKey: copySourceCustomerKeyOf(headers),
      bucket: call.bucket,
      key: call.key,
      metadata: replacesMetadata ? metadataOf(headers) : undefined,
      placement: placementOf(headers),
      tags: replacesTags ? (tagsOf(headers) ?? {}) : undefined,
      lock: lockOf(headers),
      encryption,
      checksumAlgorithm: requestedAlgorithm(headers),
      conditions: writeConditions(headers),
      owner: call.principal.ownerId,
      acl: await this.acls.ofHeaders(call),
      authorizeKey: this.authorizer.keyGuard(call),
    };
    await this.authorizeSource(call, source);
    const work = this.objects.copy(command).then(async (result) => {
      await this.events.publish(call, writeEvent('Copy', result));
      return this.copied(call, result, encryption);
    });
    return slowAnswer(work, call.requestId, call.request.rawPath);
  }

  private async authorizeSource(call: S3Call, source: CopySource): Promise<void> {
    const expectedOwner = call.headers['x-amz-source-expected-bucket-owner'];
    if (expectedOwner !== undefined) {
      await this.authorizer.requireOwner(call, source.bucket, expectedOwner);
    }
    await this.authorizer.require(call, 's3:GetObject', source.bucket, source.key, source.versionId);
  }

  private async copyPart(call: S3Call): Promise<S3Answer> {
    const { headers } = call;
    if (carriesManagedEncryption(headers)) {
      throw new S3Error(
        'NotImplemented',
        'A part is encrypted as its upload says; it cannot ask for encryption itself.',
      );
    }
    const source = copySourceOf(headers);
    const customerKey = customerKeyOf(headers);
    const sourceCustomerKey = copySourceCustomerKeyOf(headers);
    const range = copySourceRange(headers);
    if (range !== undefined && range.last - range.first >= MAX_PART_BYTES) {
      throw new S3Error(
        'InvalidRequest',
        'The specified copy source is larger than the maximum allowable size for a copy source: 5368709120',
      );
    }
    await this.authorizeSource(call, source);
    const work = this.uploads.uploadPartCopy({
      source,
      sourceConditions: readConditions(headers, CONDITION_PREFIX),
      sourceCustomerKey,
      range,
      bucket: call.bucket,
      key: call.key,
      ...partOf(call),
      customerKey,
      authorizeKey: this.authorizer.keyGuard(call),
    });
    const answer = work.then((result) =>
      xmlAnswer(
        xmlDocument(
          'CopyPartResult',
          timeElement('LastModified', result.lastModified) + etagXml(result.etag) + checksumXml(result.checksum),
        ),
        {
          ...encryptionAnswerHeaders(result.encryption, this.authorizer, customerKey),
          'x-amz-copy-source-version-id': result.sourceVersionId,
        },
      ),
    );
    return slowAnswer(answer, call.requestId, call.request.rawPath);
  }

  private async copied(call: S3Call, result: CopyResult, encryption: EncryptionRequest | undefined): Promise<S3Answer> {
    const customerKey = encryption?.mode === 'sse-c' ? encryption.customerKey : undefined;
    return xmlAnswer(
      xmlDocument(
        'CopyObjectResult',
        timeElement('LastModified', result.lastModified) + etagXml(result.etag) + checksumXml(result.checksum),
      ),
      {
        ...writeHeaders(result, this.authorizer, customerKey),
        // Unlike other writes, a copy names the null version where versioning is suspended.
        'x-amz-version-id': result.versionId,
        'x-amz-copy-source-version-id': result.sourceVersionId,
        ...(await this.lifecycle.ofObject(call.bucket, { key: call.key, ...result })),
      },
    );
  }
}

function directive(call: S3Call, name: string): 'COPY' | 'REPLACE' {
  const value = call.headers[name];
  if (value === undefined || value === 'COPY') {
    return 'COPY';
  }
  if (value !== 'REPLACE') {
    throw invalidArgument(`Unknown ${name.split('-')[2]} directive.`, name, String(value));
  }
  return 'REPLACE';
}
