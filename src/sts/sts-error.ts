import { DomainError } from '../common/domain-error';

/** Error codes of the Security Token Service with the status each is answered with. */
const STATUSES = {
  AccessDenied: 403,
  ExpiredToken: 403,
  IncompleteSignature: 400,
  InternalFailure: 500,
  InvalidAction: 400,
  InvalidClientTokenId: 403,
  MalformedInput: 400,
  MalformedPolicyDocument: 400,
  MissingAuthenticationToken: 403,
  MissingParameter: 400,
  NotImplemented: 501,
  ServiceUnavailable: 503,
  SignatureDoesNotMatch: 403,
  ValidationError: 400,
} as const;

export type StsErrorCode = keyof typeof STATUSES;

/** A refusal that the STS face itself decides on. */
export class StsError extends DomainError {
  declare readonly kind: StsErrorCode;

  constructor(code: StsErrorCode, message: string) {
    super(code, message);
  }
}

/** An error as it is to be answered. */
export interface StsErrorAnswer {
  readonly code: StsErrorCode;
  readonly status: number;
  readonly message: string;
}

const INVALID_TOKEN = 'The security token included in the request is invalid.';

/** What STS says of failures of others, such as the verifier of signatures, which speaks the words of S3. */
const OF_OTHERS: Readonly<Record<string, readonly [StsErrorCode, string?]>> = {
  ExpiredToken: ['ExpiredToken', 'The security token included in the request is expired'],
  InvalidAccessKeyId: ['InvalidClientTokenId', INVALID_TOKEN],
  InvalidToken: ['InvalidClientTokenId', INVALID_TOKEN],
  RequestTimeTooSkewed: ['SignatureDoesNotMatch', 'Signature expired: the clock of the client is too far off'],
  SignatureDoesNotMatch: ['SignatureDoesNotMatch'],
  AccessDenied: ['SignatureDoesNotMatch'],
  AuthorizationHeaderMalformed: ['IncompleteSignature'],
  AuthorizationQueryParametersError: ['IncompleteSignature'],
  InvalidArgument: ['IncompleteSignature'],
  InvalidRequest: ['IncompleteSignature'],
  MalformedPolicyDocument: ['MalformedPolicyDocument'],
  InvalidInput: ['ValidationError'],
  NoSuchEntity: ['ValidationError'],
  'database-unavailable': ['ServiceUnavailable'],
  'storage-full': ['ServiceUnavailable'],
};

/** Translates any failure to an answer of STS; what is not understood fails closed, without its text. */
export function stsErrorAnswer(error: unknown): StsErrorAnswer {
  if (error instanceof StsError) {
    return { code: error.kind, status: STATUSES[error.kind], message: error.message };
  }
  const found = error instanceof DomainError ? OF_OTHERS[error.kind] : undefined;
  if (found === undefined) {
    const message = 'The request processing has failed because of an unknown error, exception or failure.';
    return { code: 'InternalFailure', status: STATUSES.InternalFailure, message };
  }
  const [code, message = (error as DomainError).message] = found;
  return { code, status: STATUSES[code], message };
}
