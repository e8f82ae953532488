import { Injectable } from '@nestjs/common';
import type { BucketObjectLock } from '../../object-storage/object-storage.types';
import { ObjectLockService } from '../../object-storage/object-lock.service';
import { futureDate, isRetentionMode, wantsBypass } from '../headers/lock-headers';
import { S3Authorizer } from '../s3-authorizer';
import { emptyAnswer, xmlAnswer, type S3Answer, type S3Call, type S3Handlers } from '../s3-call';
import { S3Error } from '../s3-error';
import { parseXml, type XmlElement } from '../xml';
import { element, textElement, xmlDocument } from '../xml-writer';

const MAX_DOCUMENT_BYTES = 64 * 1024;
const MAX_DAYS = 36_500;
const MAX_YEARS = 100;

/** Object lock: the configuration of buckets, retention and legal hold of versions. */
@Injectable()
export class ObjectLockOperations {
  readonly handlers: S3Handlers = {
    GetObjectLockConfiguration: (call) => this.getConfiguration(call),
    PutObjectLockConfiguration: (call) => this.putConfiguration(call),
    GetObjectRetention: (call) => this.getRetention(call),
    PutObjectRetention: (call) => this.putRetention(call),
    GetObjectLegalHold: (call) => this.getLegalHold(call),
    PutObjectLegalHold: (call) => this.putLegalHold(call),
  };

  constructor(
    private readonly locks: ObjectLockService,
    private readonly authorizer: S3Authorizer,
  ) {}

  private async getConfiguration(call: S3Call): Promise<S3Answer> {
    const lock = await this.locks.ofBucket(call.bucket);
    if (lock === undefined) {
      throw new S3Error('ObjectLockConfigurationNotFoundError', undefined, { BucketName: call.bucket });
    }
    const { rule } = lock;
    const retention =
      rule === undefined
        ? ''
        : textElement('Mode', rule.mode) + textElement('Days', rule.days) + textElement('Years', rule.years);
    return xmlAnswer(
      xmlDocument(
        'ObjectLockConfiguration',
        textElement('ObjectLockEnabled', 'Enabled') +
          (rule === undefined ? '' : element('Rule', element('DefaultRetention', retention))),
      ),
    );
  }

  private async putConfiguration(call: S3Call): Promise<S3Answer> {
    const lock = readConfiguration(parseXml(await call.body.read(MAX_DOCUMENT_BYTES), 'ObjectLockConfiguration'));
    await this.locks.setOfBucket(call.bucket, lock);
    return emptyAnswer(200);
  }

  private async getRetention(call: S3Call): Promise<S3Answer> {
    const { lock } = await this.locks.ofObject(call.bucket, entryOf(call));
    if (lock.mode === undefined) {
      throw new S3Error('NoSuchObjectLockConfiguration');
    }
    const content = textElement('Mode', lock.mode) + textElement('RetainUntilDate', lock.until);
    return xmlAnswer(xmlDocument('Retention', content));
  }

  private async putRetention(call: S3Call): Promise<S3Answer> {
    const retention = await lockDocument(call, 'Retention');
    const mode = retention.textOf('Mode');
    const until = retention.textOf('RetainUntilDate');
    if ((mode === undefined) !== (until === undefined) || (mode !== undefined && !isRetentionMode(mode))) {
      throw new S3Error('MalformedXML');
    }
    const bypass =
      wantsBypass(call.headers) &&
      (await this.authorizer.allows(call, 's3:BypassGovernanceRetention', call.bucket, call.key));
    const change = mode === undefined ? {} : { mode, until: futureDate(until ?? '', 'RetainUntilDate') };
    await this.locks.setOfObject(call.bucket, entryOf(call), change, bypass);
    return emptyAnswer(200);
  }

  private async getLegalHold(call: S3Call): Promise<S3Answer> {
    const { lock } = await this.locks.ofObject(call.bucket, entryOf(call));
    if (lock.legalHold === undefined) {
      throw new S3Error('NoSuchObjectLockConfiguration');
    }
    return xmlAnswer(xmlDocument('LegalHold', textElement('Status', lock.legalHold ? 'ON' : 'OFF')));
  }

  private async putLegalHold(call: S3Call): Promise<S3Answer> {
    const status = (await lockDocument(call, 'LegalHold')).required('Status');
    if (status !== 'ON' && status !== 'OFF') {
      throw new S3Error('MalformedXML');
    }
    await this.locks.setOfObject(call.bucket, entryOf(call), { legalHold: status === 'ON' }, false);
    return emptyAnswer(200);
  }
}

/** The locks of objects are where AWS does not tell an empty document from a malformed one. */
async function lockDocument(call: S3Call, root: string): Promise<XmlElement> {
  const body = await call.body.read(MAX_DOCUMENT_BYTES);
  if (body.length === 0) {
    throw new S3Error('MalformedXML');
  }
  return parseXml(body, root);
}

function entryOf(call: S3Call): { key: string; versionId?: string } {
  return { key: call.key, versionId: call.versionId };
}

function readConfiguration(configuration: XmlElement): BucketObjectLock {
  if (configuration.textOf('ObjectLockEnabled') !== 'Enabled') {
    throw new S3Error('MalformedXML');
  }
  const rule = configuration.child('Rule');
  if (rule === undefined) {
    return {};
  }
  const retention = rule.child('DefaultRetention');
  const mode = retention?.textOf('Mode') ?? '';
  const days = retention?.textOf('Days');
  const years = retention?.textOf('Years');
  if (!isRetentionMode(mode) || (days === undefined) === (years === undefined)) {
    throw new S3Error('MalformedXML');
  }
  return {
    rule: {
      mode,
      ...(days === undefined ? { years: period(years, MAX_YEARS) } : { days: period(days, MAX_DAYS) }),
    },
  };
}

function period(text: string | undefined, most: number): number {
  const value = Number(text);
  if (!Number.isInteger(value)) {
    throw new S3Error('MalformedXML');
  }
  if (value < 1 || value > most) {
    throw new S3Error('InvalidRetentionPeriod', `Default retention period must be between 1 and ${most}`);
  }
  return value;
}
