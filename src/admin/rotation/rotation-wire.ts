import type { KmsKey } from '../../kms/kms.service';
import type { RotationPolicy } from '../../rotation/rotation-policy.repository';
import type { RotationReadout } from '../../rotation/rotation.service';
import type { KeyRotationDto, RotationPolicyDto } from './rotation.dto';

export function toPolicyDto(policy: RotationPolicy): RotationPolicyDto {
  return {
    kms: policy.kms,
    key_id: policy.keyId,
    max_age_days: policy.maxAgeDays,
    max_wraps: policy.maxWraps,
    automatic: policy.automatic,
    rewrap: policy.rewrap,
    updated_at: policy.updatedAt,
    updated_by: policy.updatedBy,
  };
}

export function toKeyRotationDto({ ownRotation }: KmsKey, readout: RotationReadout): KeyRotationDto {
  const { due, reason, nextDue, wraps, since, policy, state } = readout;
  return {
    due,
    reason,
    next_due: nextDue,
    wraps,
    since,
    policy: policy && toPolicyDto(policy),
    own_rotation: ownRotation && { period_days: ownRotation.periodDays, next: ownRotation.next },
    rotated_at: state?.rotatedAt,
    rewrap_job: state?.rewrapJob,
    last_error: state?.lastError,
    next_attempt_at: state?.nextAttemptAt,
  };
}
