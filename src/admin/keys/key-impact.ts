import type { KeyUsage } from '../../object-storage/key-usage.service';

/** Something that would be lost, or would fail, without a key. */
export interface KeyReferenceEntry {
  readonly kind: 'service-default-key' | 'bucket-default-encryption' | 'objects' | 'multipart-uploads' | 'second-seals';
  /** The bucket, or the key version; empty where the KMS tells no version. */
  readonly id: string;
  readonly detail: string;
}

/** What deleting a key would destroy, counted and not estimated. */
export interface KeyImpact {
  readonly keyId: string;
  readonly kms: string;
  readonly references: readonly KeyReferenceEntry[];
  readonly usage: KeyUsage;
}

/** @param isServiceDefault requests that name no key use this one */
export function impactOf(usage: KeyUsage, isServiceDefault: boolean): KeyImpact {
  const references: KeyReferenceEntry[] = [];
  if (isServiceDefault) {
    references.push({ kind: 'service-default-key', id: usage.kms, detail: 'Requests that name no key use it' });
  }
  for (const bucket of usage.bucketDefaults) {
    references.push({
      kind: 'bucket-default-encryption',
      id: bucket,
      detail: 'The bucket encrypts with it by default',
    });
  }
  for (const { keyVersion, objects, bytes, uploads, escrowObjects, escrowUploads } of usage.versions) {
    const id = keyVersion ?? '';
    if (objects > 0) {
      references.push({ kind: 'objects', id, detail: `${objects} object versions of ${bytes} bytes` });
    }
    if (uploads > 0) {
      references.push({ kind: 'multipart-uploads', id, detail: `${uploads} uploads in progress` });
    }
    if (escrowObjects + escrowUploads > 0) {
      const detail = `${escrowObjects} object versions and ${escrowUploads} uploads fall back on it when their first KMS is lost`;
      references.push({ kind: 'second-seals', id, detail });
    }
  }
  return { keyId: usage.keyId, kms: usage.kms, references, usage };
}
