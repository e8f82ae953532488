import { DomainError } from '../../common/domain-error';

/** Why a signed request was refused; the kinds are S3's error codes, which the admin face shares. */
export type SignatureErrorKind =
  | 'AccessDenied'
  | 'AuthorizationHeaderMalformed'
  | 'AuthorizationQueryParametersError'
  | 'ExpiredToken'
  | 'InvalidAccessKeyId'
  | 'InvalidArgument'
  | 'InvalidRequest'
  | 'InvalidToken'
  | 'RequestTimeTooSkewed'
  | 'SignatureDoesNotMatch';

/** A request whose Signature Version 4 credentials are absent, malformed, stale or wrong. */
export class SignatureError extends DomainError {
  declare readonly kind: SignatureErrorKind;

  constructor(kind: SignatureErrorKind, message: string, details?: Readonly<Record<string, string>>) {
    super(kind, message, details === undefined ? {} : { details });
  }
}
