import { Injectable } from '@nestjs/common';
import { BucketService } from '../../object-storage/bucket.service';
import { LOGGING_DOCUMENT, REQUEST_PAYMENT_DOCUMENT } from '../bucket-documents';
import { emptyAnswer, xmlAnswer, type S3Answer, type S3Call, type S3Handlers } from '../s3-call';
import { S3Error } from '../s3-error';
import { parseXml, type XmlElement } from '../xml';
import { element, textElement, xmlDocument } from '../xml-writer';

const MAX_DOCUMENT_BYTES = 64 * 1024;

interface LoggingTarget {
  readonly bucket: string;
  readonly prefix: string;
  /** What the keys of logs are partitioned by; undefined when they are not. */
  readonly partitionedBy?: string;
}

const PARTITION_DATE_SOURCES: ReadonlySet<string> = new Set(['EventTime', 'DeliveryTime']);

/**
 * Configurations that tools set as a matter of course: logging and who pays are kept and shown though no logs are delivered
 * and nobody pays, and of the others only what says that the feature is off is taken.
 */
@Injectable()
export class AcceptedDocumentOperations {
  readonly handlers: S3Handlers = {
    GetBucketLogging: (call) => this.getLogging(call),
    PutBucketLogging: (call) => this.putLogging(call),
    GetBucketRequestPayment: (call) => this.getPayer(call),
    PutBucketRequestPayment: (call) => this.putPayer(call),
    PutBucketAccelerateConfiguration: (call) =>
      this.acceptOff(call, 'AccelerateConfiguration', (document) => document.required('Status') === 'Suspended'),
  };

  constructor(private readonly buckets: BucketService) {}

  private async getLogging(call: S3Call): Promise<S3Answer> {
    const document = await this.buckets.getDocument(call.bucket, LOGGING_DOCUMENT);
    if (document === undefined) {
      return xmlAnswer(xmlDocument('BucketLoggingStatus', ''));
    }
    const { bucket, prefix, partitionedBy } = JSON.parse(document) as LoggingTarget;
    const format =
      partitionedBy === undefined
        ? element('SimplePrefix', '')
        : element('PartitionedPrefix', textElement('PartitionDateSource', partitionedBy));
    const target =
      textElement('TargetBucket', bucket) +
      textElement('TargetPrefix', prefix) +
      element('TargetObjectKeyFormat', format);
    return xmlAnswer(xmlDocument('BucketLoggingStatus', element('LoggingEnabled', target)));
  }

  private async putLogging(call: S3Call): Promise<S3Answer> {
    const enabled = (await this.read(call, 'BucketLoggingStatus')).child('LoggingEnabled');
    if (enabled === undefined) {
      await this.buckets.setDocument(call.bucket, LOGGING_DOCUMENT, null);
      return emptyAnswer(200);
    }
    const target: LoggingTarget = {
      bucket: enabled.required('TargetBucket'),
      prefix: enabled.required('TargetPrefix'),
      partitionedBy: partitionDateSource(enabled),
    };
    try {
      await this.buckets.get(target.bucket);
    } catch {
      throw new S3Error('InvalidTargetBucketForLogging', undefined, { TargetBucket: target.bucket });
    }
    await this.buckets.setDocument(call.bucket, LOGGING_DOCUMENT, JSON.stringify(target));
    return emptyAnswer(200);
  }

  private async getPayer(call: S3Call): Promise<S3Answer> {
    const payer = (await this.buckets.getDocument(call.bucket, REQUEST_PAYMENT_DOCUMENT)) ?? 'BucketOwner';
    return xmlAnswer(xmlDocument('RequestPaymentConfiguration', textElement('Payer', payer)));
  }

  private async putPayer(call: S3Call): Promise<S3Answer> {
    const payer = (await this.read(call, 'RequestPaymentConfiguration')).required('Payer');
    if (payer !== 'BucketOwner' && payer !== 'Requester') {
      throw new S3Error('MalformedXML');
    }
    await this.buckets.setDocument(call.bucket, REQUEST_PAYMENT_DOCUMENT, payer);
    return emptyAnswer(200);
  }

  private async acceptOff(call: S3Call, root: string, isOff: (document: XmlElement) => boolean): Promise<S3Answer> {
    const off = isOff(await this.read(call, root));
    await this.buckets.get(call.bucket);
    if (!off) {
      throw new S3Error('NotImplemented');
    }
    return emptyAnswer(200);
  }

  private async read(call: S3Call, root: string): Promise<XmlElement> {
    return parseXml(await call.body.read(MAX_DOCUMENT_BYTES), root);
  }
}

/** Of the two formats of keys that S3 knows, one or none must be named. @throws S3Error MalformedXML */
function partitionDateSource(enabled: XmlElement): string | undefined {
  const format = enabled.child('TargetObjectKeyFormat');
  const partitioned = format?.child('PartitionedPrefix');
  const simple = format?.child('SimplePrefix');
  const source = partitioned?.textOf('PartitionDateSource');
  if (
    (format !== undefined && (partitioned === undefined) === (simple === undefined)) ||
    (source !== undefined && !PARTITION_DATE_SOURCES.has(source))
  ) {
    throw new S3Error('MalformedXML');
  }
  return partitioned === undefined ? undefined : (source ?? 'EventTime');
}
