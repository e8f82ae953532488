import type { Credential, Principal } from '../identity.types';
import { checkSessionToken, unknownAccessKey } from '../session-token';
import {
  canonicalReadings,
  canonicalRequest,
  canonicalRequestHash,
  type CanonicalReading,
  type SignedRequest,
} from './canonical-request';
import { SignatureError, signatureMismatch } from './signature-error';
import { signatureParameters, timestampMillis, type SignatureParameters } from './signature-parameters';
import { signatureOf, signaturesEqual, signingKey } from './signing-key';

/** What a verifier expects of every request on its face. */
export interface VerificationPolicy {
  readonly region: string;
  /** Service names accepted in the credential scope, e.g. `s3`. */
  readonly services: readonly string[];
  /** How far the client's clock may be off, in seconds; AWS allows 900. */
  readonly clockSkewSeconds: number;
}

/** A request whose signature is to be verified. */
export interface VerifiableRequest extends SignedRequest {
  /** Decoded query parameters; the first of equal names. */
  readonly query: ReadonlyMap<string, string>;
  /**
   * SHA-256 of the body in hex, for faces that read it before verifying. Used where x-amz-content-sha256 is absent, as in
   * URLs presigned for other services than S3; where both are present they must agree, unless the header is a literal such
   * as UNSIGNED-PAYLOAD.
   */
  readonly bodyHash?: string;
}

/** A signature that holds, with what is needed to verify the chunks of a streaming body. */
export interface VerifiedSignature {
  readonly version: 4;
  readonly principal: Principal;
  readonly accessKeyId: string;
  readonly presigned: boolean;
  /** Lower-case hex, or a literal such as `UNSIGNED-PAYLOAD` or `STREAMING-…`. */
  readonly payloadHash: string;
  readonly signedHeaders: ReadonlySet<string>;
  /** Lower-case hex; the seed of chunk signatures. */
  readonly signature: string;
  /** `YYYYMMDDTHHMMSSZ` */
  readonly timestamp: string;
  /** `YYYYMMDD/region/service/aws4_request` */
  readonly scope: string;
  readonly signingKey: Buffer;
}

export type CredentialLookup = (accessKeyId: string) => Promise<Credential | undefined>;

const UNSIGNED_PAYLOAD = 'UNSIGNED-PAYLOAD';
const HEX_SHA256 = /^[0-9a-f]{64}$/;

/**
 * Verifies the Signature Version 4 of a request, in its Authorization header or presigned query, as S3 does.
 *
 * @param now the server's clock
 * @returns undefined when the request carries no credentials
 * @throws SignatureError with the S3 error code that AWS answers
 */
export async function verifySignature(
  request: VerifiableRequest,
  policy: VerificationPolicy,
  lookup: CredentialLookup,
  now: Date,
): Promise<VerifiedSignature | undefined> {
  const parameters = signatureParameters(request.headers, request.query);
  if (parameters === undefined) {
    return undefined;
  }
  checkScope(parameters, policy);
  checkTime(parameters, policy, now);
  checkSignedHeaders(parameters, request);
  const payloadHash = payloadHashOf(parameters, request);
  const credential = await lookup(parameters.accessKeyId);
  if (credential === undefined || credential.status !== 'enabled') {
    throw unknownAccessKey(parameters.accessKeyId);
  }
  checkSessionToken(
    credential,
    [request.headers['x-amz-security-token'], request.query.get('X-Amz-Security-Token')],
    now,
  );
  const { date, region, service, timestamp } = parameters;
  const scope = `${date}/${region}/${service}/aws4_request`;
  const key = signingKey(credential.secretKey.reveal(), date, region, service, parameters.accessKeyId);
  verifyAgainst(key, scope, parameters, request, payloadHash);
  return {
    version: 4,
    principal: credential.principal,
    accessKeyId: parameters.accessKeyId,
    presigned: parameters.presigned,
    payloadHash,
    signedHeaders: new Set(parameters.signedHeaders),
    signature: parameters.signature,
    timestamp,
    scope,
    signingKey: key,
  };
}

function verifyAgainst(
  key: Buffer,
  scope: string,
  parameters: SignatureParameters,
  request: VerifiableRequest,
  payloadHash: string,
): void {
  const excluded = parameters.presigned ? 'X-Amz-Signature' : undefined;
  const signed = parameters.presigned ? withParameters(request, parameters.signedHeaders) : request;
  const attempt = (reading: CanonicalReading): { canonical: string; stringToSign: string; matches: boolean } => {
    const canonical = canonicalRequest(signed, parameters.signedHeaders, payloadHash, excluded, reading);
    const stringToSign = `AWS4-HMAC-SHA256\n${parameters.timestamp}\n${scope}\n${canonicalRequestHash(canonical, reading)}`;
    return { canonical, stringToSign, matches: signaturesEqual(signatureOf(key, stringToSign), parameters.signature) };
  };
  const strict = attempt({});
  if (strict.matches) {
    return;
  }
  const others = canonicalReadings(signed, parameters.signedHeaders).slice(1);
  if (others.some((reading) => attempt(reading).matches)) {
    return;
  }
  throw signatureMismatch({
    accessKeyId: parameters.accessKeyId,
    stringToSign: strict.stringToSign,
    signature: parameters.signature,
    canonicalRequest: Buffer.from(strict.canonical, 'latin1').toString('utf8'),
  });
}

function checkScope(parameters: SignatureParameters, policy: VerificationPolicy): void {
  const kind = parameters.presigned ? 'AuthorizationQueryParametersError' : 'AuthorizationHeaderMalformed';
  const subject = parameters.presigned
    ? 'Error parsing the X-Amz-Credential parameter'
    : 'The authorization header is malformed';
  if (parameters.region !== policy.region) {
    throw new SignatureError(
      kind,
      `${subject}; the region '${parameters.region}' is wrong; expecting '${policy.region}'`,
      {
        Region: policy.region,
      },
    );
  }
  if (!policy.services.includes(parameters.service)) {
    throw new SignatureError(
      kind,
      `${subject}; incorrect service "${parameters.service}". This endpoint belongs to "${policy.services.join('", "')}".`,
    );
  }
  if (!parameters.timestamp.startsWith(parameters.date)) {
    throw new SignatureError(
      kind,
      `${subject}; Invalid credential date "${parameters.date}". This date is not the same as X-Amz-Date: "${parameters.timestamp.slice(0, 8)}".`,
    );
  }
}

function checkTime(parameters: SignatureParameters, policy: VerificationPolicy, now: Date): void {
  const signedAt = timestampMillis(parameters.timestamp);
  const skewMillis = policy.clockSkewSeconds * 1000;
  if (parameters.expires === undefined) {
    if (Math.abs(now.getTime() - signedAt) > skewMillis) {
      throw new SignatureError(
        'RequestTimeTooSkewed',
        'The difference between the request time and the current time is too large.',
        {
          RequestTime: parameters.timestamp,
          ServerTime: now.toISOString(),
          MaxAllowedSkewMilliseconds: String(skewMillis),
        },
      );
    }
    return;
  }
  if (signedAt - now.getTime() > skewMillis) {
    throw new SignatureError('AccessDenied', 'Request is not yet valid', { ServerTime: now.toISOString() });
  }
  const expiresAt = signedAt + parameters.expires * 1000;
  // A URL that is good for no time at all has expired as soon as it is made.
  if (now.getTime() > expiresAt || parameters.expires === 0) {
    throw new SignatureError('AccessDenied', 'Request has expired', {
      'X-Amz-Expires': String(parameters.expires),
      Expires: new Date(expiresAt).toISOString(),
      ServerTime: now.toISOString(),
    });
  }
}

/** Every x-amz-* header must be signed, or whoever holds a presigned URL could change what the signer meant. */
function checkSignedHeaders(parameters: SignatureParameters, request: VerifiableRequest): void {
  let unsigned: string | undefined;
  for (const name in request.headers) {
    if (
      name.startsWith('x-amz-') &&
      // The payload hash is part of the canonical request anyway.
      name !== 'x-amz-content-sha256' &&
      !parameters.signedHeaders.includes(name)
    ) {
      unsigned = unsigned === undefined ? name : `${unsigned}, ${name}`;
    }
  }
  if (unsigned !== undefined) {
    throw new SignatureError('AccessDenied', 'There were headers present in the request which were not signed', {
      HeadersNotSigned: unsigned,
    });
  }
}

/** A presigned URL may sign headers that it carries as parameters, so that nobody has to send them. */
function withParameters(request: VerifiableRequest, signedHeaders: readonly string[]): VerifiableRequest {
  const missing = signedHeaders.filter((name) => request.headers[name] === undefined);
  if (missing.length === 0) {
    return request;
  }
  const headers: Record<string, string | readonly string[] | undefined> = { ...request.headers };
  for (const [name, value] of request.query) {
    const header = name.toLowerCase();
    if (missing.includes(header)) {
      headers[header] ??= Buffer.from(value, 'utf8').toString('latin1');
    }
  }
  return { ...request, headers };
}

function payloadHashOf(parameters: SignatureParameters, request: VerifiableRequest): string {
  const header = request.headers['x-amz-content-sha256'];
  const stated = parameters.payloadHash ?? (typeof header === 'string' ? header : undefined);
  if (parameters.presigned) {
    // Only S3 presigns without the body's hash.
    return stated ?? (parameters.service === 's3' ? UNSIGNED_PAYLOAD : (request.bodyHash ?? UNSIGNED_PAYLOAD));
  }
  if (stated === undefined) {
    if (request.bodyHash === undefined) {
      throw new SignatureError(
        'InvalidRequest',
        'Missing required header for this request: x-amz-content-sha256. It holds the SHA-256 of the body in hex, or UNSIGNED-PAYLOAD, and is part of what is signed.',
      );
    }
    return request.bodyHash;
  }
  if (request.bodyHash !== undefined && HEX_SHA256.test(stated) && stated !== request.bodyHash) {
    throw new SignatureError('InvalidRequest', 'The x-amz-content-sha256 header does not match the body.');
  }
  return stated;
}
