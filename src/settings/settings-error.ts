import { DomainError } from '../common/domain-error';

/** Settings that cannot be used. The message is for the operator, complete, and holds no secret. */
export class SettingsError extends DomainError {
  constructor(readonly problems: readonly string[]) {
    const heading = problems.length === 1 ? 'One setting is wrong' : `${problems.length} settings are wrong`;
    super('settings-invalid', `${heading}:\n${problems.map((problem) => `  - ${problem}`).join('\n')}`);
  }
}
