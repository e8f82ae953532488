import type { IncomingHttpHeaders } from 'node:http';
import type { ObjectInfo } from '../object-storage/object-storage.types';
import { checksumElement } from './headers/checksum-headers';
import { headerOf } from './headers/header-values';
import { invalidArgument, S3Error } from './s3-error';
import { checksumXml } from './xml-objects';
import { element, textElement, xmlDocument } from './xml-writer';

const KNOWN = ['ETag', 'Checksum', 'ObjectParts', 'StorageClass', 'ObjectSize'] as const;
const MAX_PARTS = 1000;

/** Which attributes GetObjectAttributes is asked for, and which page of the parts. */
export interface AttributeSelection {
  readonly names: ReadonlySet<string>;
  readonly maxParts: number;
  readonly partNumberMarker: number;
}

/** Reads the headers of GetObjectAttributes. @throws S3Error InvalidArgument, InvalidRequest */
export function requestedAttributes(headers: IncomingHttpHeaders): AttributeSelection {
  const value = headerOf(headers, 'x-amz-object-attributes') ?? '';
  if (value.trim() === '') {
    throw new S3Error(
      'InvalidRequest',
      'The x-amz-object-attributes header specifying the attributes to be retrieved is either missing or empty',
    );
  }
  const names = value.split(',').map((name) => name.trim());
  if (names.some((name) => !(KNOWN as readonly string[]).includes(name))) {
    throw invalidArgument('Invalid attribute name specified.', 'x-amz-object-attributes', value);
  }
  return {
    names: new Set(names),
    maxParts: Math.min(numberOf(headers, 'x-amz-max-parts', MAX_PARTS), MAX_PARTS),
    partNumberMarker: numberOf(headers, 'x-amz-part-number-marker', 0),
  };
}

/** The answer of GetObjectAttributes. */
export function attributesXml(info: ObjectInfo, selection: AttributeSelection): string {
  const { names } = selection;
  return xmlDocument(
    'GetObjectAttributesResponse',
    (names.has('ETag') ? textElement('ETag', info.etag) : '') +
      (names.has('Checksum') && info.checksum !== undefined ? wholeChecksumXml(info.checksum) : '') +
      (names.has('ObjectParts') && info.parts !== undefined ? partsXml(info, info.parts, selection) : '') +
      (names.has('StorageClass') ? textElement('StorageClass', info.metadata.storageClass ?? 'STANDARD') : '') +
      (names.has('ObjectSize') ? textElement('ObjectSize', info.size) : ''),
  );
}

/** Without the number of parts at its end, which this operation leaves out and all others show. */
function wholeChecksumXml(checksum: NonNullable<ObjectInfo['checksum']>): string {
  return element('Checksum', checksumXml({ ...checksum, value: checksum.value.replace(/-\d+$/, '') }));
}

function partsXml(info: ObjectInfo, parts: NonNullable<ObjectInfo['parts']>, selection: AttributeSelection): string {
  const rest = parts.filter((part) => part.number > selection.partNumberMarker);
  const page = rest.slice(0, selection.maxParts);
  const algorithm = info.checksum?.algorithm;
  const entries = page.map((part) =>
    element(
      'Part',
      textElement('PartNumber', part.number) +
        textElement('Size', part.size) +
        (algorithm === undefined ? '' : textElement(checksumElement(algorithm), part.checksum)),
    ),
  );
  return element(
    'ObjectParts',
    textElement('PartsCount', parts.length) +
      textElement('PartNumberMarker', selection.partNumberMarker) +
      textElement('NextPartNumberMarker', page.at(-1)?.number ?? 0) +
      textElement('MaxParts', selection.maxParts) +
      textElement('IsTruncated', rest.length > page.length) +
      entries.join(''),
  );
}

function numberOf(headers: IncomingHttpHeaders, name: string, fallback: number): number {
  const value = headerOf(headers, name);
  if (value === undefined) {
    return fallback;
  }
  if (!/^\d{1,9}$/.test(value)) {
    throw invalidArgument(`The ${name} header is not a number.`, name, value);
  }
  return Number(value);
}
