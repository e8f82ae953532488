import type { EncryptionMode, EncryptionRequest } from '../crypto/encryption.types';
import type { AutoEncryption } from '../settings/settings';
import type { BucketEncryptionRule, BucketInfo } from './object-storage.types';
import { StorageError } from './storage-error';

/**
 * Decides how a write is encrypted: the request's own headers, then the bucket's rule, then the server's default. A
 * request for KMS encryption without a key takes the key of the bucket's rule, and its bucket-key setting likewise.
 * Whether there is a second seal is for the bucket, then the deployment, to say, never for the request.
 *
 * @throws StorageError `AccessDenied` for encryption that the bucket blocks
 */
export function chooseEncryption(
  request: EncryptionRequest | undefined,
  bucket: Pick<BucketInfo, 'encryption' | 'escrow'>,
  serverDefault: AutoEncryption,
): EncryptionRequest {
  if (request?.mode === 'sse-c' && bucket.encryption?.blocked === 'SSE-C') {
    throw new StorageError(
      'AccessDenied',
      'The bucket does not take new objects that are encrypted with customer-provided keys (SSE-C).',
    );
  }
  const chosen = chooseFirst(request, bucket.encryption, serverDefault);
  return chosen.mode === 'sse-kms' || chosen.mode === 'dsse-kms' ? { ...chosen, escrow: bucket.escrow } : chosen;
}

function chooseFirst(
  request: EncryptionRequest | undefined,
  rule: BucketEncryptionRule | null | undefined,
  serverDefault: AutoEncryption,
): EncryptionRequest {
  if (request !== undefined) {
    return rule ? completeFromRule(request, rule) : request;
  }
  if (rule) {
    return rule.mode === 'sse-s3'
      ? { mode: 'sse-s3' }
      : { mode: rule.mode, keyId: rule.keyId, bucketKey: rule.bucketKey };
  }
  return serverDefault === 'off' ? { mode: 'none' } : { mode: serverDefault };
}

/** Whether the ETag of a single upload is the MD5 of its content; in all other modes it is opaque, as on AWS. */
export function hasMd5Etag(mode: EncryptionMode): boolean {
  return mode === 'none' || mode === 'sse-s3';
}

function completeFromRule(request: EncryptionRequest, rule: BucketEncryptionRule): EncryptionRequest {
  if ((request.mode !== 'sse-kms' && request.mode !== 'dsse-kms') || rule.mode === 'sse-s3') {
    return request;
  }
  return { ...request, keyId: request.keyId ?? rule.keyId, bucketKey: request.bucketKey ?? rule.bucketKey };
}
