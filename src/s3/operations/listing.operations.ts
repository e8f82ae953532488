import { Injectable } from '@nestjs/common';
import { ListingService } from '../../object-storage/listing.service';
import type { ListedObject, ListedVersion } from '../../object-storage/object-storage.types';
import { commonPrefixesXml, entryLimit, listParameters, type ListParameters } from '../list-parameters';
import { xmlAnswer, type S3Answer, type S3Call, type S3Handlers } from '../s3-call';
import { invalidArgument } from '../s3-error';
import { etagXml, ownerXml } from '../xml-objects';
import { element, textElement, xmlDocument, timeElement } from '../xml-writer';

/** Objects and versions listed. */
@Injectable()
export class ListingOperations {
  readonly handlers: S3Handlers = {
    ListObjects: (call) => this.list(call),
    ListObjectsV2: (call) => this.listV2(call),
    ListObjectVersions: (call) => this.listVersions(call),
  };

  constructor(private readonly listing: ListingService) {}

  private async list(call: S3Call): Promise<S3Answer> {
    const parameters = listParameters(call);
    const { prefix, delimiter, name, encodingType } = parameters;
    const marker = call.query.get('marker') ?? '';
    const maxKeys = entryLimit(call, 'max-keys');
    const page = await this.listing.list({
      bucket: call.bucket,
      prefix,
      delimiter,
      maxKeys,
      after: marker === '' ? undefined : marker,
    });
    return xmlAnswer(
      xmlDocument(
        'ListBucketResult',
        textElement('Name', call.bucket) +
          name('Prefix', prefix) +
          name('Marker', marker) +
          // Without a delimiter a client goes on from the last key it has.
          (page.truncated && delimiter !== undefined ? name('NextMarker', page.nextMarker) : '') +
          textElement('MaxKeys', maxKeys) +
          name('Delimiter', delimiter) +
          textElement('EncodingType', encodingType) +
          textElement('IsTruncated', page.truncated) +
          page.objects.map((object) => element('Contents', objectXml(object, parameters, true))).join('') +
          commonPrefixesXml(page.commonPrefixes, parameters),
      ),
    );
  }

  private async listV2(call: S3Call): Promise<S3Answer> {
    if (call.query.get('list-type') !== '2') {
      throw invalidArgument('Invalid List Type specified in Request', 'list-type', call.query.get('list-type'));
    }
    const parameters = listParameters(call);
    const { prefix, delimiter, name, encodingType } = parameters;
    const token = call.query.get('continuation-token');
    if (token === '') {
      throw invalidArgument('The continuation token provided is incorrect', 'continuation-token', token);
    }
    const startAfter = call.query.get('start-after');
    const maxKeys = entryLimit(call, 'max-keys');
    const page = await this.listing.list({
      bucket: call.bucket,
      prefix,
      delimiter,
      maxKeys,
      after: token === undefined ? startAfter || undefined : undefined,
      continuationToken: token,
    });
    const withOwner = call.query.get('fetch-owner') === 'true';
    return xmlAnswer(
      xmlDocument(
        'ListBucketResult',
        textElement('Name', call.bucket) +
          name('Prefix', prefix) +
          name('StartAfter', startAfter) +
          textElement('ContinuationToken', token) +
          textElement('NextContinuationToken', page.nextContinuationToken) +
          textElement('KeyCount', page.objects.length + page.commonPrefixes.length) +
          textElement('MaxKeys', maxKeys) +
          name('Delimiter', delimiter) +
          textElement('EncodingType', encodingType) +
          textElement('IsTruncated', page.truncated) +
          page.objects.map((object) => element('Contents', objectXml(object, parameters, withOwner))).join('') +
          commonPrefixesXml(page.commonPrefixes, parameters),
      ),
    );
  }

  private async listVersions(call: S3Call): Promise<S3Answer> {
    const parameters = listParameters(call);
    const { prefix, delimiter, name, encodingType } = parameters;
    const keyMarker = call.query.get('key-marker') || undefined;
    const versionIdMarker = call.query.get('version-id-marker') || undefined;
    if (versionIdMarker !== undefined && keyMarker === undefined) {
      throw invalidArgument(
        'A version-id marker cannot be specified without a key marker.',
        'version-id-marker',
        versionIdMarker,
      );
    }
    const maxKeys = entryLimit(call, 'max-keys');
    const page = await this.listing.listVersions({
      bucket: call.bucket,
      prefix,
      delimiter,
      maxKeys,
      keyMarker,
      versionIdMarker,
    });
    return xmlAnswer(
      xmlDocument(
        'ListVersionsResult',
        textElement('Name', call.bucket) +
          name('Prefix', prefix) +
          name('KeyMarker', keyMarker ?? '') +
          textElement('VersionIdMarker', versionIdMarker ?? '') +
          name('NextKeyMarker', page.nextKeyMarker) +
          textElement('NextVersionIdMarker', page.nextVersionIdMarker) +
          textElement('MaxKeys', maxKeys) +
          name('Delimiter', delimiter) +
          textElement('EncodingType', encodingType) +
          textElement('IsTruncated', page.truncated) +
          page.versions.map((version) => versionXml(version, parameters)).join('') +
          commonPrefixesXml(page.commonPrefixes, parameters),
      ),
    );
  }
}

function objectXml(object: ListedObject, { name }: ListParameters, withOwner: boolean): string {
  return (
    name('Key', object.key) +
    timeElement('LastModified', object.lastModified) +
    etagXml(object.etag) +
    textElement('ChecksumAlgorithm', object.checksumAlgorithm) +
    textElement('ChecksumType', object.checksumType) +
    textElement('Size', object.size) +
    (withOwner ? ownerXml('Owner', object.owner) : '') +
    textElement('StorageClass', object.storageClass)
  );
}

function versionXml(version: ListedVersion, parameters: ListParameters): string {
  const identity = textElement('VersionId', version.versionId) + textElement('IsLatest', version.isLatest);
  if (!version.deleteMarker) {
    return element('Version', identity + objectXml(version, parameters, true));
  }
  return element(
    'DeleteMarker',
    parameters.name('Key', version.key) +
      identity +
      timeElement('LastModified', version.lastModified) +
      ownerXml('Owner', version.owner),
  );
}
