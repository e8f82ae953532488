import type { EncryptionContext } from '../common/encryption-context';

/** A data key as the KMS wrapped it, with everything needed to have it unwrapped again. */
export interface WrappedDataKey {
  /** The KMS that wrapped it, `<type>:<target>`, e.g. `vault:default`, `builtin:default`. */
  readonly kms: string;
  /** The key's id inside that KMS. */
  readonly keyId: string;
  /** The key version that wrapped it, in the provider's own spelling, where the provider tells. */
  readonly keyVersion?: string;
  /** The provider's ciphertext, byte for byte (for Vault the UTF-8 of `vault:vN:…`). */
  readonly ciphertext: Buffer;
}

/** A fresh data key. The receiver owns `plaintext` (32 bytes) and zeroes it after use. */
export interface GeneratedDataKey {
  readonly plaintext: Buffer;
  readonly wrapped: WrappedDataKey;
}

export interface UnwrapOptions {
  readonly fresh?: boolean;
}

/** What a key reference stands for. */
export interface ResolvedKey {
  readonly kms: string;
  readonly keyId: string;
  /** Changes whenever the target's configuration does; what was made under another revision is not to be used for writing. */
  readonly revision?: string;
}

/**
 * The port through which object encryption gets its data keys; provided by the KMS module.
 *
 * A *key reference* is `key` (in the default target), `target/key`, `type:target/key`, or a provider-native id such as an
 * ARN; undefined means the default key of the default target.
 */
export abstract class DataKeys {
  /**
   * Has the KMS generate and wrap a 32-byte data key bound to the context.
   * @throws KmsError
   */
  abstract generate(keyReference: string | undefined, context: EncryptionContext): Promise<GeneratedDataKey>;

  /** The same for SSE-S3: always a key of the embedded keyring, so that it works while every external KMS is down. */
  abstract generateForServer(context: EncryptionContext): Promise<GeneratedDataKey>;

  /**
   * Returns the 32-byte plaintext of a wrapped data key. The receiver owns the buffer and zeroes it after use.
   * @param options.fresh asks the KMS even when the answer is known, to prove that it can still give it
   * @throws KmsError
   */
  abstract unwrap(wrapped: WrappedDataKey, context: EncryptionContext, options?: UnwrapOptions): Promise<Buffer>;

  /**
   * Resolves a key reference to the canonical `kms` and `keyId` without a KMS call, for checks and read-outs.
   * @throws KmsError `kms-not-configured` when the reference names no active target
   */
  abstract resolve(keyReference: string | undefined): ResolvedKey;

  /** Reference of the key that seals every object key a second time, where the deployment has one. */
  escrowReference(): string | undefined {
    return undefined;
  }
}
