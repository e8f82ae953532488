import { Injectable } from '@nestjs/common';
import { BucketService } from '../../object-storage/bucket.service';
import { ObjectLockService } from '../../object-storage/object-lock.service';
import { aclsEnabled, expandAcl, ownerOnly } from '../../object-storage/access-control';
import type { AccessControlList } from '../../object-storage/access-control.types';
import { OBJECT_OWNERSHIPS, Settings, type ObjectOwnership } from '../../settings/settings';
import { AclRequests } from '../acl-requests';
import { headerOf } from '../headers/header-values';
import { TAGGING_DOCUMENT } from '../bucket-documents';
import { checkedTags, MAX_BUCKET_TAGS, RESERVED_AT_CREATION } from '../headers/tag-rules';
import { emptyAnswer, xmlAnswer, type S3Answer, type S3Call, type S3Handlers } from '../s3-call';
import { invalidArgument, S3Error } from '../s3-error';
import { parseXml, type XmlElement } from '../xml';
import { ownerXml } from '../xml-objects';
import { element, textElement, xmlDocument, timeElement } from '../xml-writer';

const MAX_DOCUMENT_BYTES = 64 * 1024;
const MAX_LISTED = 10_000;
/** The region whose location constraint is written as nothing. */
const FIRST_REGION = 'us-east-1';
/** What a name of a region looks like; EU is the old name of the first one in Europe. */
const REGION = /^([a-z]{2}(-[a-z]+)+-\d|EU)$/;

/** Buckets themselves: list, create, look, delete, location, versioning. */
@Injectable()
export class BucketOperations {
  readonly handlers: S3Handlers = {
    ListBuckets: (call) => this.list(call),
    CreateBucket: (call) => this.create(call),
    HeadBucket: (call) => this.head(call),
    DeleteBucket: (call) => this.delete(call),
    GetBucketLocation: (call) => this.location(call),
    GetBucketVersioning: (call) => this.versioning(call),
    PutBucketVersioning: (call) => this.setVersioning(call),
  };

  constructor(
    private readonly buckets: BucketService,
    private readonly locks: ObjectLockService,
    private readonly settings: Settings,
    private readonly acls: AclRequests,
  ) {}

  private async list(call: S3Call): Promise<S3Answer> {
    const prefix = call.query.get('prefix');
    const token = call.query.get('continuation-token');
    const region = call.query.get('bucket-region');
    if (region !== undefined && !REGION.test(region)) {
      throw invalidArgument(`Argument value ${region} is not a valid AWS Region`, 'bucket-region');
    }
    if (region !== undefined && region !== this.settings.region) {
      return listed(call, '', prefix, undefined);
    }
    const { buckets, truncated } = await this.buckets.list({
      prefix,
      after: token ? bucketOfToken(token) : undefined,
      limit: maxBuckets(call.query.get('max-buckets')),
    });
    const entries = buckets.map((bucket) =>
      element(
        'Bucket',
        textElement('Name', bucket.name) +
          timeElement('CreationDate', bucket.createdAt) +
          textElement('BucketRegion', this.settings.region) +
          textElement('BucketArn', bucketArn(bucket.name)),
      ),
    );
    const last = buckets.at(-1);
    const next = truncated && last !== undefined ? Buffer.from(last.name, 'utf8').toString('base64url') : undefined;
    return listed(call, entries.join(''), prefix, next);
  }

  private async create(call: S3Call): Promise<S3Answer> {
    const owner = call.principal.ownerId;
    const request = await this.acls.ofHeaders(call);
    const acl = request && expandAcl(request, owner, owner);
    const asked = requestedOwnership(call);
    const ownership = asked ?? this.settings.defaultObjectOwnership;
    const withLock = String(call.headers['x-amz-bucket-object-lock-enabled']).toLowerCase() === 'true';
    const body = await call.body.readOptional(MAX_DOCUMENT_BYTES);
    const configuration = body.length > 0 ? parseXml(body, 'CreateBucketConfiguration') : undefined;
    this.assertLocation(configuration?.textOf('LocationConstraint'));
    const tags = tagsOf(configuration);
    const { created } = await this.buckets.create(call.bucket, owner, {
      ownership,
      ownershipChosen: asked !== undefined,
      acl,
    });
    if (!created) {
      await this.recreate(call, acl ?? ownerOnly(owner), tags);
    }
    if (created && withLock) {
      await this.buckets.setVersioning(call.bucket, 'enabled');
      await this.locks.setOfBucket(call.bucket, {});
    }
    if (created && Object.keys(tags).length > 0) {
      await this.buckets.setDocument(call.bucket, TAGGING_DOCUMENT, JSON.stringify(tags));
    }
    return emptyAnswer(200, { Location: `/${call.bucket}`, 'x-amz-bucket-arn': bucketArn(call.bucket) });
  }

  private assertLocation(constraint: string | undefined): void {
    if (constraint === undefined || constraint === '' || constraint === this.settings.region) {
      return;
    }
    if (!REGION.test(constraint)) {
      throw new S3Error('InvalidLocationConstraint', undefined, { LocationConstraint: constraint });
    }
    throw new S3Error(
      'IllegalLocationConstraintException',
      `The ${constraint} location constraint is incompatible for the region specific endpoint this request was sent to.`,
    );
  }

  /** In the first region of AWS, creating one's own bucket again sets its access list anew; elsewhere, and with tags, it is refused. */
  private async recreate(call: S3Call, acl: AccessControlList, tags: Readonly<Record<string, string>>): Promise<void> {
    if (this.settings.region !== FIRST_REGION || Object.keys(tags).length > 0) {
      throw new S3Error('BucketAlreadyOwnedByYou', undefined, { BucketName: call.bucket });
    }
    if (aclsEnabled(await this.buckets.get(call.bucket))) {
      await this.buckets.setAcl(call.bucket, acl);
    }
  }

  private async head(call: S3Call): Promise<S3Answer> {
    await this.buckets.get(call.bucket);
    return emptyAnswer(200, {
      'x-amz-bucket-region': this.settings.region,
      'x-amz-bucket-arn': bucketArn(call.bucket),
      'x-amz-access-point-alias': 'false',
      'Content-Type': 'application/xml',
    });
  }

  private async delete(call: S3Call): Promise<S3Answer> {
    await this.buckets.delete(call.bucket);
    return emptyAnswer(204);
  }

  private async location(call: S3Call): Promise<S3Answer> {
    await this.buckets.get(call.bucket);
    const { region } = this.settings;
    return xmlAnswer(xmlDocument('LocationConstraint', region === FIRST_REGION ? '' : region));
  }

  private async versioning(call: S3Call): Promise<S3Answer> {
    const { versioning } = await this.buckets.get(call.bucket);
    const status = { unversioned: undefined, enabled: 'Enabled', suspended: 'Suspended' }[versioning];
    return xmlAnswer(xmlDocument('VersioningConfiguration', textElement('Status', status)));
  }

  private async setVersioning(call: S3Call): Promise<S3Answer> {
    const configuration = parseXml(await call.body.read(MAX_DOCUMENT_BYTES), 'VersioningConfiguration');
    const status = configuration.textOf('Status');
    if (status === undefined) {
      throw new S3Error('IllegalVersioningConfigurationException');
    }
    if (status !== 'Enabled' && status !== 'Suspended') {
      throw new S3Error('MalformedXML');
    }
    if (configuration.textOf('MfaDelete') === 'Enabled') {
      throw new S3Error('NotImplemented', 'MFA delete is not implemented.');
    }
    await this.buckets.setVersioning(call.bucket, status === 'Enabled' ? 'enabled' : 'suspended');
    return emptyAnswer(200);
  }
}

function bucketArn(bucket: string): string {
  return `arn:aws:s3:::${bucket}`;
}

function listed(call: S3Call, entries: string, prefix: string | undefined, token: string | undefined): S3Answer {
  return xmlAnswer(
    xmlDocument(
      'ListAllMyBucketsResult',
      ownerXml('Owner', call.principal.ownerId) +
        element('Buckets', entries) +
        textElement('Prefix', prefix) +
        textElement('ContinuationToken', token),
    ),
  );
}

function tagsOf(configuration: XmlElement | undefined): Readonly<Record<string, string>> {
  const tags = configuration?.child('Tags')?.all('Tag') ?? [];
  return checkedTags(
    tags.map((tag) => [tag.required('Key'), tag.required('Value')] as const),
    MAX_BUCKET_TAGS,
    RESERVED_AT_CREATION,
  );
}

function requestedOwnership(call: S3Call): ObjectOwnership | undefined {
  const value = headerOf(call.headers, 'x-amz-object-ownership');
  const ownership = OBJECT_OWNERSHIPS.find((known) => known === value);
  if (value !== undefined && ownership === undefined) {
    throw invalidArgument(`Invalid x-amz-object-ownership header: ${value}`, 'x-amz-object-ownership');
  }
  return ownership;
}

function maxBuckets(value: string | undefined): number | undefined {
  if (value === undefined) {
    return undefined;
  }
  const number = /^\d{1,9}$/.test(value) ? Number(value) : 0;
  if (number < 1 || number > MAX_LISTED) {
    throw invalidArgument(`Argument max-buckets must be an integer between 1 and ${MAX_LISTED}`, 'max-buckets', value);
  }
  return number;
}

function bucketOfToken(token: string): string {
  const name = Buffer.from(token, 'base64url').toString('utf8');
  if (!/^[a-z0-9.-]{1,63}$/.test(name)) {
    throw invalidArgument('The continuation token provided is incorrect', 'continuation-token', token);
  }
  return name;
}
