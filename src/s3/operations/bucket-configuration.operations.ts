import { Injectable } from '@nestjs/common';
import { OBJECT_OWNERSHIPS } from '../../settings/settings';
import { BucketService } from '../../object-storage/bucket.service';
import { PUBLIC_ACCESS_DOCUMENT, PUBLIC_ACCESS_SETTINGS, publicAccessBlock } from '../bucket-documents';
import { emptyAnswer, xmlAnswer, type S3Answer, type S3Call, type S3Handler, type S3Handlers } from '../s3-call';
import { S3Error } from '../s3-error';
import type { S3ErrorCode } from '../s3-error-codes';
import { parseXml } from '../xml';
import { element, textElement, xmlDocument } from '../xml-writer';

const MAX_DOCUMENT_BYTES = 64 * 1024;

/** Small configurations of buckets, and the plain answers of those that cannot be set here. */
@Injectable()
export class BucketConfigurationOperations {
  readonly handlers: S3Handlers = {
    GetBucketOwnershipControls: (call) => this.getOwnership(call),
    PutBucketOwnershipControls: (call) => this.putOwnership(call),
    DeleteBucketOwnershipControls: (call) => this.deleteOwnership(call),
    GetPublicAccessBlock: (call) => this.getPublicAccess(call),
    PutPublicAccessBlock: (call) => this.putPublicAccess(call),
    DeletePublicAccessBlock: (call) => this.deletePublicAccess(call),
    GetBucketAccelerateConfiguration: this.empty('AccelerateConfiguration'),
    GetBucketReplication: this.absent('ReplicationConfigurationNotFoundError'),
    GetBucketWebsite: this.absent('NoSuchWebsiteConfiguration'),
  };

  constructor(private readonly buckets: BucketService) {}

  private async getOwnership(call: S3Call): Promise<S3Answer> {
    const { ownership } = await this.buckets.get(call.bucket);
    if (ownership === undefined) {
      throw new S3Error('OwnershipControlsNotFoundError', undefined, { BucketName: call.bucket });
    }
    const rule = element('Rule', textElement('ObjectOwnership', ownership));
    return xmlAnswer(xmlDocument('OwnershipControls', rule));
  }

  private async putOwnership(call: S3Call): Promise<S3Answer> {
    const rules = parseXml(await call.body.read(MAX_DOCUMENT_BYTES), 'OwnershipControls').all('Rule');
    const asked = rules[0]?.required('ObjectOwnership').trim();
    const ownership = OBJECT_OWNERSHIPS.find((known) => known === asked);
    if (rules.length !== 1 || ownership === undefined) {
      throw new S3Error('MalformedXML');
    }
    await this.buckets.setOwnership(call.bucket, ownership);
    return emptyAnswer(200);
  }

  private async deleteOwnership(call: S3Call): Promise<S3Answer> {
    await this.buckets.setOwnership(call.bucket, null);
    return emptyAnswer(204);
  }

  private async getPublicAccess(call: S3Call): Promise<S3Answer> {
    const document = await this.buckets.getDocument(call.bucket, PUBLIC_ACCESS_DOCUMENT);
    if (document === undefined) {
      throw new S3Error('NoSuchPublicAccessBlockConfiguration', undefined, { BucketName: call.bucket });
    }
    const block = publicAccessBlock(document);
    const settings = PUBLIC_ACCESS_SETTINGS.map((name) => textElement(name, block[name]));
    return xmlAnswer(xmlDocument('PublicAccessBlockConfiguration', settings.join('')));
  }

  private async putPublicAccess(call: S3Call): Promise<S3Answer> {
    const configuration = parseXml(await call.body.read(MAX_DOCUMENT_BYTES), 'PublicAccessBlockConfiguration');
    const block = PUBLIC_ACCESS_SETTINGS.map((name) => {
      const text = (configuration.textOf(name) ?? 'false').toLowerCase();
      if (text !== 'true' && text !== 'false') {
        throw new S3Error('MalformedXML');
      }
      return [name, text === 'true'] as const;
    });
    await this.buckets.setDocument(call.bucket, PUBLIC_ACCESS_DOCUMENT, JSON.stringify(Object.fromEntries(block)));
    return emptyAnswer(200);
  }

  private async deletePublicAccess(call: S3Call): Promise<S3Answer> {
    await this.buckets.setDocument(call.bucket, PUBLIC_ACCESS_DOCUMENT, null);
    return emptyAnswer(204);
  }

  private empty(root: string): S3Handler {
    return async (call) => {
      await this.buckets.get(call.bucket);
      return xmlAnswer(xmlDocument(root, ''));
    };
  }

  private absent(code: S3ErrorCode): S3Handler {
    return async (call) => {
      await this.buckets.get(call.bucket);
      throw new S3Error(code, undefined, { BucketName: call.bucket });
    };
  }
}
