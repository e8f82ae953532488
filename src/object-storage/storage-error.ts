import { DomainError, type DomainErrorOptions } from '../common/domain-error';
import type { WriteConditions } from './object-storage.types';

/** An expected failure of the object store; `kind` is the S3 error code. */
export class StorageError extends DomainError {}

type Details = Readonly<Record<string, string>>;

/** In the words of S3, which some clients compare. */
const MESSAGES = {
  AccessControlListNotSupported: 'The bucket does not allow ACLs',
  BadDigest: 'The Content-MD5 you specified did not match what we received.',
  BucketAlreadyExists: 'The requested bucket name is not available. Select a different name and try again.',
  BucketAlreadyOwnedByYou: 'Your previous request to create the named bucket succeeded and you already own it.',
  BucketNotEmpty: 'The bucket you tried to delete is not empty',
  EntityTooLarge: 'Your proposed upload exceeds the maximum allowed size',
  EntityTooSmall: 'Your proposed upload is smaller than the minimum allowed size',
  IncompleteBody: 'You did not provide the number of bytes specified by the Content-Length HTTP header',
  InvalidBucketAclWithObjectOwnership: "Bucket cannot have ACLs set with ObjectOwnership's BucketOwnerEnforced setting",
  InvalidBucketName: 'The specified bucket is not valid.',
  InvalidDigest: 'The Content-MD5 you specified was invalid.',
  InvalidObjectState: "The operation is not valid for the object's storage class",
  InvalidPart:
    "One or more of the specified parts could not be found.  The part may not have been uploaded, or the specified entity tag may not match the part's entity tag.",
  InvalidPartNumber: 'The requested partnumber is not satisfiable',
  InvalidPartOrder: 'The list of parts was not in ascending order. Parts must be ordered by part number.',
  InvalidRange: 'The requested range is not satisfiable',
  KeyTooLongError: 'Your key is too long',
  MethodNotAllowed: 'The specified method is not allowed against this resource.',
  NoSuchBucket: 'The specified bucket does not exist',
  NoSuchKey: 'The specified key does not exist.',
  NoSuchUpload:
    'The specified upload does not exist. The upload ID may be invalid, or the upload may have been aborted or completed.',
  NoSuchVersion: 'The specified version does not exist.',
  PreconditionFailed: 'At least one of the pre-conditions you specified did not hold',
  XAmzContentSHA256Mismatch: "The provided 'x-amz-content-sha256' header does not match what was computed.",
} as const;

/** Codes whose message is always the same. */
export type StorageErrorCode = keyof typeof MESSAGES;

/** Makes the error of a code with its usual message. */
export function storageError(
  code: StorageErrorCode,
  details?: Details,
  options: DomainErrorOptions = {},
): StorageError {
  return new StorageError(code, MESSAGES[code], { ...options, details });
}

/** A body whose checksum is not the one that was sent. */
export function checksumMismatch(algorithm: string): StorageError {
  return new StorageError('BadDigest', `The ${algorithm} you specified did not match the calculated checksum.`);
}

/** A request that is well-formed S3 but asks for something impossible. */
export function invalidRequest(message: string): StorageError {
  return new StorageError('InvalidRequest', message);
}

/** A parameter with an impossible value. */
export function invalidArgument(message: string, name: string, value: string): StorageError {
  return new StorageError('InvalidArgument', message, { details: { ArgumentName: name, ArgumentValue: value } });
}

/** A condition of a request that does not hold, named by its header as AWS spells it. */
export function preconditionFailed(condition: string): StorageError {
  return storageError('PreconditionFailed', { Condition: condition });
}

/** The answer 304 to a conditional read. Details carry `etag` and `lastModified` (ISO 8601). */
export function notModified(etag: string, lastModified: Date): StorageError {
  return new StorageError('NotModified', 'The object has not changed.', {
    details: { etag, lastModified: lastModified.toISOString() },
  });
}

/**
 * Turns the outcome of a commit function into an error, or returns when it is `ok`.
 *
 * @param details BucketName and Key, of which the error names what it is about
 * @param conditions those of the write, one of which has failed on `PreconditionFailed`
 */
export function assertOutcome(outcome: string, details: Details, conditions?: WriteConditions): void {
  if (outcome === 'ok') {
    return;
  }
  if (outcome === 'PreconditionFailed') {
    throw preconditionFailed(conditions?.ifNoneMatchAny === true ? 'If-None-Match' : 'If-Match');
  }
  if (outcome === 'NoSuchKey' && details['Key'] !== undefined) {
    throw storageError('NoSuchKey', { Key: details['Key'] });
  }
  if (outcome in MESSAGES) {
    throw storageError(outcome as StorageErrorCode, details);
  }
  throw new Error(`A commit function answered with an unknown outcome: ${outcome}`);
}
