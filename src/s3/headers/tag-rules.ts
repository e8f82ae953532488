import { percentDecode } from '../percent-decoding';
import { invalidArgument, S3Error } from '../s3-error';

/** How many tags a thing may have: AWS allows an object 10 and a bucket 50. */
export const MAX_OBJECT_TAGS = 10;
export const MAX_BUCKET_TAGS = 50;
/** What AWS says of tags that only it may set, by what they are on. */
export const RESERVED_IN_OBJECTS = 'Your TagKey cannot be prefixed with aws:';
export const RESERVED_IN_BUCKETS = 'System tags cannot be added/updated by requester';
export const RESERVED_AT_CREATION =
  'User-defined tag keys can\'t start with "aws:". This prefix is reserved for system tags. Remove "aws:" from your tag keys and try again.';
const RESERVED_PREFIX = 'aws:';
const MAX_KEY_LENGTH = 128;
const MAX_VALUE_LENGTH = 256;
const ALLOWED = /^[\p{L}\p{Z}\p{N}_.:/=+\-@]*$/u;

/**
 * Parses x-amz-tagging, which is written like a query. An equals sign within a key or value has to be encoded.
 * @throws S3Error InvalidArgument, InvalidTag, BadRequest
 */
export function parseTaggingHeader(value: string): Readonly<Record<string, string>> {
  const pairs: [string, string][] = [];
  for (const part of value.split('&')) {
    if (part === '') {
      continue;
    }
    const [key = '', tag = '', ...rest] = part.split('=');
    if (rest.length > 0) {
      throw badHeader(value);
    }
    try {
      pairs.push([percentDecode(key, true), percentDecode(tag, true)]);
    } catch {
      throw badHeader(value);
    }
  }
  if (pairs.some(([key]) => key === '') || new Set(pairs.map(([key]) => key)).size !== pairs.length) {
    throw badHeader(value);
  }
  return checkedTags(pairs, MAX_OBJECT_TAGS, RESERVED_IN_OBJECTS);
}

/**
 * Checks tags against the rules of AWS.
 *
 * @param reserved what is said of tags whose key begins with `aws:`
 * @throws S3Error InvalidTag, BadRequest when there are too many
 */
export function checkedTags(
  pairs: readonly (readonly [string, string])[],
  limit: number,
  reserved: string,
): Readonly<Record<string, string>> {
  if (pairs.length > limit) {
    throw new S3Error(
      'BadRequest',
      `${limit === MAX_OBJECT_TAGS ? 'Object tags' : 'Bucket tag count'} cannot be greater than ${limit}`,
    );
  }
  const tags = new Map<string, string>();
  for (const [key, value] of pairs) {
    if (key === '' || key.length > MAX_KEY_LENGTH || !ALLOWED.test(key)) {
      throw new S3Error('InvalidTag', 'The TagKey you have provided is invalid', { TagKey: key });
    }
    if (value.length > MAX_VALUE_LENGTH || !ALLOWED.test(value)) {
      throw new S3Error('InvalidTag', 'The TagValue you have provided is invalid', { TagKey: key, TagValue: value });
    }
    if (key.startsWith(RESERVED_PREFIX)) {
      throw new S3Error('InvalidTag', reserved, { TagKey: key });
    }
    if (tags.has(key)) {
      throw new S3Error('InvalidTag', 'Cannot provide multiple Tags with the same key', { TagKey: key });
    }
    tags.set(key, value);
  }
  return Object.fromEntries(tags);
}

function badHeader(value: string): S3Error {
  return invalidArgument(
    "The header 'x-amz-tagging' shall be encoded as UTF-8 then URLEncoded URL query parameters without tag name duplicates.",
    'x-amz-tagging',
    value,
  );
}
