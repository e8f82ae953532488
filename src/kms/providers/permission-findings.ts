import { StepFailure, type StepFinding } from '../step-recorder';

/** A permission that a KMS did not grant, for a connection test. */
export interface MissingPermission {
  /** As the KMS names it. */
  readonly name: string;
  /** What fails without it, as in "to list keys". */
  readonly purpose: string;
  /** Whether objects cannot be encrypted and read without it. */
  readonly required: boolean;
}

/**
 * What the step `permissions` of a connection test finds.
 *
 * @param who holds permissions, such as "The token"
 * @param untold names of permissions that cannot be asked for without using them
 * @throws StepFailure when something indispensable is missing
 */
export function permissionFinding(
  who: string,
  missing: readonly MissingPermission[],
  remedy: string,
  untold: readonly string[] = [],
): StepFinding {
  const lacking = missing.map(({ name, purpose }) => `${name} (to ${purpose})`).join(', ');
  if (missing.some(({ required }) => required)) {
    throw new StepFailure(`${who} lacks ${lacking}`, remedy);
  }
  const rest = untold.length === 0 ? '' : `; not to be tried without effect: ${untold.join(', ')}`;
  return missing.length === 0
    ? `${who} may do all that ${rest === '' ? 'is needed' : 'was asked'}${rest}`
    : { outcome: 'warning', detail: `${who} lacks ${lacking}; objects can be encrypted and read${rest}`, remedy };
}
