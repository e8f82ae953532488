import { DomainError } from '../common/domain-error';
import { isS3ErrorCode, S3_ERROR_CODES, type S3ErrorCode } from './s3-error-codes';

/** A refusal that the S3 face itself decides on. */
export class S3Error extends DomainError {
  declare readonly kind: S3ErrorCode;

  /**
   * @param message the code's usual message when left out
   * @param details further elements of the error document
   */
  constructor(
    code: S3ErrorCode,
    message: string = S3_ERROR_CODES[code][1],
    details?: Readonly<Record<string, string>>,
  ) {
    super(code, message, details === undefined ? {} : { details });
  }
}

/** `InvalidArgument` as AWS words it, naming the header or parameter. */
export function invalidArgument(message: string, name: string, value?: string): S3Error {
  return new S3Error('InvalidArgument', message, {
    ArgumentName: name,
    ...(value === undefined ? {} : { ArgumentValue: value }),
  });
}

/** An error as it is to be answered. */
export interface S3ErrorAnswer {
  readonly code: S3ErrorCode;
  readonly status: number;
  readonly message: string;
  /** Further elements of the error document. */
  readonly details: Readonly<Record<string, string>>;
  readonly headers: Readonly<Record<string, string>>;
  /** Whether the server is at fault, so that the cause belongs in its log. */
  readonly serverFault: boolean;
}

/** Seconds after which a client may try again while a KMS or the database is out of reach. */
const RETRY_AFTER_SECONDS = '5';

/**
 * What S3 answers for each kind of KMS failure. A wrapped key that no longer authenticates is answered as AWS does, with
 * the KMS exception's name; a KMS that rejects our own credentials is a fault of the operator, not of the client, so it
 * is 503 like any other unreachable KMS.
 */
const KMS_CODES: Readonly<Record<string, S3ErrorCode>> = {
  'kms-not-configured': 'NotImplemented',
  'kms-unavailable': 'ServiceUnavailable',
  'kms-timeout': 'ServiceUnavailable',
  'kms-sealed': 'ServiceUnavailable',
  'kms-throttled': 'ServiceUnavailable',
  'kms-unauthenticated': 'ServiceUnavailable',
  'kms-access-denied': 'AccessDenied',
  'kms-key-not-found': 'KMS.NotFoundException',
  'kms-key-disabled': 'KMS.DisabledException',
  'kms-key-pending-deletion': 'KMS.KMSInvalidStateException',
  'kms-invalid-ciphertext': 'KMS.InvalidCiphertextException',
  'kms-unsupported': 'NotImplemented',
  'kms-invalid-request': 'InvalidArgument',
};

/** What S3 answers for failures of other parts of the store that have no name in S3. */
const OTHER_CODES: Readonly<Record<string, S3ErrorCode>> = {
  'database-unavailable': 'ServiceUnavailable',
  'storage-full': 'XMinioStorageFull',
};

/** Details that travel as response headers instead of elements. */
const HEADER_DETAILS: Readonly<Record<string, string>> = {
  etag: 'ETag',
  lastModified: 'Last-Modified',
  deleteMarker: 'x-amz-delete-marker',
  versionId: 'x-amz-version-id',
  allow: 'Allow',
};

const EMPTY: Readonly<Record<string, string>> = {};

/** Translates any failure to an S3 answer; what is not understood fails closed as InternalError without its text. */
export function s3ErrorAnswer(error: unknown): S3ErrorAnswer {
  if (!(error instanceof DomainError)) {
    return internalError();
  }
  const kmsCode = KMS_CODES[error.kind];
  const code = kmsCode ?? OTHER_CODES[error.kind] ?? (isS3ErrorCode(error.kind) ? error.kind : undefined);
  if (code === undefined) {
    return internalError();
  }
  const status = S3_ERROR_CODES[code][0];
  const headers = headersOf(error, status);
  return {
    code,
    status,
    message: messageOf(error, kmsCode !== undefined, code),
    details: elementsOf(error.details),
    headers,
    serverFault: status >= 500 && status !== 501,
  };
}

function messageOf(error: DomainError, ofKms: boolean, code: S3ErrorCode): string {
  if (error.kind === 'kms-not-configured') {
    return `Server side encryption specified but KMS is not configured: ${error.message}`;
  }
  if (error.kind === 'kms-key-not-found') {
    return `Invalid keyId: ${error.message}`;
  }
  if (ofKms && code === 'ServiceUnavailable') {
    return `The KMS cannot serve the request: ${error.message}`;
  }
  return error.message === '' ? S3_ERROR_CODES[code][1] : error.message;
}

function headersOf(error: DomainError, status: number): Readonly<Record<string, string>> {
  let headers: Record<string, string> | undefined;
  for (const name in error.details) {
    const header = HEADER_DETAILS[name];
    if (header !== undefined) {
      headers ??= {};
      headers[header] = headerValueOf(name, error.details[name] as string);
    }
  }
  if (error.details['deleteMarker'] !== undefined && status === 405) {
    headers ??= {};
    headers['Allow'] = 'DELETE';
  }
  if (status === 503) {
    headers ??= {};
    headers['Retry-After'] = RETRY_AFTER_SECONDS;
  }
  return headers ?? EMPTY;
}

function headerValueOf(name: string, value: string): string {
  if (name === 'etag') {
    return `"${value}"`;
  }
  return name === 'lastModified' ? new Date(value).toUTCString() : value;
}

function elementsOf(details: Readonly<Record<string, string>>): Readonly<Record<string, string>> {
  const entries = Object.entries(details).filter(([name]) => HEADER_DETAILS[name] === undefined);
  return Object.fromEntries(entries.map(([name, value]) => [elementNamed(name), value]));
}

/** Elements begin with a capital, but for the one with which AWS explains a NotImplemented. */
function elementNamed(detail: string): string {
  return detail === 'additionalMessage' ? detail : detail.charAt(0).toUpperCase() + detail.slice(1);
}

function internalError(): S3ErrorAnswer {
  const [status, message] = S3_ERROR_CODES.InternalError;
  return { code: 'InternalError', status, message, details: EMPTY, headers: EMPTY, serverFault: true };
}
