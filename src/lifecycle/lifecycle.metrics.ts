import { Counter, Gauge } from 'prom-client';
import type { LifecycleCounts } from './lifecycle.types';

const runs = new Counter({
  name: 'strongroom_lifecycle_runs_total',
  help: 'Runs of the lifecycle rules of a bucket that have ended',
  labelNames: ['outcome'] as const,
});

const actions = new Counter({
  name: 'strongroom_lifecycle_actions_total',
  help: 'What lifecycle rules did: objects expired, noncurrent versions, delete markers and uploads removed, and versions left alone because of object lock or a change at the same time',
  labelNames: ['action'] as const,
});

const removedBytes = new Counter({
  name: 'strongroom_lifecycle_removed_bytes_total',
  help: 'Plaintext bytes of the versions that lifecycle rules removed for good',
});

const scanned = new Counter({
  name: 'strongroom_lifecycle_scanned_total',
  help: 'Versions and uploads that lifecycle runs looked at',
});

const lastRun = new Gauge({
  name: 'strongroom_lifecycle_last_run_timestamp_seconds',
  help: 'When the last lifecycle run of this process ended',
  aggregator: 'max',
});

const lag = new Gauge({
  name: 'strongroom_lifecycle_lag_seconds',
  help: 'How late the bucket is that waits longest for its lifecycle run',
  aggregator: 'max',
});

/** Counts what one batch did. */
export function countLifecycle(counts: LifecycleCounts): void {
  scanned.inc(counts.scanned);
  removedBytes.inc(counts.bytes);
  actions.inc({ action: 'expired' }, counts.objectsExpired);
  actions.inc({ action: 'version-removed' }, counts.versionsRemoved);
  actions.inc({ action: 'marker-removed' }, counts.markersRemoved);
  actions.inc({ action: 'upload-aborted' }, counts.uploadsAborted);
  actions.inc({ action: 'locked' }, counts.locked);
  actions.inc({ action: 'changed' }, counts.changed);
}

/** Counts the end of a run. */
export function countLifecycleRun(outcome: 'completed' | 'failed'): void {
  runs.inc({ outcome });
  lastRun.setToCurrentTime();
}

/** Tells how late the runs are. */
export function setLifecycleLag(seconds: number): void {
  lag.set(seconds);
}
