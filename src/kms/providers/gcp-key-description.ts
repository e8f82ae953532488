import { KmsError } from '../kms-error';
import type { KeyDescription, KeyState, OwnRotation } from '../kms-provider';
import type { GcpKey, GcpKeyVersion } from './gcp-calls';
import { gcpKeyVersion } from './gcp-key-name';

const STATES: Readonly<Record<string, KeyState>> = {
  ENABLED: 'enabled',
  DESTROY_SCHEDULED: 'pending-deletion',
  DESTROYED: 'pending-deletion',
};

const DAY_SECONDS = 86_400;

/** A moment as Cloud KMS tells it. */
interface GcpTime {
  readonly seconds?: unknown;
}

/** Describes a key by its primary version, the one that wraps. */
export function describeGcpKey(keyId: string, key: GcpKey): KeyDescription {
  const { primary } = key;
  return {
    keyId,
    state: stateOfVersion(primary),
    algorithm: `${primary?.algorithm ?? 'unknown'} (${primary?.protectionLevel ?? 'unknown'})`,
    latestVersion: gcpKeyVersion(primary?.name),
    createdAt: dateOf(key.createTime),
    ownRotation: ownRotation(key),
    deletionDate: primary ? (dateOf(primary.destroyEventTime) ?? dateOf(primary.destroyTime)) : undefined,
  };
}

function ownRotation({ rotationPeriod, nextRotationTime }: GcpKey): OwnRotation | undefined {
  const seconds = Number(rotationPeriod?.seconds ?? 0);
  return seconds > 0 ? { periodDays: seconds / DAY_SECONDS, next: dateOf(nextRotationTime) } : undefined;
}

/** What the state of a version means for its key. */
export function stateOfVersion(version: GcpKeyVersion | null | undefined): KeyState {
  return STATES[String(version?.state)] ?? 'disabled';
}

/** @throws KmsError when the key cannot wrap at the moment, with the kind of failure that wrapping would have */
export function requireEnabled(kms: string, { state }: KeyDescription): void {
  if (state === 'disabled') {
    throw new KmsError('kms-key-disabled', `${kms} has this key disabled`);
  }
  if (state === 'pending-deletion') {
    throw new KmsError('kms-key-pending-deletion', `${kms} has this key waiting for its deletion`);
  }
}

/** The date of a timestamp; undefined when there is none. */
export function dateOf(time: GcpTime | null | undefined): Date | undefined {
  const seconds = Number(time?.seconds ?? 0);
  return seconds > 0 ? new Date(seconds * 1_000) : undefined;
}
