import type { LifecycleRule } from './lifecycle-rules';

/** What a run has done so far. */
export interface LifecycleCounts {
  /** Versions and uploads looked at. */
  readonly scanned: number;
  /** Current versions removed or put under a delete marker. */
  readonly objectsExpired: number;
  /** Noncurrent versions removed. */
  readonly versionsRemoved: number;
  /** Delete markers removed that had nothing left under them. */
  readonly markersRemoved: number;
  readonly uploadsAborted: number;
  /** Plaintext bytes of what was removed for good. */
  readonly bytes: number;
  /** Versions that a rule would have removed and object lock keeps. */
  readonly locked: number;
  /** Versions that changed between judgement and deletion, and stay until the next run. */
  readonly changed: number;
}

/** The last place a walk has dealt with. */
export interface LifecycleCursor {
  readonly stage: 'objects' | 'uploads';
  readonly key: string;
  /** Undefined before the first row of the key. */
  readonly seq?: string;
  readonly upload: string;
}

/** A bucket's run in the hands of this process. */
export interface LeasedRun {
  readonly bucketId: number;
  readonly bucket: string;
  readonly lease: string;
  readonly startedAt: Date;
  readonly cursor: LifecycleCursor;
  readonly rules: readonly LifecycleRule[];
  /** The text of the rules, to notice that they were changed. */
  readonly document: string;
}

/** The run of a bucket that is under way, or the last one. */
export interface LifecycleRun extends LifecycleCounts {
  readonly bucket: string;
  readonly state: 'waiting' | 'running' | 'completed' | 'failed';
  /** When the next one begins at the earliest. */
  readonly dueAt: Date;
  readonly startedAt?: Date;
  readonly finishedAt?: Date;
  readonly error?: string;
}

export const NO_COUNTS: LifecycleCounts = {
  scanned: 0,
  objectsExpired: 0,
  versionsRemoved: 0,
  markersRemoved: 0,
  uploadsAborted: 0,
  bytes: 0,
  locked: 0,
  changed: 0,
};
