import { Injectable } from '@nestjs/common';
import { MultipartService } from '../../object-storage/multipart.service';
import type { CompleteMultipartCommand } from '../../object-storage/object-storage.types';
import { keptHeaders } from '../access-conditions';
import { AclRequests } from '../acl-requests';
import { encryptionAnswerHeaders, writeHeaders } from '../answer-headers';
import {
  CHECKSUM_ALGORITHMS,
  checksumElement,
  checksumHeaders,
  isDigest,
  multipartChecksum,
  objectChecksum,
  requestedType,
} from '../headers/checksum-headers';
import { unquoted, writeConditions } from '../headers/condition-headers';
import { headerOf } from '../headers/header-values';
import { lockOf } from '../headers/lock-headers';
import { metadataOf, refuseUnsupportedWriteHeaders, tagsOf } from '../headers/object-headers';
import {
  carriesManagedEncryption,
  customerKeyOf,
  refuseCopySourceKey,
  requestedEncryption,
} from '../headers/sse-headers';
import { LifecycleHeaders } from '../lifecycle-headers';
import { S3Authorizer } from '../s3-authorizer';
import { emptyAnswer, xmlAnswer, type S3Answer, type S3Call, type S3Handlers } from '../s3-call';
import { invalidArgument, S3Error } from '../s3-error';
import { S3Events, writeEvent } from '../s3-events';
import { slowAnswer } from '../slow-answer';
import { partOf, uploadIdOf } from '../upload-part';
import { parseXml, type XmlElement } from '../xml';
import { checksumXml, etagXml } from '../xml-objects';
import { textElement, xmlDocument } from '../xml-writer';

const MAX_DOCUMENT_BYTES = 4 * 1024 * 1024;
const MAX_PART_NUMBER = 10_000;

/** Objects uploaded in parts. */
@Injectable()
export class MultipartOperations {
  readonly handlers: S3Handlers = {
    CreateMultipartUpload: (call) => this.create(call),
    UploadPart: (call) => this.uploadPart(call),
    CompleteMultipartUpload: (call) => this.complete(call),
    AbortMultipartUpload: (call) => this.abort(call),
  };

  constructor(
    private readonly uploads: MultipartService,
    private readonly authorizer: S3Authorizer,
    private readonly lifecycle: LifecycleHeaders,
    private readonly acls: AclRequests,
    private readonly events: S3Events,
  ) {}

  private async create(call: S3Call): Promise<S3Answer> {
    if (call.principal.kind === 'anonymous') {
      throw new S3Error('AccessDenied', 'Anonymous users cannot initiate multipart uploads.  Please authenticate.');
    }
    const { headers } = call;
    refuseUnsupportedWriteHeaders(headers);
    refuseCopySourceKey(headers);
    const encryption = requestedEncryption(headers);
    const checksum = multipartChecksum(headers);
    const metadata = metadataOf(headers);
    const tags = tagsOf(headers);
    const lock = lockOf(headers);
    const acl = await this.acls.ofHeaders(call);
    const upload = await this.uploads.create({
      bucket: call.bucket,
      key: call.key,
      metadata,
      lock,
      encryption,
      checksum,
      tags,
      owner: call.principal.ownerId,
      acl,
      requestHeaders: keptHeaders(headers),
      authorizeKey: this.authorizer.keyGuard(call),
    });
    const customerKey = encryption?.mode === 'sse-c' ? encryption.customerKey : undefined;
    return xmlAnswer(
      xmlDocument(
        'InitiateMultipartUploadResult',
        textElement('Bucket', call.bucket) + textElement('Key', call.key) + textElement('UploadId', upload.uploadId),
      ),
      {
        ...encryptionAnswerHeaders(upload.encryption, this.authorizer, customerKey),
        'x-amz-checksum-algorithm': checksum?.algorithm,
        'x-amz-checksum-type': checksum?.type,
        ...(await this.lifecycle.ofUpload(call.bucket, upload)),
      },
    );
  }

  private async uploadPart(call: S3Call): Promise<S3Answer> {
    const { headers } = call;
    refuseCopySourceKey(headers);
    if (carriesManagedEncryption(headers)) {
      throw invalidArgument(
        'x-amz-server-side-encryption header is not supported for this operation.',
        'x-amz-server-side-encryption',
      );
    }
    const part = partOf(call);
    const customerKey = customerKeyOf(headers);
    const body = call.body.open();
    try {
      const result = await this.uploads.uploadPart({ bucket: call.bucket, key: call.key, ...part, body, customerKey });
      return emptyAnswer(200, {
        ETag: `"${result.etag}"`,
        ...checksumHeaders(result.checksum),
        ...encryptionAnswerHeaders(result.encryption, this.authorizer, customerKey),
      });
    } finally {
      body.stream.destroy();
    }
  }

  private async complete(call: S3Call): Promise<S3Answer> {
    const { headers } = call;
    const command: Omit<CompleteMultipartCommand, 'parts'> = {
      bucket: call.bucket,
      key: call.key,
      uploadId: uploadIdOf(call),
      checksum: objectChecksum(headers),
      checksumType: requestedType(headers),
      objectSize: objectSize(call),
      conditions: writeConditions(headers),
      customerKey: customerKeyOf(headers),
    };
    // The checksum headers here are the object's, not the document's.
    const parts = completedParts(await call.body.read(MAX_DOCUMENT_BYTES, false));
    const work = this.uploads
      .complete({ ...command, parts })
      .then(async (result) => {
        await this.events.publish(call, writeEvent('CompleteMultipartUpload', result));
        return result;
      })
      .then(async (result) =>
        xmlAnswer(
          xmlDocument(
            'CompleteMultipartUploadResult',
            textElement('Location', locationOf(call)) +
              textElement('Bucket', call.bucket) +
              textElement('Key', call.key) +
              etagXml(result.etag) +
              checksumXml(result.checksum),
          ),
          {
            ...writeHeaders({ ...result, checksum: undefined }, this.authorizer, command.customerKey),
            ...(await this.lifecycle.ofObject(call.bucket, { key: call.key, ...result })),
          },
        ),
      );
    return slowAnswer(work, call.requestId, call.request.rawPath);
  }

  private async abort(call: S3Call): Promise<S3Answer> {
    await this.uploads.abort(call.bucket, call.key, uploadIdOf(call));
    return emptyAnswer(204);
  }
}

/** No document at all stands for no parts, which is refused once the upload is known to exist. */
function completedParts(body: Buffer): CompleteMultipartCommand['parts'] {
  const parts = body.length === 0 ? [] : parseXml(body, 'CompleteMultipartUpload').all('Part').map(completedPart);
  if (parts.length > MAX_PART_NUMBER) {
    throw new S3Error('MalformedXML');
  }
  return parts;
}

function completedPart(part: XmlElement): CompleteMultipartCommand['parts'][number] {
  const number = part.required('PartNumber').trim();
  const partNumber = /^\d{1,5}$/.test(number) ? Number(number) : 0;
  if (partNumber < 1 || partNumber > MAX_PART_NUMBER) {
    const bound = partNumber < 1 ? '>= 1' : `<= ${MAX_PART_NUMBER}`;
    throw invalidArgument(`PartNumber must be ${bound}`, 'PartNumber', number);
  }
  const etag = unquoted(part.required('ETag'));
  const [checksum, ...others] = CHECKSUM_ALGORITHMS.flatMap((algorithm) => {
    const value = part.textOf(checksumElement(algorithm));
    return value === undefined ? [] : [{ algorithm, value }];
  });
  if (others.length > 0 || (checksum !== undefined && !isDigest(checksum.algorithm, checksum.value))) {
    throw invalidArgument('Invalid Base64 or multiple checksums present in request', 'Checksum');
  }
  return { partNumber, etag, checksum };
}

function objectSize(call: S3Call): number | undefined {
  const value = headerOf(call.headers, 'x-amz-mp-object-size');
  if (value === undefined) {
    return undefined;
  }
  if (!/^\d{1,15}$/.test(value)) {
    const fault = /^-\d+$/.test(value) ? `less than zero: '${value}'` : 'invalid.';
    throw new S3Error('InvalidRequest', `Value for x-amz-mp-object-size header is ${fault}`);
  }
  return Number(value);
}

function locationOf(call: S3Call): string {
  const scheme = 'encrypted' in call.http.socket ? 'https' : 'http';
  return `${scheme}://${call.headers.host ?? ''}${call.request.rawPath}`;
}
