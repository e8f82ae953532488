import { Injectable } from '@nestjs/common';
import { ObjectStateService } from '../../object-storage/object-state.service';
import { S3Authorizer } from '../s3-authorizer';
import { emptyAnswer, type S3Answer, type S3Call, type S3Handlers } from '../s3-call';
import { S3Error } from '../s3-error';
import { parseXml, type XmlElement } from '../xml';

const MAX_DOCUMENT_BYTES = 64 * 1024;
const TIERS = ['Standard', 'Bulk', 'Expedited'];
const MAX_DAYS = 2_147_483_647;

/** Changes to stored objects that leave their bytes where they are. */
@Injectable()
export class ObjectStateOperations {
  readonly handlers: S3Handlers = {
    RestoreObject: (call) => this.restore(call),
    UpdateObjectEncryption: (call) => this.updateEncryption(call),
  };

  constructor(
    private readonly states: ObjectStateService,
    private readonly authorizer: S3Authorizer,
  ) {}

  private async restore(call: S3Call): Promise<S3Answer> {
    const days = daysOf(parseXml(await call.body.read(MAX_DOCUMENT_BYTES), 'RestoreRequest'));
    const entry = { key: call.key, versionId: call.versionId };
    const { wasRestored } = await this.states.restore(call.bucket, entry, days);
    return emptyAnswer(wasRestored ? 200 : 202);
  }

  private async updateEncryption(call: S3Call): Promise<S3Answer> {
    if (call.signature?.version !== 4) {
      throw new S3Error(
        'InvalidRequest',
        'Requests that modify an object encryption configuration require AWS Signature Version 4.',
      );
    }
    const update = updateOf(parseXml(await call.body.read(MAX_DOCUMENT_BYTES), 'ObjectEncryption'));
    await this.states.updateEncryption(
      call.bucket,
      { key: call.key, versionId: call.versionId },
      { ...update, authorizeKey: this.authorizer.keyGuard(call) },
    );
    return emptyAnswer(200);
  }
}

function daysOf(request: XmlElement): number {
  if (request.textOf('Type') !== undefined) {
    throw new S3Error('NotImplemented', 'Restoring by a query is not implemented.');
  }
  const tier = request.child('GlacierJobParameters')?.required('Tier') ?? request.textOf('Tier') ?? 'Standard';
  const days = Number(request.required('Days'));
  if (!TIERS.includes(tier) || !Number.isInteger(days) || days < 1 || days > MAX_DAYS) {
    throw new S3Error('MalformedXML');
  }
  return days;
}

function updateOf(request: XmlElement): { readonly keyId: string; readonly bucketKey: boolean } {
  const kms = request.child('SSE-KMS');
  if (kms === undefined) {
    throw new S3Error(
      'InvalidRequest',
      'Requests that modify an object encryption configuration require a valid new encryption type. Valid values are SSEKMS.',
    );
  }
  const keyId = kms.textOf('KMSKeyArn') ?? '';
  if (keyId === '') {
    throw new S3Error(
      'InvalidRequest',
      "Requests that modify an object's encryption type to SSE-KMS require a KMS key.",
    );
  }
  const bucketKey = kms.textOf('BucketKeyEnabled') ?? 'false';
  if (bucketKey !== 'true' && bucketKey !== 'false') {
    throw new S3Error('InvalidRequest', "The BucketKeyEnabled value isn't valid. Valid values are true or false.");
  }
  return { keyId, bucketKey: bucketKey === 'true' };
}
