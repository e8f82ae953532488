import type { EncryptionContext } from '../common/encryption-context';
import type { ObjectLocation } from './encryption.types';
import { boundPath } from './key-derivation';

/**
 * Returns the context a KMS authenticates with the data key of one object: the client's context and, as in MinIO, an entry
 * named like the bucket with the value `bucket/key`, unless the client's context has an entry of that name.
 */
export function objectContext(
  clientContext: EncryptionContext | undefined,
  location: ObjectLocation,
): EncryptionContext {
  return withEntry(clientContext, location.bucket, boundPath(location));
}

/** The same for a bucket key, which serves every object of the bucket that is written with the same client context. */
export function bucketContext(clientContext: EncryptionContext | undefined, bucket: string): EncryptionContext {
  return withEntry(clientContext, bucket, bucket);
}

/** Parses a JSON object of strings; undefined when the text is anything else. */
export function parseContext(text: string): EncryptionContext | undefined {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return undefined;
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    return undefined;
  }
  return Object.values(value).every((entry) => typeof entry === 'string') ? (value as EncryptionContext) : undefined;
}

function withEntry(context: EncryptionContext | undefined, name: string, value: string): EncryptionContext {
  return context !== undefined && Object.hasOwn(context, name) ? context : { ...context, [name]: value };
}
