import { DomainError, type DomainErrorOptions } from '../common/domain-error';
import type { ConfigFailure, FieldProblem, TestReport } from './subsystem';

export type ConfigErrorKind =
  | 'config-unknown-subsystem'
  | 'config-unknown-field'
  | 'config-invalid'
  | 'config-test-failed'
  | 'config-not-found'
  | 'config-version-conflict'
  | 'config-environment-override';

/** An expected failure of dynamic configuration; the message never holds the value of a secret. */
export class ConfigError extends DomainError implements ConfigFailure {
  readonly problems?: readonly FieldProblem[];
  readonly report?: TestReport;

  constructor(
    kind: ConfigErrorKind,
    message: string,
    options: DomainErrorOptions & { readonly problems?: readonly FieldProblem[]; readonly report?: TestReport } = {},
  ) {
    super(kind, message, options);
    this.problems = options.problems;
    this.report = options.report;
  }
}

/** Makes the error for a document with wrong fields. */
export function invalidConfig(document: string, problems: readonly FieldProblem[]): ConfigError {
  const list = problems.map((problem) => `${problem.field}: ${problem.message}`).join('; ');
  return new ConfigError('config-invalid', `${document} is not valid: ${list}`, { problems });
}

/** Makes the error for a candidate whose connection test failed. */
export function failedTest(document: string, report: TestReport): ConfigError {
  const step = report.steps.find((candidate) => candidate.outcome === 'failed');
  const cause = step === undefined ? 'the connection test failed' : `step "${step.name}" failed: ${step.detail}`;
  return new ConfigError('config-test-failed', `${document} was not changed: ${cause}`, {
    report,
    remedy: step?.remedy ?? 'Correct the cause, or force the change',
  });
}

/** Makes the error for a change that another one overtook. */
export function versionConflict(document: string, expected: number | undefined, actual?: number): ConfigError {
  const wanted = expected === undefined ? '' : `; expected version ${expected}`;
  const found = actual === undefined ? '' : `, it is at version ${actual}`;
  return new ConfigError('config-version-conflict', `${document} was changed by somebody else${wanted}${found}`, {
    remedy: 'Read it again and repeat the change',
    details: actual === undefined ? {} : { version: String(actual) },
  });
}

/** Makes the error for stored secrets that were sealed under another root key. */
export function unreadableSecrets(document: string, fields: readonly string[]): ConfigError {
  const message = 'cannot be opened with this root key; set it again';
  return invalidConfig(
    document,
    fields.map((field) => ({ field, message })),
  );
}
