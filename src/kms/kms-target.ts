import { Logger } from '@nestjs/common';
import type { BreakerState } from './circuit-breaker';
import { KmsCallPolicy, type CallPolicyOptions, type KmsOperation } from './kms-call-policy';
import { KeyProbe, type KeyProbeStatus } from './key-probe';
import { KmsError, type KmsErrorKind } from './kms-error';
import type { KmsProvider } from './kms-provider';
import { kmsCircuitOpen, kmsTargetOnline } from './kms.metrics';

/** How one target looks from this process, for readiness and the admin API. */
export interface KmsTargetStatus {
  /** `<type>:<target>`. */
  readonly kms: string;
  readonly type: string;
  readonly target: string;
  readonly isDefault: boolean;
  /** `unknown` until the first call or probe has ended. */
  readonly health: 'online' | 'offline' | 'unknown';
  readonly breaker: BreakerState;
  readonly defaultKeyId: string;
  /** Configuration version the instance was built from; 0 for the built-in default. */
  readonly version: number;
  /** Absent while the configuration is unusable. */
  readonly capabilities?: KmsProvider['capabilities'];
  readonly lastError?: { readonly kind: KmsErrorKind; readonly message: string; readonly at: Date };
  readonly lastContact?: Date;
  /** Absent while the configuration is unusable. */
  readonly probe?: KeyProbeStatus;
}

/** Failures that mean the target cannot serve anybody; others concern one key or request. */
const TARGET_FAILURES: ReadonlySet<KmsErrorKind> = new Set([
  'kms-unavailable',
  'kms-timeout',
  'kms-sealed',
  'kms-unauthenticated',
  'kms-not-configured',
]);

/** One provider instance of one configuration version with its call policy; counts its calls so that it can be retired. */
export class KmsTarget {
  private readonly logger = new Logger(KmsTarget.name);
  private readonly policy: KmsCallPolicy;
  private readonly keyProbe = new KeyProbe(this);
  private inFlight = 0;
  private retired = false;
  private drained: (() => void) | undefined;
  private health: KmsTargetStatus['health'] = 'unknown';
  private lastError: KmsTargetStatus['lastError'];
  private lastContact: Date | undefined;
  private lastVerdict = -Infinity;

  constructor(
    readonly name: string,
    readonly provider: KmsProvider,
    readonly version: number,
    policy: CallPolicyOptions,
  ) {
    // The instance that this one replaces may have left its breaker open.
    kmsCircuitOpen.set(this.labels, 0);
    this.policy = new KmsCallPolicy(this.kms, provider.type, policy, (state) => {
      if (this.retired) {
        return;
      }
      this.logger.warn(`KMS ${this.kms}: circuit breaker is ${state}`);
      kmsCircuitOpen.set(this.labels, state === 'closed' ? 0 : 1);
    });
  }

  get kms(): string {
    return `${this.provider.type}:${this.name}`;
  }

  /**
   * Makes one provider call under the target's policy.
   * @throws KmsError
   */
  async call<T>(
    operation: KmsOperation,
    work: (provider: KmsProvider, signal: AbortSignal) => Promise<T>,
    discard?: (late: T) => void,
  ): Promise<T> {
    this.inFlight++;
    try {
      const result = await this.policy.run(operation, (signal) => work(this.provider, signal), discard);
      this.record(undefined);
      return result;
    } catch (error) {
      this.record(error);
      throw error;
    } finally {
      this.inFlight--;
      if (this.inFlight === 0) {
        this.drained?.();
      }
    }
  }

  /** Probes the target unless a call has told its state within the last `maxAge` milliseconds. Never rejects. */
  async refresh(maxAge: number): Promise<void> {
    if (performance.now() - this.lastVerdict < maxAge) {
      return;
    }
    await this.call('probe', (provider, signal) => provider.probe({ signal })).catch(() => undefined);
  }

  /** Proves that the default key works, when that is due. @param interval milliseconds, 0 for never */
  async proveKey(interval: number): Promise<void> {
    await this.keyProbe.tick(interval, this.health === 'offline');
  }

  status(isDefault: boolean): KmsTargetStatus {
    return {
      kms: this.kms,
      type: this.provider.type,
      target: this.name,
      isDefault,
      health: this.health,
      breaker: this.policy.breakerState,
      defaultKeyId: this.provider.defaultKeyId,
      version: this.version,
      capabilities: this.provider.capabilities,
      lastError: this.lastError,
      lastContact: this.lastContact,
      probe: this.keyProbe.status(),
    };
  }

  /** Records a failure that no call brought up, such as one of the provider's start. */
  note(error: unknown): void {
    this.record(
      error instanceof KmsError
        ? error
        : new KmsError('kms-unavailable', `KMS ${this.kms} did not start`, { cause: error }),
    );
  }

  /** Waits for the calls under way, then destroys the provider. */
  async retire(): Promise<void> {
    this.retired = true;
    if (this.inFlight > 0) {
      await new Promise<void>((resolve) => (this.drained = resolve));
    }
    await this.provider.destroy();
  }

  private get labels(): { provider: string; target: string } {
    return { provider: this.provider.type, target: this.name };
  }

  private record(error: unknown): void {
    const failure = error instanceof KmsError ? error : undefined;
    const offline = failure !== undefined && TARGET_FAILURES.has(failure.kind);
    const before = this.health;
    this.lastVerdict = performance.now();
    if (failure) {
      this.lastError = { kind: failure.kind, message: failure.message, at: new Date() };
    }
    // Full queues and throttling say nothing about whether the service is there.
    if (failure?.kind !== 'kms-throttled') {
      this.health = offline ? 'offline' : 'online';
    }
    if (!offline) {
      this.lastContact = new Date();
    }
    if (this.retired) {
      return;
    }
    kmsTargetOnline.set(this.labels, offline ? 0 : 1);
    if (before !== this.health) {
      this.logger[offline ? 'warn' : 'log'](
        `KMS ${this.kms} is ${this.health}${failure ? `: ${failure.message}` : ''}`,
      );
    }
  }
}
