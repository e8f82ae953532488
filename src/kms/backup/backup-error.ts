import { DomainError, type DomainErrorOptions } from '../../common/domain-error';

export type BackupErrorKind =
  /** The directory or the key for backups is missing or unfit. */
  | 'backup-not-configured'
  | 'backup-invalid'
  | 'backup-exists'
  | 'backup-not-found'
  /** The keyring has nothing to back up, or something that cannot be opened. */
  | 'backup-incomplete'
  /** The bundle was altered, cut, or written by a program that is newer. */
  | 'backup-damaged'
  | 'backup-wrong-kek'
  /** Restoring would do harm that was not agreed to. */
  | 'backup-refused';

/** A refused backup or restore. `message` names identifiers, never key material. */
export class BackupError extends DomainError {
  declare readonly kind: BackupErrorKind;

  constructor(kind: BackupErrorKind, message: string, options: DomainErrorOptions = {}) {
    super(kind, message, options);
  }
}
