import type { DomainError } from '../common/domain-error';

/**
 * How a field is read from text. Values keep one canonical form: `duration` a string with its unit (`10s`, a bare number
 * means seconds; `parseDuration` of src/settings/units.ts gives milliseconds), `integer` a number, `enum` one of `values`.
 */
export type FieldType = 'string' | 'boolean' | 'integer' | 'duration' | 'url' | 'path' | 'enum';

export type FieldValue = string | number | boolean;

/** One setting of a subsystem. */
export interface FieldDefinition {
  /** snake_case, as in MinIO's configuration (`endpoint`, `key_name`). */
  readonly name: string;
  readonly type: FieldType;
  readonly description: string;
  /** Secrets are sealed at rest and masked in every read-out. */
  readonly secret?: boolean;
  readonly default?: FieldValue;
  readonly values?: readonly string[];
  readonly example?: FieldValue;
  /** Older or foreign spellings that are accepted on input. */
  readonly aliases?: readonly string[];
}

/** A problem of one field, in words that say what to do. */
export interface FieldProblem {
  readonly field: string;
  readonly message: string;
}

export interface StepReport {
  readonly name: string;
  readonly outcome: 'passed' | 'failed' | 'warning' | 'skipped';
  readonly milliseconds: number;
  readonly detail: string;
  readonly remedy?: string;
}

export interface TestReport {
  readonly ok: boolean;
  readonly milliseconds: number;
  readonly steps: readonly StepReport[];
}

/** Effective values of one document, secrets in clear, defaults filled in; never leaves the process. */
export type FieldValues = Readonly<Record<string, FieldValue | undefined>>;

/**
 * A kind of dynamic configuration, registered with the ConfigManager by the module that owns its meaning (the KMS module
 * registers `kms_vault`, …), so that the config module itself knows no KMS.
 */
export interface SubsystemDefinition {
  /** e.g. `kms_vault` */
  readonly name: string;
  readonly description: string;
  /** False when only the target `default` may exist. */
  readonly multipleTargets: boolean;
  readonly fields: readonly FieldDefinition[];
  /** Checks fields against each other (class-validator DTO inside); returns every problem at once. */
  validate(values: FieldValues): Promise<readonly FieldProblem[]>;
  /** Connection test of a candidate; absent where nothing can be connected to. Never rejects. */
  test?(target: string, values: FieldValues): Promise<TestReport>;
}

export type FieldSource = 'environment' | 'database' | 'file' | 'default';

/** One field as shown to an operator: secrets masked, with the place the value came from. */
export interface EffectiveField {
  readonly value: FieldValue | undefined;
  readonly source: FieldSource;
  /** The environment variable or file that set it. */
  readonly origin?: string;
  readonly secret: boolean;
}

export interface ConfigReadout {
  readonly subsystem: string;
  readonly target: string;
  /** Version of the stored document; 0 when nothing is stored. */
  readonly version: number;
  readonly enabled: boolean;
  readonly updatedAt?: Date;
  readonly updatedBy?: string;
  readonly fields: Readonly<Record<string, EffectiveField>>;
}

/** A document with its effective values, for the module that applies it. */
export interface AppliedConfig {
  readonly subsystem: string;
  readonly target: string;
  readonly version: number;
  readonly enabled: boolean;
  readonly values: FieldValues;
}

export interface HistoryEntry {
  readonly version: number;
  readonly subsystem: string;
  readonly target: string;
  readonly action: 'set' | 'delete' | 'rollback';
  readonly changedAt: Date;
  readonly changedBy: string;
  readonly comment?: string;
  /** Field changes with secrets masked. */
  readonly diff: readonly { readonly field: string; readonly before?: FieldValue; readonly after?: FieldValue }[];
}

export interface SetOptions {
  readonly changedBy: string;
  readonly comment?: string;
  /** Apply although the connection test failed. */
  readonly force?: boolean;
  /** Refuse with `config-version-conflict` unless the stored version is this one. */
  readonly expectedVersion?: number;
  /** Replace the document instead of merging into it. Fields left out return to the lower layers. */
  readonly replace?: boolean;
}

export interface SetResult {
  readonly readout: ConfigReadout;
  /** Undefined where the subsystem has no test or the document is disabled. */
  readonly test: TestReport | undefined;
  /** How many processes follow the configuration, and how many had not applied this change when the wait for them ended. */
  readonly propagation: { readonly processes: number; readonly lagging: number };
}

/** Told after a change became effective in this process; `undefined` applied means the document is gone. */
export type ConfigListener = (
  subsystem: string,
  target: string,
  applied: AppliedConfig | undefined,
) => void | Promise<void>;

/**
 * Failures: `config-unknown-subsystem`, `config-unknown-field` (details: field, nearest), `config-invalid` (problems),
 * `config-test-failed` (report), `config-not-found`, `config-version-conflict`, `config-environment-override`.
 */
export interface ConfigFailure extends DomainError {
  readonly problems?: readonly FieldProblem[];
  readonly report?: TestReport;
}

/**
 * Dynamic configuration in Postgres: layered (environment > database > file > default), versioned, sealed, announced to
 * every process. Implemented by ConfigManager in config-manager.ts; this is its full public face.
 */
export interface ConfigManagerContract {
  register(definition: SubsystemDefinition): void;
  subsystems(): readonly SubsystemDefinition[];
  /** Every document of one subsystem, or of all; includes targets that only the environment or file defines. */
  list(subsystem?: string): Promise<readonly ConfigReadout[]>;
  get(subsystem: string, target: string): Promise<ConfigReadout>;
  /** Parse, validate, test, write, notify, swap (DESIGN section 6). A blank secret keeps the stored one. */
  set(
    subsystem: string,
    target: string,
    values: Readonly<Record<string, unknown>>,
    options: SetOptions,
  ): Promise<SetResult>;
  delete(subsystem: string, target: string, options: SetOptions): Promise<void>;
  /** Tests the stored document, or the stored document overlaid with unsaved values. */
  test(subsystem: string, target: string, unsaved?: Readonly<Record<string, unknown>>): Promise<TestReport>;
  history(subsystem: string, target: string, limit?: number): Promise<readonly HistoryEntry[]>;
  rollback(subsystem: string, target: string, version: number, options: SetOptions): Promise<SetResult>;
  /** Effective, typed view of every enabled `kms_*` document. */
  getKmsConfig(): Promise<readonly AppliedConfig[]>;
  setKmsConfig(
    subsystem: string,
    target: string,
    values: Readonly<Record<string, unknown>>,
    options: SetOptions,
  ): Promise<SetResult>;
  /** Problems of every document, stored or from the environment; empty when all are sound. */
  validateAllConfigs(): Promise<
    readonly { readonly subsystem: string; readonly target: string; readonly problems: readonly FieldProblem[] }[]
  >;
  /** The listener runs once for each present document, then on every change. Returns an unsubscribe function. */
  subscribe(subsystem: string, listener: ConfigListener): Promise<() => void>;
  /** Highest configuration version applied in this process; grows with every change anywhere. */
  readonly appliedVersion: number;
}
