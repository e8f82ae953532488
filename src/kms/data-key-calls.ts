import { type AuditTrail } from '../common/audit-trail';
import type { EncryptionContext } from '../common/encryption-context';
import { settleInLanes } from '../common/in-lanes';
import type { BoundWrappedKey, GeneratedDataKey, WrappedDataKey } from './data-keys';
import type { KeptKeyStates } from './kept-key-states';
import { auditKeyUse, type KeyUseCall } from './key-use-audit';
import { KmsError } from './kms-error';
import type { BoundDataKey, ProviderDataKey } from './kms-provider';
import { BUILTIN_KMS, type KmsRegistry } from './kms-registry.service';
import type { KmsTarget } from './kms-target';
import { SERVER_KEY_ID } from './providers/builtin.provider';
import type { WrapCounter } from './wrap-counter';

const KEY_BYTES = 32;
/** Calls at a time for the data keys of a batch that have to be asked for one by one. */
const LANES = 8;

type Settled<T> = PromiseSettledResult<T>[];

/**
 * Calls to providers that make, unwrap and rewrap data keys. None is made for a key that this store holds disabled; every one is
 * audited, none is cached.
 */
export class DataKeyCalls {
  constructor(
    private readonly registry: KmsRegistry,
    private readonly kept: KeptKeyStates,
    private readonly audit: AuditTrail | undefined,
    private readonly wraps: WrapCounter | undefined,
  ) {}

  /** @throws KmsError */
  async generate(target: KmsTarget, keyId: string, context: EncryptionContext): Promise<GeneratedDataKey> {
    const generated = await this.audited([{ operation: 'KmsGenerateDataKey', kms: target.kms, keyId }], () =>
      target.call(
        'generate',
        (provider, signal) => provider.generateDataKey(keyId, context, { signal }),
        (late: ProviderDataKey) => late.plaintext.fill(0),
      ),
    );
    return this.named(target, keyId, generated);
  }

  /** @throws KmsError */
  async unwrap({ wrapped, context }: BoundWrappedKey): Promise<Buffer> {
    const { kms, keyId, keyVersion } = wrapped;
    const plaintext = await this.audited([{ operation: 'KmsDecrypt', kms, keyId, keyVersion }], () =>
      this.registry.require(kms).call(
        'decrypt',
        (provider, signal) => provider.decryptDataKey(keyId, wrapped.ciphertext, context, keyVersion, { signal }),
        (late: Buffer) => late.fill(0),
      ),
    );
    return ofRightLength(plaintext, kms);
  }

  /** See {@link DataKeys.batchSize}. */
  batchSize(kms: string): number {
    return this.registry.find(kms)?.provider.batchSize ?? 1;
  }

  /** See {@link DataKeys.generateAll}. */
  async generateAll(
    target: KmsTarget,
    keyId: string,
    contexts: readonly EncryptionContext[],
  ): Promise<Settled<GeneratedDataKey>> {
    return this.inBatches(
      target.kms,
      contexts,
      target.provider.generateDataKeys &&
        (async (some) => {
          const generated = await this.audited(
            some.map(() => ({ operation: 'KmsGenerateDataKey' as const, kms: target.kms, keyId })),
            () =>
              target.call(
                'generate',
                async (provider, signal) => (await provider.generateDataKeys?.(keyId, some, { signal })) ?? [],
                (late: ProviderDataKey[]) => late.forEach(({ plaintext }) => plaintext.fill(0)),
              ),
          );
          return generated.map((each) => this.named(target, keyId, each));
        }),
      (context) => this.generate(target, keyId, context),
    );
  }

  /** See {@link DataKeys.unwrapAll}. */
  async unwrapAll(keys: readonly BoundWrappedKey[]): Promise<Settled<Buffer>> {
    const first = keys[0]?.wrapped;
    if (first === undefined) {
      return [];
    }
    const { kms, keyId } = first;
    const target = this.registry.find(kms);
    return this.inBatches(
      kms,
      keys,
      target?.provider.decryptDataKeys &&
        (async (some) => {
          const opened = await this.audited(
            some.map(({ wrapped }) => ({ operation: 'KmsDecrypt' as const, ...nameOf(wrapped) })),
            () =>
              target.call(
                'decrypt',
                async (provider, signal) =>
                  (await provider.decryptDataKeys?.(keyId, some.map(boundKey), { signal })) ?? [],
                (late: Buffer[]) => late.forEach((plaintext) => plaintext.fill(0)),
              ),
          );
          return opened.map((plaintext) => ofRightLength(plaintext, kms));
        }),
      (key) => this.unwrap(key),
    );
  }

  /** See {@link DataKeys.rewrapAll}. */
  async rewrapAll(
    keys: readonly BoundWrappedKey[],
    target: KmsTarget,
    keyId: string,
  ): Promise<Settled<WrappedDataKey> | undefined> {
    const from = keys[0]?.wrapped;
    if (from === undefined || from.kms !== target.kms || !(await this.canRewrap(from.keyId, target, keyId))) {
      return undefined;
    }
    this.kept.refuseUnusable(target.kms, keyId);
    const rewrap = async (some: readonly BoundWrappedKey[]): Promise<WrappedDataKey[]> => {
      const rewrapped = await this.audited(
        some.map(({ wrapped }) => ({ operation: 'KmsReEncrypt' as const, ...nameOf(wrapped) })),
        () =>
          target.call(
            'rewrap',
            async (provider, signal) =>
              (await provider.rewrapDataKeys?.(from.keyId, keyId, some.map(boundKey), { signal })) ?? [],
          ),
      );
      assertAnswered(some, rewrapped, target.kms);
      rewrapped.forEach(({ keyVersion }) => this.wraps?.count(target.kms, keyId, keyVersion));
      return rewrapped.map((each) => ({ kms: target.kms, keyId, ...each }));
    };
    const alone = async (key: BoundWrappedKey): Promise<WrappedDataKey> => (await rewrap([key]))[0] as WrappedDataKey;
    const outcomes = await this.inBatches(target.kms, keys, rewrap, alone);
    // Without the permission to rewrap there may still be the one to unwrap and wrap.
    const denied = outcomes.some((outcome) => outcome.status === 'rejected' && isDenied(outcome.reason));
    return denied ? undefined : outcomes;
  }

  private named(
    { kms }: KmsTarget,
    keyId: string,
    { plaintext, ciphertext, keyVersion }: ProviderDataKey,
  ): GeneratedDataKey {
    this.wraps?.count(kms, keyId, keyVersion);
    return { plaintext, wrapped: { kms, keyId, keyVersion, ciphertext } };
  }

  private async canRewrap(from: string, target: KmsTarget, to: string): Promise<boolean> {
    return target.call(
      'describe',
      async (provider, signal) => (await provider.canRewrap?.(from, to, { signal })) ?? false,
    );
  }

  /**
   * A batch that is refused is tried again one by one, so that the others do not fail with the one.
   * @param together absent where the provider takes no several
   */
  private async inBatches<T, R>(
    kms: string,
    items: readonly T[],
    together: ((some: readonly T[]) => Promise<R[]>) | undefined,
    alone: (item: T) => Promise<R>,
  ): Promise<Settled<R>> {
    const size = this.batchSize(kms);
    if (together === undefined || size === 1 || items.length === 1) {
      return settleInLanes(items, LANES, alone);
    }
    const outcomes: Settled<R> = [];
    for (let at = 0; at < items.length; at += size) {
      const some = items.slice(at, at + size);
      try {
        const values = await together(some);
        assertAnswered(some, values, kms);
        outcomes.push(...values.map((value) => ({ status: 'fulfilled' as const, value })));
      } catch (reason) {
        outcomes.push(
          ...(mayDoAlone(reason)
            ? await settleInLanes(some, LANES, alone)
            : some.map(() => ({ status: 'rejected' as const, reason: reason }))),
        );
      }
    }
    return outcomes;
  }

  /** The key of SSE-S3 is the store's own, so its uses are nobody's to know. */
  private async audited<T>(
    uses: readonly Omit<KeyUseCall, 'startedAt' | 'error'>[],
    call: () => Promise<T>,
  ): Promise<T> {
    const permitted = async (): Promise<T> => {
      uses.forEach(({ kms, keyId }) => this.kept.refuseUnusable(kms, keyId));
      return call();
    };
    const [first] = uses;
    if (this.audit === undefined || (first?.kms === BUILTIN_KMS && first.keyId === SERVER_KEY_ID)) {
      return permitted();
    }
    const startedAt = performance.now();
    const told = (error?: unknown): void =>
      uses.forEach((use) => auditKeyUse(this.audit, { ...use, startedAt, error }));
    try {
      const result = await permitted();
      told();
      return result;
    } catch (error) {
      told(error);
      throw error;
    }
  }
}

function isDenied(error: unknown): boolean {
  return error instanceof KmsError && error.kind === 'kms-access-denied';
}

function assertAnswered(asked: readonly unknown[], answers: readonly unknown[], kms: string): void {
  if (answers.length !== asked.length) {
    throw new KmsError('kms-protocol', `KMS ${kms} answered for another number of data keys than it was asked`);
  }
}

/** Whether what was refused together may be granted one by one; a batch may also need another permission. */
function mayDoAlone(error: unknown): boolean {
  return error instanceof KmsError && !error.retryable && error.kind !== 'kms-unauthenticated';
}

function nameOf({ kms, keyId, keyVersion }: WrappedDataKey): Pick<KeyUseCall, 'kms' | 'keyId' | 'keyVersion'> {
  return { kms, keyId, keyVersion };
}

function boundKey({ wrapped: { ciphertext, keyVersion }, context }: BoundWrappedKey): BoundDataKey {
  return { ciphertext, keyVersion, context };
}

function ofRightLength(plaintext: Buffer, kms: string): Buffer {
  if (plaintext.length !== KEY_BYTES) {
    plaintext.fill(0);
    throw new KmsError('kms-invalid-ciphertext', `The data key of ${kms} does not have ${KEY_BYTES} bytes`);
  }
  return plaintext;
}
