import type { IncomingHttpHeaders } from 'node:http';
import { restoredUntil } from '../../object-storage/archive';
import type { ObjectInfo, ObjectMetadata } from '../../object-storage/object-storage.types';
import { invalidArgument, S3Error } from '../s3-error';
import { fromEncodedWords, toEncodedWords } from './encoded-words';
import { headerText, textHeaderOf, toHeaderValue } from './header-values';
import { lockHeaders } from './lock-headers';
import { parseTaggingHeader } from './tag-rules';

const META_PREFIX = 'x-amz-meta-';
const MAX_METADATA_BYTES = 2048;
/** What a header may be named (RFC 9110, section 5.6.2). */
const TOKEN = /^[!#$%&'*+\-.^_`|~0-9a-z]+$/;
const DEFAULT_CONTENT_TYPE = 'binary/octet-stream';
const STORAGE_CLASSES = new Set([
  'STANDARD',
  'REDUCED_REDUNDANCY',
  'STANDARD_IA',
  'ONEZONE_IA',
  'INTELLIGENT_TIERING',
  'GLACIER_IR',
  'GLACIER',
  'DEEP_ARCHIVE',
]);

/**
 * Standard headers and user metadata of a write. `aws-chunked` is a coding of the transfer and not stored.
 *
 * @param source of a header, encoded words (RFC 2047) are read; a form means its text as it stands
 * @throws S3Error MetadataTooLarge, InvalidStorageClass, InvalidRedirectLocation, InvalidArgument
 */
export function metadataOf(headers: IncomingHttpHeaders, source: 'header' | 'form' = 'header'): ObjectMetadata {
  return {
    contentType: textHeaderOf(headers, 'content-type'),
    contentEncoding: storedContentEncoding(textHeaderOf(headers, 'content-encoding')),
    contentLanguage: textHeaderOf(headers, 'content-language'),
    contentDisposition: textHeaderOf(headers, 'content-disposition'),
    cacheControl: textHeaderOf(headers, 'cache-control'),
    expires: textHeaderOf(headers, 'expires'),
    ...placementOf(headers),
    user: userMetadataOf(headers, source),
  };
}

/**
 * What a write says of the place of an object, which a copy does not take from its source.
 * @throws S3Error InvalidStorageClass, InvalidRedirectLocation
 */
export function placementOf(
  headers: IncomingHttpHeaders,
): Pick<ObjectMetadata, 'storageClass' | 'websiteRedirectLocation'> {
  return { websiteRedirectLocation: redirectLocationOf(headers), storageClass: storageClassOf(headers) };
}

/** Tags of x-amz-tagging. @throws S3Error InvalidArgument, InvalidTag */
export function tagsOf(headers: IncomingHttpHeaders): Readonly<Record<string, string>> | undefined {
  const value = headers['x-amz-tagging'];
  return typeof value === 'string' ? parseTaggingHeader(value) : undefined;
}

/** Refuses what a write asks for and the store cannot give: appending. @throws S3Error NotImplemented */
export function refuseUnsupportedWriteHeaders(headers: IncomingHttpHeaders): void {
  if (headers['x-amz-write-offset-bytes'] !== undefined) {
    throw new S3Error('NotImplemented');
  }
}

/** Headers that describe an object, without those of its length, range, checksum and encryption. */
export function describingHeaders(info: ObjectInfo): Record<string, string> {
  const { metadata } = info;
  const headers: Record<string, string> = {
    ETag: `"${info.etag}"`,
    'Last-Modified': info.lastModified.toUTCString(),
    'Accept-Ranges': 'bytes',
    'Content-Type':
      (metadata.contentType === undefined ? undefined : toHeaderValue(metadata.contentType)) || DEFAULT_CONTENT_TYPE,
  };
  put(headers, 'Content-Encoding', metadata.contentEncoding);
  put(headers, 'Content-Language', metadata.contentLanguage);
  put(headers, 'Content-Disposition', metadata.contentDisposition);
  put(headers, 'Cache-Control', metadata.cacheControl);
  put(headers, 'Expires', metadata.expires);
  put(headers, 'x-amz-website-redirect-location', metadata.websiteRedirectLocation);
  if (metadata.storageClass !== undefined && metadata.storageClass !== 'STANDARD') {
    headers['x-amz-storage-class'] = metadata.storageClass;
  }
  const until = metadata.restoredUntil === undefined ? undefined : restoredUntil(info, new Date());
  if (until !== undefined) {
    headers['x-amz-restore'] = `ongoing-request="false", expiry-date="${until.toUTCString()}"`;
  }
  for (const name in metadata.user) {
    headers[META_PREFIX + name] = toEncodedWords(metadata.user[name] as string);
  }
  Object.assign(headers, lockHeaders(metadata.lock));
  const tags = info.tags === undefined ? 0 : Object.keys(info.tags).length;
  if (tags > 0) {
    headers['x-amz-tagging-count'] = String(tags);
  }
  return headers;
}

function put(headers: Record<string, string>, name: string, text: string | undefined): void {
  const value = text === undefined ? undefined : toHeaderValue(text);
  if (value !== undefined) {
    headers[name] = value;
  }
}

function userMetadataOf(headers: IncomingHttpHeaders, source: 'header' | 'form'): Readonly<Record<string, string>> {
  const user: Record<string, string> = {};
  let size = 0;
  for (const name in headers) {
    if (name.startsWith(META_PREFIX)) {
      const value = headers[name];
      const sent = headerText(Array.isArray(value) ? value.join(',') : (value ?? ''));
      const text = source === 'form' ? sent : fromEncodedWords(sent);
      const key = name.slice(META_PREFIX.length);
      if (!TOKEN.test(name)) {
        throw invalidArgument('Metadata names must be characters that a header name can have.', name);
      }
      // A NUL, which the database cannot hold, is kept in the form in which it is answered.
      user[key] = text.includes('\0') ? toEncodedWords(text) : text;
      size += key.length + Buffer.byteLength(text, 'utf8');
    }
  }
  if (size > MAX_METADATA_BYTES) {
    throw new S3Error('MetadataTooLarge', undefined, {
      Size: String(size),
      MaxSizeAllowed: String(MAX_METADATA_BYTES),
    });
  }
  return user;
}

function storedContentEncoding(value: string | undefined): string | undefined {
  if (value === undefined || !value.includes('aws-chunked')) {
    return value;
  }
  const codings = value
    .split(',')
    .map((coding) => coding.trim())
    .filter((coding) => coding !== '' && coding.toLowerCase() !== 'aws-chunked');
  return codings.length === 0 ? undefined : codings.join(',');
}

function redirectLocationOf(headers: IncomingHttpHeaders): string | undefined {
  const location = textHeaderOf(headers, 'x-amz-website-redirect-location');
  if (location !== undefined && !/^(\/|https?:\/\/)/.test(location)) {
    throw new S3Error('InvalidRedirectLocation');
  }
  return location;
}

function storageClassOf(headers: IncomingHttpHeaders): string | undefined {
  const storageClass = headers['x-amz-storage-class'];
  if (typeof storageClass !== 'string') {
    return undefined;
  }
  if (!STORAGE_CLASSES.has(storageClass)) {
    throw new S3Error('InvalidStorageClass', undefined, { StorageClassRequested: storageClass });
  }
  return storageClass;
}
