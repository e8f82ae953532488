import { timingSafeEqual } from 'node:crypto';
import { Injectable, Optional, type OnApplicationShutdown } from '@nestjs/common';
import { annotateAudit, AuditTrail } from '../common/audit-trail';
import { canonicalContextText, type EncryptionContext } from '../common/encryption-context';
import { DataKeyCache, type DataKeyCacheOptions } from './data-key-cache';
import { DataKeyCalls } from './data-key-calls';
import {
  type BoundWrappedKey,
  DataKeys,
  type GeneratedDataKey,
  type UnwrapOptions,
  type WrappedDataKey,
} from './data-keys';
import { parseKeyReference } from './key-reference';
import { KeptKeyStates } from './kept-key-states';
import { type KeyInHand, KeyStateChanges } from './key-state-changes';
import { Keyring } from './keyring';
import type { KmsOperation } from './kms-call-policy';
import { KmsError } from './kms-error';
import type { CallOptions, ConnectionTestReport, KeyDescription, KmsProvider } from './kms-provider';
import { BUILTIN_KMS, KmsRegistry } from './kms-registry.service';
import type { KmsTarget, KmsTargetStatus } from './kms-target';
import { SERVER_KEY_ID } from './providers/builtin.provider';
import { WrapCounter } from './wrap-counter';

const TEST_DEADLINE = 60_000;

/** A key together with the KMS it lives in. */
export interface KmsKey extends KeyDescription {
  /** `<type>:<target>`. */
  readonly kms: string;
}

export interface KmsKeyPage {
  readonly kms: string;
  readonly keys: readonly KmsKey[];
  readonly nextMarker?: string;
}

/** What a trial of one key showed; the errors are absent when all went well. */
export interface KeyTrial {
  readonly kms: string;
  readonly keyId: string;
  /** The version that wrapped, where the KMS tells. */
  readonly keyVersion?: string;
  readonly encryptionError?: KmsError;
  readonly decryptionError?: KmsError;
}

/**
 * The KMS of the application: data keys for object encryption, and keys and targets for administrators. References are
 * those of {@link DataKeys}; every failure is a KmsError.
 */
@Injectable()
export class KmsService extends DataKeys implements OnApplicationShutdown {
  private readonly cache: DataKeyCache;
  private readonly calls: DataKeyCalls;
  private readonly states: KeyStateChanges;
  private readonly stopWatching: () => void;

  constructor(
    private readonly registry: KmsRegistry,
    keyring: Keyring,
    private readonly kept: KeptKeyStates,
    @Optional() audit?: AuditTrail,
    @Optional() wraps?: WrapCounter,
  ) {
    super();
    this.calls = new DataKeyCalls(registry, kept, audit, wraps);
    this.states = new KeyStateChanges(kept);
    this.cache = new DataKeyCache(registry.settings.cache);
    registry.onChange((kms) => {
      if (kms === undefined) {
        this.cache.configure(registry.settings.cache);
      } else {
        this.cache.invalidate(kms);
      }
    });
    kept.onChange((kms, keyId) => this.cache.invalidate(kms, keyId));
    this.stopWatching = keyring.onChange((keyId) => this.cache.invalidate(BUILTIN_KMS, keyId));
  }

  onApplicationShutdown(): void {
    this.stopWatching();
    this.cache.close();
  }

  override async generate(keyReference: string | undefined, context: EncryptionContext): Promise<GeneratedDataKey> {
    const { target, keyId } = this.locate(keyReference);
    return this.calls.generate(this.registry.requireForWrapping(target.kms), keyId, context);
  }

  override async generateForServer(context: EncryptionContext): Promise<GeneratedDataKey> {
    return this.calls.generate(this.registry.builtin, SERVER_KEY_ID, context);
  }

  override async unwrap(
    wrapped: WrappedDataKey,
    context: EncryptionContext,
    options: UnwrapOptions = {},
  ): Promise<Buffer> {
    if (options.fresh === true) {
      return this.calls.unwrap({ wrapped, context });
    }
    this.kept.refuseUnusable(wrapped.kms, wrapped.keyId);
    return this.cache.get(wrapped, Buffer.from(canonicalContextText(context), 'utf8'), () =>
      this.calls.unwrap({ wrapped, context }),
    );
  }

  override batchSize(kms: string): number {
    return this.calls.batchSize(kms);
  }

  override async generateAll(
    keyReference: string | undefined,
    contexts: readonly EncryptionContext[],
  ): Promise<PromiseSettledResult<GeneratedDataKey>[]> {
    const { target, keyId } = this.locate(keyReference);
    return this.calls.generateAll(this.registry.requireForWrapping(target.kms), keyId, contexts);
  }

  override async unwrapAll(keys: readonly BoundWrappedKey[]): Promise<PromiseSettledResult<Buffer>[]> {
    return this.calls.unwrapAll(keys);
  }

  override async rewrapAll(
    keys: readonly BoundWrappedKey[],
    keyReference: string,
  ): Promise<PromiseSettledResult<WrappedDataKey>[] | undefined> {
    const { target, keyId } = this.locate(keyReference);
    return this.calls.rewrapAll(keys, this.registry.requireForWrapping(target.kms), keyId);
  }

  override resolve(keyReference: string | undefined): { readonly kms: string; readonly keyId: string } {
    const { target, keyId } = this.locate(keyReference);
    return { kms: this.registry.requireForWrapping(target.kms).kms, keyId };
  }

  /** Like {@link resolve}, for administration: also of keys that are not to wrap anything new. */
  locateKey(keyReference: string | undefined): { readonly kms: string; readonly keyId: string } {
    const { target, keyId } = this.locate(keyReference);
    return { kms: target.kms, keyId };
  }

  override escrowReference(): string | undefined {
    return this.registry.settings.escrowTarget;
  }

  /** `<type>:<target>` of the KMS used when a request names none, whether or not it can be used. */
  get defaultKms(): string {
    return this.registry.defaultKms;
  }

  /** Bounds of the cache of unwrapped data keys. */
  get cacheSettings(): DataKeyCacheOptions {
    return this.registry.settings.cache;
  }

  /** Creates a key. @throws KmsError `kms-key-exists`, `kms-unsupported` */
  async createKey(keyReference: string): Promise<KmsKey> {
    return this.onKey(keyReference, 'create', async ({ kms, provider, keyId }, options) => {
      const key = await capable(provider, 'createKey').createKey(keyId, options);
      await this.kept.forget(kms, keyId);
      return key;
    });
  }

  /** Imports a key of 32 bytes. @throws KmsError `kms-key-exists`, `kms-unsupported`, `kms-invalid-request` */
  async importKey(keyReference: string, material: Buffer): Promise<KmsKey> {
    return this.onKey(keyReference, 'import', async ({ kms, provider, keyId }, options) => {
      const key = await capable(provider, 'importKey').importKey(keyId, material, options);
      await this.kept.forget(kms, keyId);
      return key;
    });
  }

  /** @throws KmsError `kms-key-not-found` */
  async describeKey(keyReference: string | undefined): Promise<KmsKey> {
    return this.onKey(keyReference, 'describe', ({ provider, keyId }, options) => provider.describeKey(keyId, options));
  }

  /** Adds a version to a key; what older versions wrapped stays readable. @throws KmsError `kms-unsupported` */
  async rotateKey(keyReference: string | undefined): Promise<KmsKey> {
    return this.onKey(keyReference, 'rotate', ({ kms, provider, keyId }, options) => {
      this.kept.refuseUnusable(kms, keyId);
      return capable(provider, 'rotateKey').rotateKey(keyId, options);
    });
  }

  /** A disabled key neither wraps nor unwraps. @throws KmsError `kms-key-not-found`, `kms-key-pending-deletion` */
  async setKeyEnabled(keyReference: string, enabled: boolean): Promise<KmsKey> {
    return this.onKey(keyReference, 'enable', (key, options) => this.states.setEnabled(key, enabled, options));
  }

  /**
   * @param days 7 to 30
   * @param lossesAccepted whether the key is to be deleted although something hangs on it
   * @throws KmsError `kms-unsupported`, `kms-invalid-request`
   */
  async scheduleKeyDeletion(keyReference: string, days: number, lossesAccepted: boolean): Promise<KmsKey> {
    return this.onKey(keyReference, 'delete', (key, options) =>
      this.states.scheduleDeletion(key, days, lossesAccepted, options),
    );
  }

  /** The key comes back disabled. @throws KmsError `kms-unsupported`, `kms-invalid-request` */
  async cancelKeyDeletion(keyReference: string): Promise<KmsKey> {
    return this.onKey(keyReference, 'delete', (key, options) => this.states.cancelDeletion(key, options));
  }

  /**
   * Has the KMS delete a key whose time has come, one of those that this store keeps the state of.
   * @throws KmsError
   */
  async destroyKey(kms: string, keyId: string): Promise<void> {
    await this.registry.require(kms).call('delete', (provider, signal) => {
      return capable(provider, 'deleteKey').deleteKey(keyId, { signal });
    });
    this.cache.invalidate(kms, keyId);
  }

  /**
   * Lists keys of one target in byte order of their ids.
   *
   * @param kms `<type>:<target>`; the default target unless given
   * @param pattern `*` and `?` are wildcards; empty matches everything
   * @param marker the `nextMarker` of the page before
   */
  async listKeys(kms: string | undefined, pattern: string, marker?: string, limit = 1_000): Promise<KmsKeyPage> {
    const target = this.registry.require(kms ?? this.registry.defaultKms);
    const page = await target.call('list', (provider, signal) =>
      capable(provider, 'listKeys').listKeys(pattern, marker, limit, { signal }),
    );
    return {
      kms: target.kms,
      keys: page.keys.map((key) => ({ kms: target.kms, ...this.states.shown(target.kms, key) })),
      nextMarker: page.nextMarker,
    };
  }

  /** Has a data key made, unwrapped and compared, past the cache. Rejects only for a reference that names no target. */
  async tryKey(keyReference: string | undefined): Promise<KeyTrial> {
    const { target, keyId } = this.locate(keyReference);
    const names = { kms: target.kms, keyId };
    const context = { purpose: 'key-status' };
    let generated: GeneratedDataKey;
    try {
      generated = await this.calls.generate(target, keyId, context);
    } catch (error) {
      return { ...names, encryptionError: error as KmsError };
    }
    const tried = { ...names, keyVersion: generated.wrapped.keyVersion };
    try {
      const opened = await this.calls.unwrap({ wrapped: generated.wrapped, context });
      const same = timingSafeEqual(opened, generated.plaintext);
      opened.fill(0);
      return same
        ? tried
        : { ...tried, decryptionError: new KmsError('kms-protocol', `KMS ${target.kms} returned another data key`) };
    } catch (error) {
      return { ...tried, decryptionError: error as KmsError };
    } finally {
      generated.plaintext.fill(0);
    }
  }

  /** How every target looks from this process, from the calls and probes so far; asks no KMS. */
  status(): KmsTargetStatus[] {
    return this.registry.status();
  }

  /**
   * Runs the connection test of a target in use.
   * @param kms `<type>:<target>`; the default target unless given
   * @throws KmsError `kms-not-configured`
   */
  async testTarget(kms?: string): Promise<ConnectionTestReport> {
    const { provider } = this.registry.require(kms ?? this.registry.defaultKms);
    return provider.testConnection({ signal: AbortSignal.timeout(TEST_DEADLINE) });
  }

  private async onKey(
    keyReference: string | undefined,
    operation: KmsOperation,
    work: (key: KeyInHand, options: CallOptions) => Promise<KeyDescription>,
  ): Promise<KmsKey> {
    const { target, keyId } = this.locate(keyReference);
    annotateAudit({ kms: target.kms, keyId });
    const { kms } = target;
    const description = await target.call(operation, (provider, signal) => work({ kms, provider, keyId }, { signal }));
    annotateAudit({ keyVersion: description.latestVersion });
    if (operation !== 'describe') {
      this.cache.invalidate(kms, keyId);
    }
    return { kms, ...this.states.shown(kms, description) };
  }

  private locate(keyReference: string | undefined): { target: KmsTarget; keyId: string } {
    const { type, target: name, keyId } = parseKeyReference(keyReference);
    const target = this.registry.require(this.kmsOf(type, name));
    return { target, keyId: keyId ?? target.provider.defaultKeyId };
  }

  private kmsOf(type: string | undefined, name: string | undefined): string {
    const { defaultKms } = this.registry;
    if (name === undefined) {
      return defaultKms;
    }
    if (type !== undefined) {
      return `${type}:${name}`;
    }
    const matching = this.registry.names().filter((kms) => kms.endsWith(`:${name}`));
    if (matching.includes(defaultKms)) {
      return defaultKms;
    }
    const [only, ...others] = matching;
    if (only === undefined) {
      throw new KmsError('kms-not-configured', `No KMS target is named ${name}`, {
        remedy: 'Configure it, or name another.',
      });
    }
    if (others.length > 0) {
      throw new KmsError('kms-invalid-request', `Several KMS targets are named ${name}`, {
        remedy: `Write one of ${matching.map((kms) => `${kms}/<key>`).join(', ')}.`,
      });
    }
    return only;
  }
}

const ABILITIES = {
  createKey: 'create keys',
  importKey: 'import keys',
  listKeys: 'list keys',
  rotateKey: 'rotate keys',
  deleteKey: 'delete keys',
} as const;

/** @throws KmsError `kms-unsupported` when the provider lacks the optional method */
function capable<M extends keyof typeof ABILITIES>(provider: KmsProvider, method: M): Required<Pick<KmsProvider, M>> {
  if (!(method in provider)) {
    throw new KmsError('kms-unsupported', `A KMS of type ${provider.type} cannot ${ABILITIES[method]} from here`, {
      remedy: 'Use the tools of the KMS itself.',
    });
  }
  return provider as KmsProvider & Required<Pick<KmsProvider, M>>;
}
