import type { EncryptionContext } from '../common/encryption-context';

/** What a provider can do; pinned per provider by the contract suite. */
export interface KmsCapabilities {
  readonly createKey: boolean;
  readonly importKey: boolean;
  readonly listKeys: boolean;
  readonly rotateKey: boolean;
  readonly enableDisable: boolean;
  readonly scheduleDeletion: boolean;
  /** Deletes a key at once. */
  readonly deleteKey: boolean;
  /** Re-wraps a data key inside the KMS, the plaintext never leaving it. */
  readonly rewrap: boolean;
  /** Cryptographically binds the encryption context to the wrapped key. */
  readonly bindsContext: boolean;
  readonly keyVersions: boolean;
}

export type KeyState = 'enabled' | 'disabled' | 'pending-deletion';

export interface KeyDescription {
  readonly keyId: string;
  readonly state: KeyState;
  readonly algorithm: string;
  readonly latestVersion?: string;
  /** The version that data keys are wrapped by, where the configuration pins one. */
  readonly wrappingVersion?: string;
  readonly versions?: readonly { readonly version: string; readonly createdAt?: Date }[];
  readonly createdAt?: Date;
  readonly createdBy?: string;
  readonly description?: string;
  readonly deletionDate?: Date;
  /** The state is kept and enforced by this store; the KMS has none, and would serve others. */
  readonly stateKeptHere?: boolean;
  /** The KMS rotates the key by itself, where it does and tells. */
  readonly ownRotation?: OwnRotation;
}

/** Rotation that the KMS does without being asked. */
export interface OwnRotation {
  readonly periodDays: number;
  readonly next?: Date;
}

export interface KeyPage {
  readonly keys: readonly KeyDescription[];
  readonly nextMarker?: string;
}

export interface ProviderDataKey {
  /** 32 bytes, owned by the caller. */
  readonly plaintext: Buffer;
  readonly ciphertext: Buffer;
  readonly keyVersion?: string;
}

/** A data key as a provider wrapped it. */
export type ProviderWrappedKey = Omit<ProviderDataKey, 'plaintext'>;

/** A wrapped data key with the encryption context that it is bound to. */
export interface BoundDataKey extends ProviderWrappedKey {
  readonly context: EncryptionContext;
}

/** One step of a connection test: what was tried, how long it took, and what to do when it failed. */
export interface ConnectionTestStep {
  readonly name: string;
  readonly outcome: 'passed' | 'failed' | 'warning' | 'skipped';
  readonly milliseconds: number;
  readonly detail: string;
  readonly remedy?: string;
}

export interface ConnectionTestReport {
  readonly ok: boolean;
  readonly milliseconds: number;
  readonly steps: readonly ConnectionTestStep[];
}

/** Options of every provider call: the call policy cancels through the signal when a time limit passes. */
export interface CallOptions {
  readonly signal: AbortSignal;
}

/**
 * The contract of a KMS. One instance serves one configured target in one configuration version; a changed configuration
 * builds a new instance and the old one is destroyed when its last call has ended.
 *
 * The required core is key generation, unwrapping, describing and probing; everything else is optional and declared in
 * {@link KmsCapabilities}. Every method rejects with a KmsError.
 */
export interface KmsProvider {
  /** `builtin`, `vault`, … */
  readonly type: string;
  readonly capabilities: KmsCapabilities;
  /** Key id used when a request names none. */
  readonly defaultKeyId: string;
  /** Prepares what no call should wait for. Connects to nothing, so that a KMS that is down delays no start. */
  init?(): Promise<void>;
  destroy(): Promise<void>;
  generateDataKey(keyId: string, context: EncryptionContext, options: CallOptions): Promise<ProviderDataKey>;
  /** @param keyVersion as given by {@link generateDataKey}, where the ciphertext does not carry it itself */
  decryptDataKey(
    keyId: string,
    ciphertext: Buffer,
    context: EncryptionContext,
    keyVersion: string | undefined,
    options: CallOptions,
  ): Promise<Buffer>;
  describeKey(keyId: string, options: CallOptions): Promise<KeyDescription>;
  /** Cheap liveness of the service and its credentials, for readiness and the circuit breaker. */
  probe(options: CallOptions): Promise<void>;
  /** The full, step by step connection test; never rejects. */
  testConnection(options: CallOptions): Promise<ConnectionTestReport>;
  /** Most data keys that one call of the methods for several takes; 1 where there are none such. */
  readonly batchSize?: number;
  /** {@link generateDataKey} for several contexts in one call; rejects as a whole. */
  generateDataKeys?(
    keyId: string,
    contexts: readonly EncryptionContext[],
    options: CallOptions,
  ): Promise<ProviderDataKey[]>;
  /** {@link decryptDataKey} for several data keys in one call; rejects as a whole. */
  decryptDataKeys?(keyId: string, wrapped: readonly BoundDataKey[], options: CallOptions): Promise<Buffer[]>;
  /** Whether the two keys, and the way they bind a context, allow {@link rewrapDataKeys}; permission is another matter. */
  canRewrap?(from: string, to: string, options: CallOptions): Promise<boolean>;
  /** Wraps data keys anew under the newest version of a key without their plaintext leaving the KMS; rejects as a whole. */
  rewrapDataKeys?(
    from: string,
    to: string,
    wrapped: readonly BoundDataKey[],
    options: CallOptions,
  ): Promise<ProviderWrappedKey[]>;
  createKey?(keyId: string, options: CallOptions): Promise<KeyDescription>;
  listKeys?(pattern: string, marker: string | undefined, limit: number, options: CallOptions): Promise<KeyPage>;
  rotateKey?(keyId: string, options: CallOptions): Promise<KeyDescription>;
  setKeyEnabled?(keyId: string, enabled: boolean, options: CallOptions): Promise<KeyDescription>;
  importKey?(keyId: string, material: Buffer, options: CallOptions): Promise<KeyDescription>;
  scheduleKeyDeletion?(keyId: string, days: number, options: CallOptions): Promise<KeyDescription>;
  cancelKeyDeletion?(keyId: string, options: CallOptions): Promise<KeyDescription>;
  /** Destroys a key with all its versions; one that is not there is as good as destroyed. */
  deleteKey?(keyId: string, options: CallOptions): Promise<void>;
}
