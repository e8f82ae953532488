import { DomainError, type DomainErrorOptions } from '../common/domain-error';

/** An expected failure of the object store; `kind` is the S3 error code. */
export class StorageError extends DomainError {}

type Details = Readonly<Record<string, string>>;

const MESSAGES = {
  BadDigest: 'A checksum or Content-MD5 that was sent does not match the content that was received.',
  BucketAlreadyExists: 'The bucket name is taken by another owner.',
  BucketAlreadyOwnedByYou: 'The bucket exists already and is yours.',
  BucketNotEmpty: 'The bucket still holds objects or versions of objects.',
  EntityTooLarge: 'The upload is larger than the largest allowed size of 5 GiB.',
  EntityTooSmall: 'Every part but the last must have at least 5 MiB.',
  IncompleteBody: 'The body ended before the number of bytes announced by the Content-Length header.',
  InvalidBucketName: 'The bucket name is not valid.',
  InvalidDigest: 'The Content-MD5 is not valid.',
  InvalidPart: 'A part was not found, or its entity tag or checksum does not match the one that was uploaded.',
  InvalidPartNumber: 'The requested part number is not satisfiable.',
  InvalidPartOrder: 'The parts must be listed in ascending order of their numbers.',
  InvalidRange: 'The requested range is not satisfiable.',
  KeyTooLongError: 'The key is longer than 1024 bytes.',
  MethodNotAllowed: 'A delete marker can only be deleted.',
  NoSuchBucket: 'The bucket does not exist.',
  NoSuchKey: 'The key does not exist.',
  NoSuchUpload: 'The upload does not exist; it may have been aborted or completed.',
  NoSuchVersion: 'The version does not exist.',
  PreconditionFailed: 'At least one of the preconditions does not hold.',
  XAmzContentSHA256Mismatch: 'The x-amz-content-sha256 that was sent does not match the content that was received.',
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

/** A request that is well-formed S3 but asks for something impossible. */
export function invalidRequest(message: string): StorageError {
  return new StorageError('InvalidRequest', message);
}

/** A parameter with an impossible value. */
export function invalidArgument(message: string, name: string, value: string): StorageError {
  return new StorageError('InvalidArgument', message, { details: { ArgumentName: name, ArgumentValue: value } });
}

/** The answer 304 to a conditional read. Details carry `etag` and `lastModified` (ISO 8601). */
export function notModified(etag: string, lastModified: Date): StorageError {
  return new StorageError('NotModified', 'The object has not changed.', {
    details: { etag, lastModified: lastModified.toISOString() },
  });
}

/** Turns the outcome of a commit function into an error, or returns when it is `ok`. */
export function assertOutcome(outcome: string, details: Details): void {
  if (outcome === 'ok') {
    return;
  }
  if (outcome in MESSAGES) {
    throw storageError(outcome as StorageErrorCode, details);
  }
  throw new Error(`A commit function answered with an unknown outcome: ${outcome}`);
}
