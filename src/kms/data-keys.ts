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

/** A wrapped data key with the encryption context that it is bound to. */
export interface BoundWrappedKey {
  readonly wrapped: WrappedDataKey;
  readonly context: EncryptionContext;
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

  /** How many data keys of a KMS, `<type>:<target>`, go into one call of the methods for several. */
  batchSize(_kms: string): number {
    return 1;
  }

  /**
   * {@link generate} for several contexts, in as few calls as the KMS allows.
   * @returns an outcome for each, in order
   */
  async generateAll(
    keyReference: string | undefined,
    contexts: readonly EncryptionContext[],
  ): Promise<PromiseSettledResult<GeneratedDataKey>[]> {
    return Promise.allSettled(contexts.map((context) => this.generate(keyReference, context)));
  }

  /**
   * {@link unwrap} for several data keys of one key, always asking the KMS, in as few calls as it allows.
   * @returns an outcome for each, in order
   */
  async unwrapAll(keys: readonly BoundWrappedKey[]): Promise<PromiseSettledResult<Buffer>[]> {
    return Promise.allSettled(keys.map(({ wrapped, context }) => this.unwrap(wrapped, context, { fresh: true })));
  }

  /**
   * Has the KMS wrap data keys of one key anew without their plaintext leaving it.
   *
   * @param keyReference the key to wrap under
   * @returns an outcome for each, in order; undefined when the KMS does not do that for these keys
   * @throws KmsError when the KMS does not tell whether it does
   */
  async rewrapAll(
    _keys: readonly BoundWrappedKey[],
    _keyReference: string,
  ): Promise<PromiseSettledResult<WrappedDataKey>[] | undefined> {
    return Promise.resolve(undefined);
  }

  /** Reference of the key that seals every object key a second time, where the deployment has one. */
  escrowReference(): string | undefined {
    return undefined;
  }
}
