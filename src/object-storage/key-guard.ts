import type { EncryptionRequest, ObjectLocation } from '../crypto/encryption.types';
import type { StoredObject } from './object-row';
import type { KeyGuard, KeyInUse, KeyUse } from './object-storage.types';

/**
 * Has the guard of a write decide on the KMS key it will use. SSE-S3 and SSE-C use none that belongs to anybody else.
 * @throws what the guard rejects with
 */
export async function guardWrite(
  guard: KeyGuard | undefined,
  chosen: EncryptionRequest,
  location: ObjectLocation,
): Promise<void> {
  await ask(guard, 'generate', chosen, location);
}

/** The same for reading what is stored. @throws what the guard rejects with */
export async function guardRead(guard: KeyGuard | undefined, { info }: StoredObject): Promise<void> {
  await ask(guard, 'decrypt', info.encryption, info);
}

/** The same for an upload in parts, whose key is unwrapped anew for every part. @throws what the guard rejects with */
export async function guardUpload(
  guard: KeyGuard | undefined,
  chosen: EncryptionRequest,
  location: ObjectLocation,
): Promise<void> {
  await ask(guard, 'generate', chosen, location);
  await ask(guard, 'decrypt', chosen, location);
}

async function ask(
  guard: KeyGuard | undefined,
  use: KeyUse,
  encryption: EncryptionRequest | StoredObject['info']['encryption'],
  { bucket, key }: ObjectLocation,
): Promise<void> {
  if (guard === undefined || (encryption.mode !== 'sse-kms' && encryption.mode !== 'dsse-kms')) {
    return;
  }
  const { keyId, context, bucketKey } = encryption;
  const kms: KeyInUse['kms'] = 'kms' in encryption ? encryption.kms : undefined;
  await guard(use, { kms, keyId, context, resource: bucketKey === true ? { bucket } : { bucket, key } });
}
