import type { EncryptionRequest } from '../crypto/encryption.types';
import type { StoredObject } from './object-row';
import type { KeyGuard } from './object-storage.types';

/**
 * Has the guard of a write decide on the KMS key it will use. SSE-S3 and SSE-C use none that belongs to anybody else.
 * @throws what the guard rejects with
 */
export async function guardWrite(guard: KeyGuard | undefined, chosen: EncryptionRequest): Promise<void> {
  if (guard !== undefined && (chosen.mode === 'sse-kms' || chosen.mode === 'dsse-kms')) {
    await guard('generate', { keyId: chosen.keyId, context: chosen.context });
  }
}

/** The same for reading what is stored. @throws what the guard rejects with */
export async function guardRead(guard: KeyGuard | undefined, { info }: StoredObject): Promise<void> {
  const { mode, kms, keyId, context } = info.encryption;
  if (guard !== undefined && (mode === 'sse-kms' || mode === 'dsse-kms')) {
    await guard('decrypt', { kms, keyId, context });
  }
}

/** The same for an upload in parts, whose key is unwrapped anew for every part. @throws what the guard rejects with */
export async function guardUpload(guard: KeyGuard | undefined, chosen: EncryptionRequest): Promise<void> {
  await guardWrite(guard, chosen);
  if (guard !== undefined && (chosen.mode === 'sse-kms' || chosen.mode === 'dsse-kms')) {
    await guard('decrypt', { keyId: chosen.keyId, context: chosen.context });
  }
}
