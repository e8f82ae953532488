import { DomainError, type DomainErrorOptions } from '../common/domain-error';

/** Why an identity operation was refused. */
export type IdentityErrorKind =
  /** The policy document breaks the grammar or a size limit; `problems` lists everything found. */
  | 'MalformedPolicyDocument'
  /** The user, group, policy or access key does not exist. */
  | 'NoSuchEntity'
  | 'EntityAlreadyExists'
  /** The entity is still in use (attached policy, group with members) or is built in. */
  | 'DeleteConflict'
  | 'InvalidInput'
  | 'LimitExceeded'
  /** The stored root credentials cannot be opened with this root key. */
  | 'RootCredentialsUnreadable';

/** A problem of one place in a document or request. */
export interface InputProblem {
  /** JSON path, e.g. `Statement[0].Action`. */
  readonly field: string;
  readonly message: string;
}

/** A refused identity operation. */
export class IdentityError extends DomainError {
  declare readonly kind: IdentityErrorKind;

  constructor(
    kind: IdentityErrorKind,
    message: string,
    readonly problems: readonly InputProblem[] = [],
    options: DomainErrorOptions = {},
  ) {
    super(kind, message, options);
  }
}
