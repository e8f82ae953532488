import type { CustomerKey } from '../crypto/encryption.types';
import type { EncryptionInfo, WriteResult } from '../object-storage/object-storage.types';
import { checksumHeaders } from './headers/checksum-headers';
import { encryptionHeaders } from './headers/sse-headers';
import type { S3Authorizer } from './s3-authorizer';
import type { S3Call } from './s3-call';

/** Headers by which every answer about an object tells of its encryption. */
export function encryptionAnswerHeaders(
  info: EncryptionInfo,
  authorizer: S3Authorizer,
  customerKey?: CustomerKey,
): Record<string, string> {
  return info.mode === 'none'
    ? {}
    : encryptionHeaders(info, authorizer.keyReference(info.kms, info.keyId), customerKey);
}

/** Headers of a finished write. */
export function writeHeaders(
  result: WriteResult,
  authorizer: S3Authorizer,
  customerKey?: CustomerKey,
): Record<string, string> {
  const headers = {
    ...checksumHeaders(result.checksum),
    ...encryptionAnswerHeaders(result.encryption, authorizer, customerKey),
  };
  // A write to a bucket whose versioning is suspended makes the null version, which goes unnamed.
  if (result.versionId !== undefined && result.versionId !== 'null') {
    headers['x-amz-version-id'] = result.versionId;
  }
  return headers;
}

/** The null version goes unnamed unless it was asked for: a bucket that never had versioning shows no version ids. */
export function versionHeader(call: S3Call, versionId: string): Record<string, string> {
  return versionId === 'null' && call.versionId === undefined ? {} : { 'x-amz-version-id': versionId };
}
