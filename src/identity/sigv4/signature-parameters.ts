import type { RequestHeaders } from './canonical-request';
import { SignatureError } from './signature-error';

/** What a client states about its signature, before anything of it is believed. */
export interface SignatureParameters {
  readonly presigned: boolean;
  readonly accessKeyId: string;
  /** `YYYYMMDD` of the credential scope. */
  readonly date: string;
  readonly region: string;
  readonly service: string;
  /** Lower-case header names in the client's order. */
  readonly signedHeaders: readonly string[];
  /** Lower-case hex. */
  readonly signature: string;
  /** `YYYYMMDDTHHMMSSZ` */
  readonly timestamp: string;
  /** Validity in seconds of a presigned URL. */
  readonly expires?: number;
  /** x-amz-content-sha256 as a query parameter of a presigned URL. */
  readonly payloadHash?: string;
}

const ALGORITHM = 'AWS4-HMAC-SHA256';
const MAX_EXPIRES = 604_800;
const TIMESTAMP = /^\d{8}T\d{6}Z$/;
const SIGNATURE = /^[0-9a-f]{64}$/;

/**
 * Reads the signature of a request from its Authorization header or from a presigned query.
 *
 * @param query parameters by name as sent (first one wins), decoded
 * @returns undefined when the request carries no credentials at all
 * @throws SignatureError when it carries some that cannot be understood
 */
export function signatureParameters(
  headers: RequestHeaders,
  query: ReadonlyMap<string, string>,
): SignatureParameters | undefined {
  const authorization = headers.authorization;
  const presigned = query.has('X-Amz-Algorithm') || query.has('X-Amz-Credential') || query.has('X-Amz-Signature');
  if (typeof authorization === 'string' && authorization !== '') {
    if (presigned) {
      throw new SignatureError(
        'InvalidArgument',
        'Only one auth mechanism allowed; only the X-Amz-Algorithm query parameter, Signature query string parameter or the Authorization header should be specified',
        { ArgumentName: 'Authorization', ArgumentValue: '[redacted]' },
      );
    }
    return fromHeader(authorization, headers);
  }
  if (presigned) {
    return fromQuery(query);
  }
  if (query.has('AWSAccessKeyId') && query.has('Signature')) {
    throw unsupportedMechanism();
  }
  return undefined;
}

/** Milliseconds since the epoch of a `YYYYMMDDTHHMMSSZ` timestamp; NaN when it is not one. */
export function timestampMillis(timestamp: string): number {
  if (!TIMESTAMP.test(timestamp)) {
    return Number.NaN;
  }
  const part = (from: number, to: number): number => Number(timestamp.slice(from, to));
  const millis = Date.UTC(part(0, 4), part(4, 6) - 1, part(6, 8), part(9, 11), part(11, 13), part(13, 15));
  return basicTimestamp(new Date(millis)) === timestamp ? millis : Number.NaN;
}

/** `YYYYMMDDTHHMMSSZ` of a date, the form that Signature Version 4 signs. */
export function basicTimestamp(date: Date): string {
  return date.toISOString().replace(/[-:]|\.\d{3}/g, '');
}

function fromHeader(authorization: string, headers: RequestHeaders): SignatureParameters {
  const blank = authorization.indexOf(' ');
  const scheme = blank < 0 ? authorization : authorization.slice(0, blank);
  if (scheme !== ALGORITHM) {
    if (scheme === 'AWS' || scheme.startsWith('AWS4-')) {
      throw unsupportedMechanism();
    }
    if (blank < 0) {
      // What has no scheme may be a secret as a whole, and is not repeated.
      const message = "Authorization header is invalid -- one and only one ' ' (space) required.";
      throw new SignatureError('InvalidArgument', message, { ArgumentName: 'Authorization' });
    }
    throw new SignatureError('InvalidArgument', 'Unsupported Authorization Type', {
      ArgumentName: 'Authorization',
      ArgumentValue: scheme,
    });
  }
  const fields = new Map<string, string>();
  for (const field of authorization.slice(blank + 1).split(',')) {
    const equals = field.indexOf('=');
    if (equals < 0) {
      throw malformedHeader(`the authorization component "${field.trim()}" is malformed.`);
    }
    fields.set(field.slice(0, equals).trim(), field.slice(equals + 1).trim());
  }
  const credential = fields.get('Credential');
  const signedHeaders = fields.get('SignedHeaders');
  const signature = fields.get('Signature');
  if (credential === undefined || signedHeaders === undefined || signature === undefined) {
    throw malformedHeader(
      fields.size < 3
        ? 'the authorization header requires three components: Credential, SignedHeaders, and Signature.'
        : `missing ${['Credential', 'SignedHeaders', 'Signature'].find((name) => !fields.has(name))}.`,
    );
  }
  if (!SIGNATURE.test(signature)) {
    throw new SignatureError('SignatureDoesNotMatch', 'The signature is not 64 lower-case hexadecimal digits.');
  }
  return {
    presigned: false,
    ...parseCredential(credential, malformedHeader),
    signedHeaders: parseSignedHeaders(signedHeaders, malformedHeader),
    signature,
    timestamp: headerTimestamp(headers),
  };
}

function fromQuery(query: ReadonlyMap<string, string>): SignatureParameters {
  const algorithm = query.get('X-Amz-Algorithm');
  if (algorithm !== ALGORITHM) {
    throw malformedQuery(`X-Amz-Algorithm only supports "${ALGORITHM}"`);
  }
  const names = ['X-Amz-Credential', 'X-Amz-Signature', 'X-Amz-Date', 'X-Amz-SignedHeaders', 'X-Amz-Expires'] as const;
  const values = names.map((name) => query.get(name) ?? '');
  if (values.includes('')) {
    throw malformedQuery(
      'Query-string authentication version 4 requires the X-Amz-Algorithm, X-Amz-Credential, X-Amz-Signature, X-Amz-Date, X-Amz-SignedHeaders, and X-Amz-Expires parameters.',
    );
  }
  const [credential, signature, timestamp, signedHeaders, expires] = values as [string, string, string, string, string];
  if (!SIGNATURE.test(signature)) {
    throw new SignatureError('SignatureDoesNotMatch', 'X-Amz-Signature is not 64 lower-case hexadecimal digits.');
  }
  if (Number.isNaN(timestampMillis(timestamp))) {
    throw malformedQuery("X-Amz-Date must be in the ISO8601 Long Format \"yyyyMMdd'T'HHmmss'Z'\"");
  }
  if (!/^-?\d{1,15}$/.test(expires)) {
    throw malformedQuery('X-Amz-Expires should be a number');
  }
  const seconds = Number(expires);
  if (seconds < 0) {
    throw malformedQuery('X-Amz-Expires must be non-negative');
  }
  if (seconds > MAX_EXPIRES) {
    throw malformedQuery(
      'X-Amz-Expires must be less than a week (in seconds); that is, the given X-Amz-Expires must be less than 604800 seconds',
    );
  }
  return {
    presigned: true,
    ...parseCredential(credential, malformedCredential),
    signedHeaders: parseSignedHeaders(signedHeaders, malformedQuery),
    signature,
    timestamp,
    expires: seconds,
    payloadHash: query.get('X-Amz-Content-Sha256'),
  };
}

/** Makes the error of a fault, of which the message tells. */
export type Refusal = (message: string) => SignatureError;

/** Reads a credential with its scope. */
export function parseCredential(
  credential: string,
  refuse: Refusal,
): Pick<SignatureParameters, 'accessKeyId' | 'date' | 'region' | 'service'> {
  const parts = credential.split('/');
  const [terminator, service, region, date] = parts.slice(-4).reverse();
  const accessKeyId = parts.slice(0, -4).join('/');
  if (accessKeyId === '' || date === undefined || region === undefined || service === undefined) {
    throw refuse('the Credential is mal-formed; expecting "<YOUR-AKID>/YYYYMMDD/REGION/SERVICE/aws4_request".');
  }
  if (terminator !== 'aws4_request') {
    throw refuse(`incorrect terminal "${terminator ?? ''}". This endpoint uses "aws4_request".`);
  }
  if (!/^\d{8}$/.test(date)) {
    throw refuse(`incorrect date format "${date}". This date in the credential must be in the format "yyyyMMdd".`);
  }
  return { accessKeyId, date, region, service };
}

function parseSignedHeaders(list: string, refuse: Refusal): string[] {
  const names = list.split(';');
  if (names.some((name) => name === '' || name !== name.toLowerCase())) {
    throw refuse('SignedHeaders must be lower-case header names separated by semicolons.');
  }
  if (!names.includes('host')) {
    throw refuse('SignedHeaders must contain "host".');
  }
  return names;
}

function headerTimestamp(headers: RequestHeaders): string {
  const amzDate = headers['x-amz-date'];
  if (typeof amzDate === 'string') {
    if (!Number.isNaN(timestampMillis(amzDate))) {
      return amzDate;
    }
  } else if (typeof headers.date === 'string') {
    const millis = TIMESTAMP.test(headers.date) ? timestampMillis(headers.date) : Date.parse(headers.date);
    if (!Number.isNaN(millis)) {
      return basicTimestamp(new Date(millis));
    }
  }
  throw new SignatureError('AccessDenied', 'AWS authentication requires a valid Date or x-amz-date header');
}

function malformedHeader(message: string): SignatureError {
  return new SignatureError('AuthorizationHeaderMalformed', `The authorization header is malformed; ${message}`);
}

function malformedCredential(message: string): SignatureError {
  return malformedQuery(`Error parsing the X-Amz-Credential parameter; ${message}`);
}

function malformedQuery(message: string): SignatureError {
  return new SignatureError('AuthorizationQueryParametersError', message);
}

function unsupportedMechanism(): SignatureError {
  return new SignatureError(
    'InvalidRequest',
    'The authorization mechanism you have provided is not supported. Please use AWS4-HMAC-SHA256.',
  );
}
