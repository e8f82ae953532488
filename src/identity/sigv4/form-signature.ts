import { legacySignatureOf } from '../sigv2/legacy-signature';
import type { Principal } from '../identity.types';
import { checkSessionToken, unknownAccessKey } from '../session-token';
import { SignatureError, signatureMismatch } from './signature-error';
import { parseCredential, type Refusal, timestampMillis } from './signature-parameters';
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
 * @returns undefined when the form has neither policy nor signature, and so no signer
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
    if ([...FIELDS_OF_FOUR, ...FIELDS_OF_TWO].some((name) => fields.has(name.toLowerCase()))) {
      throw missingField('policy');
    }
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
  const algorithm = requiredField(fields, 'X-Amz-Algorithm');
  if (algorithm !== 'AWS4-HMAC-SHA256') {
    throw refused('X-Amz-Algorithm', algorithm)('Only AWS4-HMAC-SHA256 is supported');
  }
  const stated = requiredField(fields, 'X-Amz-Credential');
  const refuse = refused('x-amz-credential', stated);
  const { accessKeyId, date, region, service } = parseCredential(stated, refuse);
  if (region !== verification.region) {
    throw refuse(`the region '${region}' is wrong; expecting '${verification.region}'`);
  }
  if (!verification.services.includes(service)) {
    throw refuse(`incorrect service "${service}". This endpoint belongs to "${verification.services.join('", "')}".`);
  }
  const timestamp = requiredField(fields, 'X-Amz-Date');
  if (Number.isNaN(timestampMillis(timestamp))) {
    throw refused('X-Amz-Date', timestamp)('X-Amz-Date must be formated via ISO8601 Long format');
  }
  if (!timestamp.startsWith(date)) {
    throw refuse(
      `Invalid credential date "${date}". This date is not the same as X-Amz-Date: "${timestamp.slice(0, 8)}".`,
    );
  }
  return {
    version: 4,
    accessKeyId,
    signature: requiredField(fields, 'X-Amz-Signature'),
    expected: (secret) => signatureOf(signingKey(secret, date, region, service, accessKeyId), policy),
  };
}

function refused(name: string, value: string): Refusal {
  return (message) => new SignatureError('InvalidArgument', message, { ArgumentName: name, ArgumentValue: value });
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
    throw missingField(name);
  }
  return value;
}

function missingField(name: string): SignatureError {
  return new SignatureError(
    'InvalidArgument',
    `Bucket POST must contain a field named '${name}'.  If it is specified, please check the order of the fields.`,
    { ArgumentName: name, ArgumentValue: '' },
  );
}
