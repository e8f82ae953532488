import type { ChecksumType, StoredChecksum } from '../object-storage/object-storage.types';
import { checksumElement } from './headers/checksum-headers';
import { element, escapeXml, textElement } from './xml-writer';

/** An Owner, Initiator or Grantee element's content. Display names equal ids: names are nobody else's business. */
export function ownerXml(name: 'Owner' | 'Initiator', ownerId: string): string {
  return element(name, textElement('ID', ownerId) + textElement('DisplayName', ownerId));
}

/** The elements of a checksum: its value and, where known, its type. */
export function checksumXml(
  checksum: (Pick<StoredChecksum, 'algorithm' | 'value'> & { readonly type?: ChecksumType }) | undefined,
): string {
  return checksum === undefined
    ? ''
    : textElement(checksumElement(checksum.algorithm), checksum.value) + textElement('ChecksumType', checksum.type);
}

/** An entity tag element, quoted as S3 writes them. */
export function etagXml(etag: string): string {
  return `<ETag>&quot;${escapeXml(etag)}&quot;</ETag>`;
}
