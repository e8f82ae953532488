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

/** What a verifier computed of a request whose signature does not hold. */
export interface SignatureMismatch {
  readonly accessKeyId: string;
  readonly stringToSign: string;
  readonly signature: string;
  /** Only Signature Version 4 has one. */
  readonly canonicalRequest?: string;
}

/** The refusal of a signature, which shows what should have been signed, so that a client can debug its signer. */
export function signatureMismatch(mismatch: SignatureMismatch): SignatureError {
  const { canonicalRequest } = mismatch;
  const stringToSign = withoutSecrets(mismatch.stringToSign);
  const canonical = canonicalRequest === undefined ? undefined : withoutSecrets(canonicalRequest);
  return new SignatureError(
    'SignatureDoesNotMatch',
    'The request signature we calculated does not match the signature you provided. Check your key and signing method.',
    {
      AWSAccessKeyId: mismatch.accessKeyId,
      StringToSign: stringToSign,
      SignatureProvided: mismatch.signature,
      StringToSignBytes: hexBytes(stringToSign),
      ...(canonical === undefined ? {} : { CanonicalRequest: canonical, CanonicalRequestBytes: hexBytes(canonical) }),
    },
  );
}

/** Keys of SSE-C and session tokens, which may be among headers or parameters, must not reach answers or logs. */
function withoutSecrets(text: string): string {
  return text
    .replace(/^(x-amz-[a-z-]*customer-key|x-amz-security-token):.*$/gm, '$1:[redacted]')
    .replace(/((?:^|&)x-amz-(?:[a-z-]*customer-key|security-token))=[^&\n]*/gim, '$1=[redacted]');
}

/** Bytes as S3 shows them: in hex, each apart. */
function hexBytes(text: string): string {
  return Buffer.from(text, 'utf8')
    .toString('hex')
    .replace(/..(?!$)/g, '$& ');
}
