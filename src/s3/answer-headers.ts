import type { CustomerKey } from '../crypto/encryption.types';
import type { EncryptionInfo, NamedVersion, WriteResult } from '../object-storage/object-storage.types';
import { checksumHeaders } from './headers/checksum-headers';
import { encryptionHeaders } from './headers/sse-headers';
import type { S3Authorizer } from './s3-authorizer';

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

/** A bucket that never had versioning shows no version ids. */
export function versionHeader({ versionId, versioned }: NamedVersion): Record<string, string> {
  return versioned ? { 'x-amz-version-id': versionId } : {};
}
