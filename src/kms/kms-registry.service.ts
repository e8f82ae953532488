import { Injectable, Logger, type OnApplicationShutdown, type OnModuleInit } from '@nestjs/common';
import { ConfigManager } from '../config/config-manager';
import type { AppliedConfig, FieldValues } from '../config/subsystem';
import { Keyring } from './keyring';
import { KmsError } from './kms-error';
import type { ConnectionTestReport } from './kms-provider';
import { KMS_FIELDS, kmsSettings, validateKmsSettings, type KmsSettings } from './kms-settings';
import { forgetTarget } from './kms.metrics';
import { KmsTarget, type KmsTargetStatus } from './kms-target';
import type { ProviderKind } from './provider-kind';
import { providerKinds } from './provider-kinds';

export const BUILTIN_KMS = 'builtin:default';
const VAULT_KMS = 'vault:default';
const PROBE_INTERVAL = 15_000;
/** Milliseconds between looks at whether a key has to be proved. */
const PROOF_TICK = 1_000;
const TEST_DEADLINE = 60_000;

/** Told when what a target answers may have changed; undefined means settings over all targets. */
export type TargetListener = (kms: string | undefined) => void;

/**
 * The KMS targets of this process. Every configuration change builds a new provider beside the old one and swaps: new
 * calls go to the new one, calls under way end on the old one, which is then destroyed. Nothing here waits for a KMS.
 */
@Injectable()
export class KmsRegistry implements OnModuleInit, OnApplicationShutdown {
  private readonly logger = new Logger(KmsRegistry.name);
  private readonly active = new Map<string, KmsTarget>();
  private readonly unusable = new Map<
    string,
    { readonly message: string; readonly version: number; readonly at: Date }
  >();
  private readonly listeners = new Set<TargetListener>();
  private readonly unsubscribe: (() => void)[] = [];
  private readonly kinds: readonly ProviderKind[];
  private current: KmsSettings = kmsSettings({});
  private builtinEnabled = true;
  private prober: NodeJS.Timeout | undefined;
  private prover: NodeJS.Timeout | undefined;

  constructor(
    private readonly config: ConfigManager,
    keyring: Keyring,
  ) {
    this.kinds = providerKinds(keyring);
    this.registerDefinitions();
    this.active.set(BUILTIN_KMS, this.build(this.kind('kms_builtin'), 'default', {}, 0));
  }

  async onModuleInit(): Promise<void> {
    this.unsubscribe.push(
      await this.config.subscribe('kms', (_subsystem, _target, applied) => this.applySettings(applied)),
    );
    for (const kind of this.kinds) {
      this.unsubscribe.push(
        await this.config.subscribe(kind.subsystem, (_subsystem, target, applied) => this.apply(kind, target, applied)),
      );
    }
    this.prober = setInterval(() => this.probeAll(PROBE_INTERVAL), PROBE_INTERVAL);
    this.prober.unref();
    this.prover = setInterval(() => this.proveKeys(), PROOF_TICK);
    this.prover.unref();
    this.probeAll(0);
  }

  async onApplicationShutdown(): Promise<void> {
    clearInterval(this.prober);
    clearInterval(this.prover);
    this.unsubscribe.forEach((stop) => stop());
    await Promise.all([...this.active.values()].map((target) => target.retire()));
  }

  get settings(): KmsSettings {
    return this.current;
  }

  /** The embedded keyring; always there, because SSE-S3 depends on it. */
  get builtin(): KmsTarget {
    return this.require(BUILTIN_KMS);
  }

  /**
   * `<type>:<target>` of the target used when a request names none: the configured one, else the Vault of that name where
   * one is set up (also while it is unusable, lest its objects end up under another key), else the embedded keyring.
   */
  get defaultKms(): string {
    const vaultIsMeant = this.active.has(VAULT_KMS) || this.unusable.has(VAULT_KMS);
    return this.current.defaultTarget ?? (vaultIsMeant ? VAULT_KMS : BUILTIN_KMS);
  }

  onChange(listener: TargetListener): void {
    this.listeners.add(listener);
  }

  /** Names of all targets, usable or not. */
  names(): string[] {
    return [...new Set([...this.active.keys(), ...this.unusable.keys()])];
  }

  /** Returns a target; undefined where {@link require} throws. */
  find(kms: string): KmsTarget | undefined {
    return this.active.get(kms);
  }

  /**
   * Returns a target for unwrapping and administration.
   * @throws KmsError `kms-not-configured`
   */
  require(kms: string): KmsTarget {
    const target = this.active.get(kms);
    if (!target) {
      const reason = this.unusable.get(kms)?.message ?? 'it is not configured or not enabled';
      throw new KmsError('kms-not-configured', `KMS ${kms} cannot be used: ${reason}`, {
        remedy: 'Configure and enable it, or name another KMS.',
      });
    }
    return target;
  }

  /**
   * Returns a target for wrapping new data keys.
   * @throws KmsError `kms-not-configured`, also for an embedded keyring that is switched off for SSE-KMS
   */
  requireForWrapping(kms: string): KmsTarget {
    if (kms === BUILTIN_KMS && !this.builtinEnabled) {
      throw new KmsError(
        'kms-not-configured',
        'No KMS is configured: the embedded keyring is switched off for SSE-KMS',
        {
          remedy: 'Configure a KMS, or enable kms_builtin.',
        },
      );
    }
    return this.require(kms);
  }

  status(): KmsTargetStatus[] {
    const usable = [...this.active.values()].map((target) => target.status(target.kms === this.defaultKms));
    const broken = [...this.unusable].filter(([kms]) => !this.active.has(kms));
    return [
      ...usable,
      ...broken.map(([kms, { message, version, at }]) => this.brokenStatus(kms, message, version, at)),
    ];
  }

  private brokenStatus(kms: string, message: string, version: number, at: Date): KmsTargetStatus {
    const [type = '', target = ''] = kms.split(':');
    const isDefault = kms === this.defaultKms;
    const lastError = { kind: 'kms-not-configured' as const, message, at };
    return { kms, type, target, isDefault, health: 'offline', breaker: 'closed', defaultKeyId: '', version, lastError };
  }

  private registerDefinitions(): void {
    this.config.register({
      name: 'kms',
      description: 'Which KMS is the default, and how long unwrapped data keys are kept',
      multipleTargets: false,
      fields: KMS_FIELDS,
      validate: validateKmsSettings,
    });
    for (const kind of this.kinds) {
      this.config.register({
        name: kind.subsystem,
        description: kind.description,
        multipleTargets: kind.multipleTargets,
        fields: kind.fields,
        validate: (values) => kind.validate(values),
        test: (target, values) => this.testCandidate(kind, target, values),
      });
    }
  }

  private kind(subsystem: string): ProviderKind {
    const kind = this.kinds.find((each) => each.subsystem === subsystem);
    if (!kind) {
      throw new KmsError('kms-unsupported', `There is no KMS of the kind ${subsystem}`);
    }
    return kind;
  }

  private async testCandidate(kind: ProviderKind, target: string, values: FieldValues): Promise<ConnectionTestReport> {
    const provider = kind.create(`${kind.type}:${target}`, values);
    try {
      return await provider.testConnection({ signal: AbortSignal.timeout(TEST_DEADLINE) });
    } finally {
      await provider.destroy();
    }
  }

  private applySettings(applied: AppliedConfig | undefined): void {
    this.current = kmsSettings(applied?.enabled === true ? applied.values : {});
    this.announce(undefined);
  }

  private async apply(kind: ProviderKind, name: string, applied: AppliedConfig | undefined): Promise<void> {
    const kms = `${kind.type}:${name}`;
    if (kms === BUILTIN_KMS) {
      this.builtinEnabled = applied?.enabled ?? true;
    } else if (applied?.enabled !== true) {
      this.remove(kms);
      return;
    }
    const values = applied?.values ?? {};
    const version = applied?.version ?? 0;
    const problems = await kind.validate(values);
    if (problems.length > 0) {
      // Reached through the environment or a settings file only: what is stored was validated before.
      const message = problems.map((problem) => `${problem.field}: ${problem.message}`).join('; ');
      this.unusable.set(kms, { message, version, at: new Date() });
      this.logger.error(`KMS ${kms} has an unusable configuration: ${message}`);
      return;
    }
    const target = this.build(kind, name, values, version);
    const previous = this.active.get(kms);
    this.active.set(kms, target);
    this.unusable.delete(kms);
    await target.provider.init?.().catch((error: unknown) => target.note(error));
    this.announce(kms);
    void target.refresh(0);
    this.retire(previous);
    this.logger.log(`KMS ${kms} now runs on version ${version} of its configuration`);
  }

  private build(kind: ProviderKind, name: string, values: FieldValues, version: number): KmsTarget {
    return new KmsTarget(name, kind.create(`${kind.type}:${name}`, values), version, kind.policy(values));
  }

  private remove(kms: string): void {
    const previous = this.active.get(kms);
    this.active.delete(kms);
    this.unusable.delete(kms);
    if (previous !== undefined) {
      forgetTarget(previous.provider.type, previous.name);
    }
    this.announce(kms);
    this.retire(previous);
  }

  private retire(target: KmsTarget | undefined): void {
    target?.retire().catch((error: unknown) => {
      this.logger.warn(`KMS ${target.kms}: the replaced instance did not end cleanly: ${String(error)}`);
    });
  }

  private announce(kms: string | undefined): void {
    this.listeners.forEach((listener) => listener(kms));
  }

  private proveKeys(): void {
    for (const target of this.active.values()) {
      void target.proveKey(this.current.probeInterval);
    }
  }

  private probeAll(maxAge: number): void {
    for (const target of this.active.values()) {
      void target.refresh(maxAge);
    }
  }
}
