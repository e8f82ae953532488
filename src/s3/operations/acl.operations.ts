import { Injectable } from '@nestjs/common';
import { BucketService } from '../../object-storage/bucket.service';
import { ObjectService } from '../../object-storage/object.service';
import { assertOwnerAcl } from '../headers/object-headers';
import { emptyAnswer, xmlAnswer, type S3Answer, type S3Call, type S3Handlers } from '../s3-call';
import { S3Error } from '../s3-error';
import { parseXml } from '../xml';
import { ownerXml } from '../xml-objects';
import { element, textElement, xmlDocument } from '../xml-writer';

const MAX_DOCUMENT_BYTES = 64 * 1024;
const GRANTEE = 'Grantee xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xsi:type="CanonicalUser"';

/**
 * Access lists as AWS has them for buckets with enforced ownership: the owner has full control, and only lists that say
 * just that are accepted. Everything else is the business of policies.
 */
@Injectable()
export class AclOperations {
  readonly handlers: S3Handlers = {
    GetBucketAcl: async (call) => aclAnswer((await this.buckets.get(call.bucket)).owner),
    PutBucketAcl: (call) => this.put(call, async () => (await this.buckets.get(call.bucket)).owner),
    GetObjectAcl: async (call) => aclAnswer(await this.objectOwner(call)),
    PutObjectAcl: (call) => this.put(call, () => this.objectOwner(call)),
  };

  constructor(
    private readonly buckets: BucketService,
    private readonly objects: ObjectService,
  ) {}

  private async put(call: S3Call, ownerOf: () => Promise<string>): Promise<S3Answer> {
    assertOwnerAcl(call.headers);
    const body = await call.body.readOptional(MAX_DOCUMENT_BYTES);
    const owner = await ownerOf();
    if (body.length > 0) {
      assertOwnerOnly(body, owner);
    } else if (call.headers['x-amz-acl'] === undefined) {
      throw new S3Error('MissingRequestBodyError');
    }
    return emptyAnswer(200);
  }

  private async objectOwner(call: S3Call): Promise<string> {
    // The version's tags are read because that needs no key of the client, which a HEAD of an SSE-C object would.
    await this.objects.getTags(call.bucket, { key: call.key, versionId: call.versionId });
    return (await this.buckets.get(call.bucket)).owner;
  }
}

function assertOwnerOnly(body: Buffer, owner: string): void {
  const grants = parseXml(body, 'AccessControlPolicy').child('AccessControlList')?.all('Grant');
  if (grants === undefined) {
    throw new S3Error('MalformedACLError');
  }
  const ownersOnly = grants.every(
    (grant) => grant.child('Grantee')?.textOf('ID') === owner && grant.textOf('Permission') === 'FULL_CONTROL',
  );
  if (!ownersOnly) {
    throw new S3Error('AccessControlListNotSupported', 'Access lists are not supported; use a bucket policy.');
  }
}

function aclAnswer(owner: string): S3Answer {
  const grantee = `<${GRANTEE}>${textElement('ID', owner)}${textElement('DisplayName', owner)}</Grantee>`;
  const grant = element('Grant', grantee + textElement('Permission', 'FULL_CONTROL'));
  return xmlAnswer(xmlDocument('AccessControlPolicy', ownerXml('Owner', owner) + element('AccessControlList', grant)));
}
