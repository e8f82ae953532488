import { Counter, Gauge } from 'prom-client';
import type { DueCount } from './rotation-state.repository';

const rotationDue = new Gauge({
  name: 'strongroom_kms_key_rotation_due',
  help: 'Keys that are due for rotation and have not been rotated, because the KMS cannot, the policy only reports, or it failed',
  aggregator: 'max',
  labelNames: ['provider', 'target', 'reason'] as const,
});

const rotations = new Counter({
  name: 'strongroom_kms_key_rotations_total',
  help: 'Rotations that the scheduler did, or tried',
  labelNames: ['provider', 'outcome'] as const,
});

/** Shows how many keys are due, in the whole deployment. */
export function showDue(counts: readonly DueCount[]): void {
  rotationDue.reset();
  for (const { kms, reason, keys } of counts) {
    const [provider = '', target = ''] = kms.split(':');
    rotationDue.set({ provider, target, reason }, keys);
  }
}

/** Counts a rotation, or the failure of one. */
export function countRotation(kms: string, outcome: 'success' | 'failure'): void {
  rotations.inc({ provider: kms.split(':')[0] ?? '', outcome });
}
