import { createHash, timingSafeEqual } from 'node:crypto';
import type { IncomingHttpHeaders } from 'node:http';
import { ENCRYPTION_HEADERS, fromEncryptionHeaders, toEncryptionHeaders } from '../../crypto/encryption-headers';
import type { CustomerKey, EncryptionRequest } from '../../crypto/encryption.types';
import type { EncryptionInfo } from '../../object-storage/object-storage.types';
import { invalidArgument, S3Error } from '../s3-error';
import { headerOf } from './header-values';

const CUSTOMER = 'x-amz-server-side-encryption-customer-';
const COPY_SOURCE_CUSTOMER = 'x-amz-copy-source-server-side-encryption-customer-';
const PARTS = ['algorithm', 'key', 'key-md5'];
const MANAGED = [
  ENCRYPTION_HEADERS.algorithm,
  ENCRYPTION_HEADERS.keyId,
  ENCRYPTION_HEADERS.context,
  ENCRYPTION_HEADERS.bucketKey,
] as const;

/**
 * The encryption a write asks for by its headers; undefined leaves it to the bucket and the server. SSE-C is accepted
 * over plain HTTP too: transport security is the operator's choice, and clients on the same host often go without.
 *
 * @throws DomainError InvalidArgument, InvalidRequest, with the codes MinIO and AWS answer
 */
export function requestedEncryption(headers: IncomingHttpHeaders): EncryptionRequest | undefined {
  if (carriesManagedEncryption(headers) && PARTS.some((part) => headers[CUSTOMER + part] !== undefined)) {
    throw invalidArgument(
      'Server Side Encryption with Customer provided key is incompatible with the encryption method specified',
      ENCRYPTION_HEADERS.algorithm,
      headerOf(headers, ENCRYPTION_HEADERS.algorithm),
    );
  }
  const customerKey = customerKeyOf(headers);
  if (customerKey !== undefined) {
    return { mode: 'sse-c', customerKey };
  }
  if (!carriesManagedEncryption(headers)) {
    return undefined;
  }
  const facts = fromEncryptionHeaders({
    [ENCRYPTION_HEADERS.algorithm]: headerOf(headers, ENCRYPTION_HEADERS.algorithm),
    [ENCRYPTION_HEADERS.keyId]: headerOf(headers, ENCRYPTION_HEADERS.keyId),
    [ENCRYPTION_HEADERS.context]: headerOf(headers, ENCRYPTION_HEADERS.context),
    [ENCRYPTION_HEADERS.bucketKey]: headerOf(headers, ENCRYPTION_HEADERS.bucketKey),
  });
  if (facts === undefined || facts.mode === 'none' || facts.mode === 'sse-c') {
    return undefined;
  }
  if (facts.mode === 'sse-s3') {
    return { mode: 'sse-s3' };
  }
  const { mode, keyId, context, bucketKey } = facts;
  if (keyId === '') {
    throw invalidArgument('The KMS key id must not be empty', ENCRYPTION_HEADERS.keyId, '');
  }
  return { mode, keyId, context, bucketKey };
}

/** Key of SSE-C for the object itself. @throws S3Error InvalidArgument when the three headers are not a valid key */
export function customerKeyOf(headers: IncomingHttpHeaders): CustomerKey | undefined {
  return customerKeyUnder(headers, CUSTOMER);
}

/**
 * Key of SSE-C for a read, which AWS takes without its MD5 too: a wrong key opens nothing anyway.
 * @throws S3Error InvalidArgument, InvalidEncryptionAlgorithmError, AccessDenied when the headers are not a valid key
 */
export function readingCustomerKeyOf(headers: IncomingHttpHeaders): CustomerKey | undefined {
  return customerKeyUnder(headers, CUSTOMER, 'read');
}

/** Key of SSE-C for the source of a copy. @throws S3Error InvalidArgument */
export function copySourceCustomerKeyOf(headers: IncomingHttpHeaders): CustomerKey | undefined {
  return customerKeyUnder(headers, COPY_SOURCE_CUSTOMER);
}

/** Refuses copy-source keys where nothing is copied. @throws S3Error InvalidRequest */
export function refuseCopySourceKey(headers: IncomingHttpHeaders): void {
  if (
    headers[`${COPY_SOURCE_CUSTOMER}algorithm`] !== undefined ||
    headers[`${COPY_SOURCE_CUSTOMER}key`] !== undefined
  ) {
    throw new S3Error('InvalidRequest', 'The encryption parameters are not applicable to this object.');
  }
}

/** Refuses SSE-S3 and SSE-KMS headers on a read. @throws S3Error BadRequest */
export function refuseManagedEncryptionOnRead(headers: IncomingHttpHeaders): void {
  if (carriesManagedEncryption(headers)) {
    throw new S3Error(
      'BadRequest',
      'Server side encryption headers other than those of customer keys do not belong to a read.',
    );
  }
}

/** Whether any header of SSE-S3 or SSE-KMS is there. */
export function carriesManagedEncryption(headers: IncomingHttpHeaders): boolean {
  return MANAGED.some((name) => headers[name] !== undefined);
}

/**
 * Headers that tell how an object is encrypted.
 *
 * @param keyReference the key id in a form that the client can send back
 * @param customerKey the key the client sent, whose MD5 is repeated
 */
export function encryptionHeaders(
  info: EncryptionInfo,
  keyReference: string | undefined,
  customerKey?: CustomerKey,
): Record<string, string> {
  return toEncryptionHeaders({
    mode: info.mode,
    keyId: keyReference,
    context: info.context,
    bucketKey: info.bucketKey,
    customerKeyMd5: customerKey?.md5,
  });
}

function customerKeyUnder(
  headers: IncomingHttpHeaders,
  prefix: string,
  use: 'read' | 'write' = 'write',
): CustomerKey | undefined {
  const algorithm = headerOf(headers, `${prefix}algorithm`);
  const key = headerOf(headers, `${prefix}key`);
  const md5 = headerOf(headers, `${prefix}key-md5`);
  if (algorithm === undefined && key === undefined && md5 === undefined) {
    return undefined;
  }
  const subject = 'Requests specifying Server Side Encryption with Customer provided keys must provide';
  if (algorithm === undefined) {
    throw invalidKey(`${subject} a valid encryption algorithm.`);
  }
  if (algorithm !== 'AES256') {
    throw new S3Error('InvalidEncryptionAlgorithmError', undefined, {
      ArgumentName: ENCRYPTION_HEADERS.algorithm,
      ArgumentValue: algorithm,
    });
  }
  if (key === undefined || key === '') {
    throw invalidKey(`${subject} an appropriate secret key.`);
  }
  if (md5 === '' || (md5 === undefined && use === 'write')) {
    throw invalidKey(`${subject} the client calculated MD5 of the secret key.`);
  }
  const bytes = Buffer.from(key, 'base64');
  if (bytes.length !== 32 || bytes.toString('base64') !== key) {
    // What is no key at all is a wrong one, to who reads.
    throw use === 'read'
      ? new S3Error('AccessDenied', `${subject} the correct secret key.`)
      : invalidKey('The secret key was invalid for the specified algorithm.');
  }
  const digest = createHash('md5').update(bytes).digest();
  const stated = md5 === undefined ? digest : Buffer.from(md5, 'base64');
  if (stated.length !== digest.length || !timingSafeEqual(stated, digest)) {
    throw invalidKey('The calculated MD5 hash of the key did not match the hash that was provided.');
  }
  return { key: bytes, md5: digest.toString('base64') };
}

/** AWS names this header, whichever of those of the key is wrong. */
function invalidKey(message: string): S3Error {
  return invalidArgument(message, ENCRYPTION_HEADERS.algorithm);
}
