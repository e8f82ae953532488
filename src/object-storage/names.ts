import { invalidArgument, storageError } from './storage-error';

const MAX_KEY_BYTES = 1024;
const BUCKET_NAME = /^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$/;
const IP_ADDRESS = /^\d{1,3}(\.\d{1,3}){3}$/;
const RESERVED_PREFIXES = ['xn--', 'sthree-', 'amzn-s3-demo-'];
const RESERVED_SUFFIXES = ['-s3alias', '--ol-s3', '.mrap', '--x-s3', '--table-s3'];
/** First path segments that never reach the S3 side. */
const RESERVED_NAMES = new Set(['minio', 'rustfs', 'api', 'docs', 'console', 'health', 'metrics']);
const LONE_SURROGATE = /\p{Surrogate}/u;
const VERSION_ID = /^[0-9a-f]{32}$/;

/** The version id of everything written while versioning is not enabled. */
export const NULL_VERSION = 'null';

/**
 * Checks a new bucket's name by the rules of general purpose buckets, plus the first path segments this server keeps.
 * @throws StorageError `InvalidBucketName`
 */
export function assertBucketName(name: string): void {
  const valid =
    BUCKET_NAME.test(name) &&
    !name.includes('..') &&
    !name.includes('.-') &&
    !name.includes('-.') &&
    !IP_ADDRESS.test(name) &&
    !RESERVED_PREFIXES.some((prefix) => name.startsWith(prefix)) &&
    !RESERVED_SUFFIXES.some((suffix) => name.endsWith(suffix)) &&
    !RESERVED_NAMES.has(name);
  if (!valid) {
    throw storageError('InvalidBucketName', { BucketName: name });
  }
}

/**
 * Checks the key of an object: 1 to 1024 bytes of UTF-8. U+0000 is refused, because Postgres cannot hold it.
 * @throws StorageError `KeyTooLongError`, `InvalidArgument`
 */
export function assertKey(key: string): void {
  const bytes = Buffer.byteLength(key, 'utf8');
  if (bytes > MAX_KEY_BYTES) {
    throw storageError('KeyTooLongError', { Size: String(bytes), MaxSizeAllowed: String(MAX_KEY_BYTES) });
  }
  if (bytes === 0) {
    throw invalidArgument('A key has at least one character.', 'key', key);
  }
  assertText(key, 'key');
}

/**
 * Checks that Postgres can hold a text: well-formed Unicode without U+0000.
 * @throws StorageError `InvalidArgument`
 */
export function assertText(value: string, name: string): void {
  if (value.includes('\0') || LONE_SURROGATE.test(value)) {
    throw invalidArgument('The value must be valid UTF-8 without the NUL character.', name, '');
  }
}

/**
 * Checks the form of a version id.
 * @throws StorageError `InvalidArgument`
 */
export function assertVersionId(versionId: string): void {
  if (versionId !== NULL_VERSION && !VERSION_ID.test(versionId)) {
    throw invalidArgument('Invalid version id specified', 'versionId', versionId);
  }
}

/**
 * Checks what names an object before it is looked up. A bucket name that no bucket can have is a bucket that is missing.
 * @throws StorageError `NoSuchBucket`, `KeyTooLongError`, `InvalidArgument`
 */
export function assertAddress(address: {
  readonly bucket: string;
  readonly key: string;
  readonly versionId?: string;
}): void {
  assertPossibleBucket(address.bucket);
  assertKey(address.key);
  if (address.versionId !== undefined) {
    assertVersionId(address.versionId);
  }
}

/** @throws StorageError `NoSuchBucket` for a name that no bucket can have */
export function assertPossibleBucket(name: string): void {
  if (!isPossibleBucket(name)) {
    throw storageError('NoSuchBucket', { BucketName: name });
  }
}

/** Whether a bucket can have this name at all. */
export function isPossibleBucket(name: string): boolean {
  return BUCKET_NAME.test(name);
}

/** Position of a version in its key's history, newest first, or undefined for `null`, whose id does not tell. */
export function versionSequence(versionId: string): bigint | undefined {
  return versionId === NULL_VERSION ? undefined : -BigInt(`0x${versionId.slice(0, 16)}`);
}
