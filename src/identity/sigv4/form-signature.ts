import { legacySignatureOf } from '../sigv2/legacy-signature';
import type { Principal } from '../identity.types';
import { checkSessionToken, unknownAccessKey } from '../session-token';
import { SignatureError } from './signature-error';
import { timestampMillis } from './signature-parameters';
import type { CredentialLookup, VerificationPolicy } from './signature-verifier';
import { signatureOf, signaturesEqual, signingKey } from './signing-key';

/** A browser form whose policy was signed by a credential of the store. */
export interface VerifiedForm {
  readonly version: 2 | 4;
  readonly presigned: false;
  readonly form: true;
  readonly principal: Principal;
  readonly accessKeyId: string;
}

interface FormCredential {
  readonly version: 2 | 4;
  readonly accessKeyId: string;
  readonly signature: string;
  /** The signature the form should bear. */
  readonly expected: (secret: string) => string;
}

/**
 * Verifies the signature over the policy of a browser form (POST Object), of Version 4 or 2.
 *
 * @param fields by lower-case name
 * @param now the server's clock
 * @returns undefined when the form has no policy, and so no signer
 * @throws SignatureError
 */
export async function verifyFormSignature(
  fields: ReadonlyMap<string, string>,
  verification: VerificationPolicy,
  lookup: CredentialLookup,
  now: Date,
): Promise<VerifiedForm | undefined> {
  const policy = fields.get('policy');
  if (policy === undefined) {
    return undefined;
  }
  const form = fields.has('x-amz-algorithm') ? versionFour(fields, policy, verification) : versionTwo(fields, policy);
  const credential = await lookup(form.accessKeyId);
  if (credential === undefined || credential.status !== 'enabled') {
    throw unknownAccessKey(form.accessKeyId);
  }
  checkSessionToken(credential, [fields.get('x-amz-security-token')], now);
  if (!signaturesEqual(form.expected(credential.secretKey.reveal()), form.signature)) {
    throw new SignatureError(
      'SignatureDoesNotMatch',
      'The request signature we calculated does not match the signature you provided. Check your key and signing method.',
      { AWSAccessKeyId: form.accessKeyId, StringToSign: policy, SignatureProvided: form.signature },
    );
  }
  return {
    version: form.version,
    presigned: false,
    form: true,
    principal: credential.principal,
    accessKeyId: form.accessKeyId,
  };
}

function versionFour(
  fields: ReadonlyMap<string, string>,
  policy: string,
  verification: VerificationPolicy,
): FormCredential {
  if (required(fields, 'x-amz-algorithm') !== 'AWS4-HMAC-SHA256') {
    throw new SignatureError('InvalidArgument', 'X-Amz-Algorithm only supports "AWS4-HMAC-SHA256"');
  }
  const parts = required(fields, 'x-amz-credential').split('/');
  const [terminator, service, region, date] = parts.slice(-4).reverse();
  const accessKeyId = parts.slice(0, -4).join('/');
  const wellFormed = accessKeyId !== '' && terminator === 'aws4_request' && date !== undefined && /^\d{8}$/.test(date);
  if (!wellFormed || region !== verification.region || !verification.services.includes(service ?? '')) {
    throw new SignatureError(
      'InvalidArgument',
      `The X-Amz-Credential field is not of the form "<YOUR-AKID>/YYYYMMDD/${verification.region}/s3/aws4_request".`,
    );
  }
  const timestamp = required(fields, 'x-amz-date');
  if (Number.isNaN(timestampMillis(timestamp)) || !timestamp.startsWith(date)) {
    throw new SignatureError(
      'InvalidArgument',
      'X-Amz-Date must be of the form "yyyyMMddTHHmmssZ" and fit the credential.',
    );
  }
  return {
    version: 4,
    accessKeyId,
    signature: required(fields, 'x-amz-signature'),
    expected: (secret) => signatureOf(signingKey(secret, date, region, service ?? '', accessKeyId), policy),
  };
}

function versionTwo(fields: ReadonlyMap<string, string>, policy: string): FormCredential {
  return {
    version: 2,
    accessKeyId: required(fields, 'awsaccesskeyid'),
    signature: required(fields, 'signature'),
    expected: (secret) => legacySignatureOf(secret, policy),
  };
}

function required(fields: ReadonlyMap<string, string>, name: string): string {
  const value = fields.get(name);
  if (value === undefined || value === '') {
    throw new SignatureError(
      'InvalidArgument',
      `Bucket POST must contain a field named '${name}'. If it is specified, please check the order of the fields.`,
      { ArgumentName: name },
    );
  }
  return value;
}
