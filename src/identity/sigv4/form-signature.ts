import { legacySignatureOf } from '../sigv2/legacy-signature';
import type { Principal } from '../identity.types';
import { checkSessionToken, unknownAccessKey } from '../session-token';
import { SignatureError, signatureMismatch } from './signature-error';
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

const FIELDS_OF_FOUR = ['X-Amz-Algorithm', 'X-Amz-Credential', 'X-Amz-Date', 'X-Amz-Signature'];
const FIELDS_OF_TWO = ['AWSAccessKeyId', 'Signature'];

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
 * @throws SignatureError `AccessDenied` when nothing signs the policy, `InvalidArgument` for a field that is missing
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
  const form = formCredential(fields, policy, verification);
  const credential = await lookup(form.accessKeyId);
  if (credential === undefined || credential.status !== 'enabled') {
    throw unknownAccessKey(form.accessKeyId);
  }
  checkSessionToken(credential, [fields.get('x-amz-security-token')], now);
  if (!signaturesEqual(form.expected(credential.secretKey.reveal()), form.signature)) {
    throw signatureMismatch({ accessKeyId: form.accessKeyId, stringToSign: policy, signature: form.signature });
  }
  return {
    version: form.version,
    presigned: false,
    form: true,
    principal: credential.principal,
    accessKeyId: form.accessKeyId,
  };
}

function formCredential(
  fields: ReadonlyMap<string, string>,
  policy: string,
  verification: VerificationPolicy,
): FormCredential {
  if (FIELDS_OF_FOUR.some((name) => fields.has(name.toLowerCase()))) {
    return versionFour(fields, policy, verification);
  }
  if (FIELDS_OF_TWO.some((name) => fields.has(name.toLowerCase()))) {
    return versionTwo(fields, policy);
  }
  throw new SignatureError('AccessDenied', 'Access Denied');
}

function versionFour(
  fields: ReadonlyMap<string, string>,
  policy: string,
  verification: VerificationPolicy,
): FormCredential {
  if (requiredField(fields, 'X-Amz-Algorithm') !== 'AWS4-HMAC-SHA256') {
    throw new SignatureError('InvalidArgument', 'X-Amz-Algorithm only supports "AWS4-HMAC-SHA256"');
  }
  const parts = requiredField(fields, 'X-Amz-Credential').split('/');
  const [terminator, service, region, date] = parts.slice(-4).reverse();
  const accessKeyId = parts.slice(0, -4).join('/');
  const wellFormed = accessKeyId !== '' && terminator === 'aws4_request' && date !== undefined && /^\d{8}$/.test(date);
  if (!wellFormed || region !== verification.region || !verification.services.includes(service ?? '')) {
    throw new SignatureError(
      'InvalidArgument',
      `The X-Amz-Credential field is not of the form "<YOUR-AKID>/YYYYMMDD/${verification.region}/s3/aws4_request".`,
    );
  }
  const timestamp = requiredField(fields, 'X-Amz-Date');
  if (Number.isNaN(timestampMillis(timestamp)) || !timestamp.startsWith(date)) {
    throw new SignatureError(
      'InvalidArgument',
      'X-Amz-Date must be of the form "yyyyMMddTHHmmssZ" and fit the credential.',
    );
  }
  return {
    version: 4,
    accessKeyId,
    signature: requiredField(fields, 'X-Amz-Signature'),
    expected: (secret) => signatureOf(signingKey(secret, date, region, service ?? '', accessKeyId), policy),
  };
}

function versionTwo(fields: ReadonlyMap<string, string>, policy: string): FormCredential {
  return {
    version: 2,
    accessKeyId: requiredField(fields, 'AWSAccessKeyId'),
    signature: requiredField(fields, 'Signature'),
    expected: (secret) => legacySignatureOf(secret, policy),
  };
}

/**
 * A field that a form must have.
 *
 * @param name as S3 spells it; forms may spell it in any case
 * @throws SignatureError `InvalidArgument`
 */
export function requiredField(fields: ReadonlyMap<string, string>, name: string): string {
  const value = fields.get(name.toLowerCase());
  if (value === undefined || value === '') {
    throw new SignatureError(
      'InvalidArgument',
      `Bucket POST must contain a field named '${name}'.  If it is specified, please check the order of the fields.`,
      { ArgumentName: name, ArgumentValue: '' },
    );
  }
  return value;
}
