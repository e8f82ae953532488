import { KmsError } from '../kms-error';

const MIN_DAYS = 7;
const MAX_DAYS = 30;

/**
 * Refuses a waiting time before a key's deletion that is not 7 to 30 whole days.
 * @throws KmsError `kms-invalid-request`
 */
export function checkDeletionWindow(days: number): void {
  if (!Number.isInteger(days) || days < MIN_DAYS || days > MAX_DAYS) {
    throw new KmsError('kms-invalid-request', `A key waits ${MIN_DAYS} to ${MAX_DAYS} days for deletion`);
  }
}
