import { checkSessionToken, unknownAccessKey } from '../session-token';
import type { RequestHeaders } from '../sigv4/canonical-request';
import { SignatureError, signatureMismatch } from '../sigv4/signature-error';
import { timestampMillis } from '../sigv4/signature-parameters';
import type { CredentialLookup } from '../sigv4/signature-verifier';
import { signaturesEqual } from '../sigv4/signing-key';
import type { Principal } from '../identity.types';
import { legacySignatureOf } from './legacy-signature';
import { legacyStringToSign, type LegacySignedRequest } from './string-to-sign';

/** A Signature Version 2 signature that holds. It says nothing of the body, and is no base for signed chunks. */
export interface VerifiedLegacySignature {
  readonly version: 2;
  readonly principal: Principal;
  readonly accessKeyId: string;
  readonly presigned: boolean;
}

interface LegacyParameters {
  readonly accessKeyId: string;
  /** Base64 of 20 bytes, when it is well-formed. */
  readonly signature: string;
  /** Seconds since the epoch, of a presigned URL. */
  readonly expires?: string;
}

const SCHEME = 'AWS ';

/** Whether a request carries credentials of Signature Version 2, and none of Version 4. */
export function hasLegacySignature(headers: RequestHeaders, query: ReadonlyMap<string, string>): boolean {
  const { authorization } = headers;
  if (query.has('X-Amz-Algorithm')) {
    return false;
  }
  return typeof authorization === 'string' && authorization !== ''
    ? authorization.startsWith(SCHEME)
    : query.has('AWSAccessKeyId') || query.has('Signature');
}

/**
 * Verifies the Signature Version 2 of a request, in its Authorization header or presigned query. Old tools still sign
 * so, and boto presigns so unless told otherwise.
 *
 * @param clockSkewSeconds how far the client's clock may be off
 * @param now the server's clock
 * @throws SignatureError with the S3 error code that AWS answers
 */
export async function verifyLegacySignature(
  request: LegacySignedRequest,
  clockSkewSeconds: number,
  lookup: CredentialLookup,
  now: Date,
): Promise<VerifiedLegacySignature> {
  const parameters = parametersOf(request);
  const { accessKeyId, signature, expires } = parameters;
  if (expires === undefined) {
    checkDate(request.headers, clockSkewSeconds, now);
  } else {
    checkExpiry(expires, now);
  }
  const credential = await lookup(accessKeyId);
  if (credential === undefined || credential.status !== 'enabled') {
    throw unknownAccessKey(accessKeyId);
  }
  checkSessionToken(
    credential,
    [request.headers['x-amz-security-token'], request.query.get('x-amz-security-token')],
    now,
  );
  const stringToSign = legacyStringToSign(request, expires);
  const holds = (signed: Buffer): boolean =>
    signaturesEqual(legacySignatureOf(credential.secretKey.reveal(), signed), signature);
  if (!holds(stringToSign) && !holds(legacyStringToSign(withSlash(request), expires))) {
    throw signatureMismatch({ accessKeyId, stringToSign: stringToSign.toString('utf8'), signature });
  }
  return { version: 2, principal: credential.principal, accessKeyId, presigned: expires !== undefined };
}

function parametersOf({ headers, query }: LegacySignedRequest): LegacyParameters {
  const { authorization } = headers;
  if (typeof authorization === 'string' && authorization !== '') {
    if (query.has('Signature')) {
      throw new SignatureError('InvalidArgument', 'Only one auth mechanism allowed', {
        ArgumentName: 'Authorization',
        ArgumentValue: '[redacted]',
      });
    }
    const match = /^AWS +([^:]+):([^:]+)$/.exec(authorization);
    if (match?.[1] === undefined || match[2] === undefined) {
      throw new SignatureError(
        'InvalidArgument',
        'AWS authorization header is invalid. Expected AwsAccessKeyId:signature',
        {
          ArgumentName: 'Authorization',
        },
      );
    }
    return { accessKeyId: match[1].trim(), signature: match[2].trim() };
  }
  const [accessKeyId, signature, expires] = ['AWSAccessKeyId', 'Signature', 'Expires'].map((name) => query.get(name));
  if (!accessKeyId || !signature || !expires) {
    throw new SignatureError(
      'AccessDenied',
      'Query-string authentication requires the Signature, Expires and AWSAccessKeyId parameters',
    );
  }
  return { accessKeyId, signature, expires };
}

function checkExpiry(expires: string, now: Date): void {
  if (!/^\d{1,12}$/.test(expires)) {
    throw new SignatureError('AccessDenied', `Invalid date (should be seconds since epoch): ${expires}`);
  }
  if (now.getTime() > Number(expires) * 1000) {
    throw new SignatureError('AccessDenied', 'Request has expired', {
      Expires: new Date(Number(expires) * 1000).toISOString(),
      ServerTime: now.toISOString(),
    });
  }
}

function checkDate(headers: RequestHeaders, clockSkewSeconds: number, now: Date): void {
  const stated = headers['x-amz-date'] ?? headers['date'];
  const text = typeof stated === 'string' ? stated : '';
  const millis = /^\d{8}T/.test(text) ? timestampMillis(text) : Date.parse(text);
  if (Number.isNaN(millis) || millis < 0) {
    throw new SignatureError('AccessDenied', 'AWS authentication requires a valid Date or x-amz-date header');
  }
  if (Math.abs(now.getTime() - millis) > clockSkewSeconds * 1000) {
    throw new SignatureError(
      'RequestTimeTooSkewed',
      'The difference between the request time and the current time is too large.',
      {
        RequestTime: text,
        ServerTime: now.toISOString(),
        MaxAllowedSkewMilliseconds: String(clockSkewSeconds * 1000),
      },
    );
  }
}

/** boto signs a bucket's path with a slash at its end that it does not send. */
function withSlash(request: LegacySignedRequest): LegacySignedRequest {
  return request.resourcePath.includes('/', 1) ? request : { ...request, resourcePath: `${request.resourcePath}/` };
}
