import type { EncryptionContext } from '../common/encryption-context';
import type { WrappedDataKey } from '../kms/data-keys';

export type EncryptionMode = 'none' | 'sse-s3' | 'sse-kms' | 'dsse-kms' | 'sse-c';

/** Cipher of DARE 2.0 packages; the package header names it, so readers need no hint. */
export type DareCipher = 'AES-256-GCM' | 'CHACHA20-POLY1305';

/** The client's own key of SSE-C: 32 bytes and the base64 MD5 the client sent with it. */
export interface CustomerKey {
  readonly key: Buffer;
  readonly md5: string;
}

/** The encryption a write is to have, after request headers, bucket rule and server default have been weighed. */
export type EncryptionRequest =
  | { readonly mode: 'none' }
  | { readonly mode: 'sse-s3' }
  | {
      readonly mode: 'sse-kms' | 'dsse-kms';
      /** Key reference; undefined means the default key of the default KMS target. */
      readonly keyId?: string;
      /** Exactly what the client sent; undefined when it sent none. */
      readonly context?: EncryptionContext;
      readonly bucketKey?: boolean;
      /** Reference of the key for a second seal; null for none, undefined for what the deployment has set. */
      readonly escrow?: string | null;
    }
  | { readonly mode: 'sse-c'; readonly customerKey: CustomerKey };

/** Bucket and key an object key is bound to. */
export interface ObjectLocation {
  readonly bucket: string;
  readonly key: string;
}

/** A second seal of the same object key, under a key of another KMS. */
export interface EscrowSeal {
  /** 32 random bytes that enter the sealing key. */
  readonly iv: Buffer;
  /** `DAREv2-HMAC-SHA256`. */
  readonly sealAlgorithm: string;
  /** 64 bytes, as the first one. */
  readonly sealedKey: Buffer;
  readonly wrappedKey: WrappedDataKey;
}

/** Everything stored with an object version so that its object key can be unsealed again. No plaintext keys. */
export interface EncryptionRecord {
  readonly mode: Exclude<EncryptionMode, 'none'>;
  /** 32 random bytes that enter the sealing key. */
  readonly iv: Buffer;
  /** `DAREv2-HMAC-SHA256`. */
  readonly sealAlgorithm: string;
  /** 64 bytes: one DARE package over the 32-byte object key. */
  readonly sealedKey: Buffer;
  /** Absent for SSE-C only. */
  readonly wrappedKey?: WrappedDataKey;
  /** The client's context exactly as sent. */
  readonly context?: EncryptionContext;
  readonly bucketKey?: boolean;
  /** SSE-KMS and DSSE-KMS only; with bucket keys its data key comes from a bucket key too. */
  readonly escrow?: EscrowSeal;
  /** True when the ciphertext is a concatenation of parts, each under its own part key. */
  readonly multipart: boolean;
}

/** An object key being put to use for writing, while its sealing by the KMS is still under way. */
export interface PendingSeal {
  /** 32 random bytes; usable at once. Zeroed by {@link discard}. */
  readonly objectKey: Buffer;
  /** Settles when the KMS has answered; await it before committing metadata. A rejection is a KmsError. Never unhandled. */
  readonly record: Promise<EncryptionRecord>;
  discard(): void;
}

/** The bytes of ciphertext to read for a range of plaintext, and how to cut the decrypted packages. */
export interface DareRange {
  readonly ciphertextOffset: number;
  readonly ciphertextLength: number;
  /** Sequence number of the first package read. */
  readonly firstSequence: number;
  /** Plaintext bytes to drop at the start of the first package. */
  readonly skip: number;
  /** Plaintext bytes wanted. */
  readonly length: number;
}

/** Push-style package writer: no streams, so one loop can hash, seal and write with back-pressure. */
export interface SealingStage {
  /** Returns the sealed bytes that these bytes become: pieces, to be written in this order. */
  update(chunk: Buffer): Buffer[];
  /** Ends the stream; returns what is left to be written. */
  final(): Buffer[];
}

/** Push-style package reader. */
export interface OpeningStage {
  /**
   * Returns plaintext of the packages completed by these bytes.
   * @throws CiphertextError before any byte of a bad package is returned
   */
  update(chunk: Buffer): Buffer[];
  /** @throws CiphertextError when packages are missing */
  final(): void;
}
