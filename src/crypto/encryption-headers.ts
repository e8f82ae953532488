import { canonicalContextText, type EncryptionContext } from '../common/encryption-context';
import { DomainError } from '../common/domain-error';
import type { EncryptionMode, EncryptionRecord } from './encryption.types';
import { parseContext } from './kms-context';

/** What S3 headers tell of an encryption. */
export interface EncryptionFacts {
  readonly mode: EncryptionMode;
  readonly keyId?: string;
  /** Exactly as the client sent it. */
  readonly context?: EncryptionContext;
  readonly bucketKey?: boolean;
  /** Base64 MD5 of the client's key, for SSE-C. */
  readonly customerKeyMd5?: string;
}

/** Header values by lower-case name. */
export type HeaderValues = Readonly<Record<string, string | undefined>>;

export const ENCRYPTION_HEADERS = {
  algorithm: 'x-amz-server-side-encryption',
  keyId: 'x-amz-server-side-encryption-aws-kms-key-id',
  context: 'x-amz-server-side-encryption-context',
  bucketKey: 'x-amz-server-side-encryption-bucket-key-enabled',
  customerAlgorithm: 'x-amz-server-side-encryption-customer-algorithm',
  customerKeyMd5: 'x-amz-server-side-encryption-customer-key-md5',
} as const;

const RUSTFS_ENCRYPTED_KEY = 'x-amz-meta-sse-kms-encrypted-key';
const RUSTFS_IV = 'x-amz-meta-sse-kms-iv';
const CUSTOMER_ALGORITHM = 'AES256';

const ALGORITHMS: Readonly<Record<'sse-s3' | 'sse-kms' | 'dsse-kms', string>> = {
  'sse-s3': 'AES256',
  'sse-kms': 'aws:kms',
  'dsse-kms': 'aws:kms:dsse',
};

/** Returns the headers that tell a client how an object is encrypted; none for an unencrypted one. */
export function toEncryptionHeaders(facts: EncryptionFacts): Record<string, string> {
  switch (facts.mode) {
    case 'none':
      return {};
    case 'sse-c':
      return compact({
        [ENCRYPTION_HEADERS.customerAlgorithm]: CUSTOMER_ALGORITHM,
        [ENCRYPTION_HEADERS.customerKeyMd5]: facts.customerKeyMd5,
      });
    case 'sse-s3':
      return { [ENCRYPTION_HEADERS.algorithm]: ALGORITHMS[facts.mode] };
    case 'sse-kms':
    case 'dsse-kms':
      return compact({
        [ENCRYPTION_HEADERS.algorithm]: ALGORITHMS[facts.mode],
        [ENCRYPTION_HEADERS.keyId]: facts.keyId,
        [ENCRYPTION_HEADERS.context]: facts.context && encodeContext(facts.context),
        [ENCRYPTION_HEADERS.bucketKey]: facts.bucketKey === true ? 'true' : undefined,
      });
  }
}

/**
 * Returns the pair of headers by which older RustFS clients learn of the wrapped key. They show ciphertext, so they belong
 * only where the operator has turned them on.
 */
export function toRustfsHeaders(record: EncryptionRecord): Record<string, string> {
  if (record.wrappedKey === undefined) {
    return {};
  }
  return {
    [RUSTFS_ENCRYPTED_KEY]: record.wrappedKey.ciphertext.toString('base64'),
    [RUSTFS_IV]: record.iv.toString('base64'),
  };
}

/**
 * Reads the encryption headers of a request, or of another server's answer.
 *
 * @returns undefined when there is none of them
 * @throws DomainError `InvalidArgument` when a value is unknown or malformed or two contradict each other, `InvalidRequest`
 *   when the key id begins or ends with a space
 */
export function fromEncryptionHeaders(headers: HeaderValues): EncryptionFacts | undefined {
  const algorithm = headers[ENCRYPTION_HEADERS.algorithm];
  const customerAlgorithm = headers[ENCRYPTION_HEADERS.customerAlgorithm];
  const customerKeyMd5 = headers[ENCRYPTION_HEADERS.customerKeyMd5];
  const kms = readKmsHeaders(headers);
  if (customerAlgorithm !== undefined || customerKeyMd5 !== undefined) {
    if (algorithm !== undefined || kms !== undefined) {
      throw invalid(ENCRYPTION_HEADERS.customerAlgorithm, 'A customer key excludes every other kind of encryption');
    }
    if (customerAlgorithm !== CUSTOMER_ALGORITHM) {
      throw invalid(ENCRYPTION_HEADERS.customerAlgorithm, 'Customer keys are for AES256');
    }
    return { mode: 'sse-c', ...(customerKeyMd5 === undefined ? {} : { customerKeyMd5 }) };
  }
  if (algorithm === undefined && kms === undefined) {
    return undefined;
  }
  const mode = (Object.keys(ALGORITHMS) as (keyof typeof ALGORITHMS)[]).find((key) => ALGORITHMS[key] === algorithm);
  if (mode === undefined) {
    throw invalid(ENCRYPTION_HEADERS.algorithm, 'The encryption is none of AES256, aws:kms and aws:kms:dsse');
  }
  if (mode === 'sse-s3' && kms !== undefined) {
    throw invalid(ENCRYPTION_HEADERS.algorithm, 'KMS key id, context and bucket key go with aws:kms only');
  }
  return { mode, ...kms };
}

function readKmsHeaders(headers: HeaderValues): Omit<EncryptionFacts, 'mode'> | undefined {
  const keyId = headers[ENCRYPTION_HEADERS.keyId];
  const context = headers[ENCRYPTION_HEADERS.context];
  const bucketKey = headers[ENCRYPTION_HEADERS.bucketKey];
  if (keyId === undefined && context === undefined && bucketKey === undefined) {
    return undefined;
  }
  if (keyId !== undefined && keyId.trim() !== keyId) {
    throw new DomainError('InvalidRequest', 'The KMS key id begins or ends with a space');
  }
  if (bucketKey !== undefined && !/^(true|false)$/i.test(bucketKey)) {
    throw invalid(ENCRYPTION_HEADERS.bucketKey, 'The bucket key is neither true nor false');
  }
  return {
    ...(keyId === undefined ? {} : { keyId }),
    ...(context === undefined ? {} : { context: decodeContext(context) }),
    ...(bucketKey === undefined ? {} : { bucketKey: bucketKey.toLowerCase() === 'true' }),
  };
}

function encodeContext(context: EncryptionContext): string {
  return Buffer.from(canonicalContextText(context), 'utf8').toString('base64');
}

function decodeContext(value: string): EncryptionContext {
  const bytes = Buffer.from(value, 'base64');
  const wellFormed = bytes.toString('base64').replace(/=+$/, '') === value.replace(/=+$/, '');
  const context = wellFormed ? parseContext(bytes.toString('utf8')) : undefined;
  if (context === undefined) {
    throw invalid(ENCRYPTION_HEADERS.context, 'The encryption context is not base64 of a JSON object of strings');
  }
  return context;
}

function compact(headers: Readonly<Record<string, string | undefined>>): Record<string, string> {
  return Object.fromEntries(
    Object.entries(headers).filter((entry): entry is [string, string] => entry[1] !== undefined),
  );
}

function invalid(name: string, message: string): DomainError {
  return new DomainError('InvalidArgument', message, { details: { ArgumentName: name } });
}
