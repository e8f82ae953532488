import { DomainError, type DomainErrorOptions } from '../common/domain-error';
import type { InputProblem } from '../identity/identity-error';

/** Failures of the admin face itself; everything else comes from the modules behind it. */
export type AdminErrorKind =
  | 'Unauthorized'
  | 'AccessDenied'
  | 'ActionNotAllowed'
  | 'CrossSiteRequest'
  | 'GroupNotEmpty'
  | 'InvalidRequest'
  | 'InvalidPayload'
  | 'Busy'
  | 'KeyStillReferenced'
  | 'NoSuchRotationPolicy'
  | 'NotOffered'
  | 'NotFound'
  | 'PayloadTooLarge'
  | 'PolicyChangeAlreadyApplied'
  | 'UpgradeRequired';

/** A request that the admin face refuses by itself. */
export class AdminError extends DomainError {
  declare readonly kind: AdminErrorKind;

  constructor(
    kind: AdminErrorKind,
    message: string,
    readonly problems: readonly InputProblem[] = [],
    options: DomainErrorOptions = {},
  ) {
    super(kind, message, options);
  }
}
