import { DomainError, type DomainErrorOptions } from '../common/domain-error';

export type RewrapErrorKind =
  | 'rewrap-job-not-found'
  /** The order makes no sense. */
  | 'rewrap-invalid'
  /** The job has ended, so it cannot be changed. */
  | 'rewrap-job-ended'
  /** The job has not ended, so it cannot be removed. */
  | 'rewrap-job-active';

/** A refused operation on rewrap jobs. */
export class RewrapError extends DomainError {
  declare readonly kind: RewrapErrorKind;

  constructor(kind: RewrapErrorKind, message: string, options: DomainErrorOptions = {}) {
    super(kind, message, options);
  }
}
