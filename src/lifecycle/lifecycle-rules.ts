/** Which objects a lifecycle rule is for; everything named must hold. */
export interface LifecycleFilter {
  readonly prefix?: string;
  readonly tags?: Readonly<Record<string, string>>;
  /** Bytes, exclusive. */
  readonly sizeGreaterThan?: number;
  /** Bytes, exclusive. */
  readonly sizeLessThan?: number;
}

/** A move to another storage class. All classes are kept alike here, so it changes nothing. */
export interface LifecycleTransition {
  readonly storageClass: string;
  readonly days?: number;
  /** Midnight UTC, ISO 8601. */
  readonly date?: string;
  readonly newerVersions?: number;
}

/** One rule of a bucket's lifecycle configuration. */
export interface LifecycleRule {
  readonly id: string;
  readonly enabled: boolean;
  /** How the filter was written, so that it is shown as it was sent. */
  readonly form: 'prefix' | 'filter' | 'and';
  readonly filter: LifecycleFilter;
  readonly expiration?: {
    readonly days?: number;
    /** Midnight UTC, ISO 8601. */
    readonly date?: string;
    readonly expiredDeleteMarker?: boolean;
  };
  readonly noncurrentExpiration?: { readonly days: number; readonly newerVersions?: number };
  readonly abortUploadsAfterDays?: number;
  readonly transitions: readonly LifecycleTransition[];
  readonly noncurrentTransitions: readonly LifecycleTransition[];
}

/** From which size AWS moves objects that no filter by size is for. Nothing is moved here, so it is only told. */
export const TRANSITION_MINIMUM_SIZES = ['all_storage_classes_128K', 'varies_by_storage_class'] as const;
export type TransitionMinimumSize = (typeof TRANSITION_MINIMUM_SIZES)[number];

/** The lifecycle configuration of a bucket. */
export interface LifecycleConfiguration {
  readonly rules: readonly LifecycleRule[];
  readonly transitionMinimumSize: TransitionMinimumSize;
}

/** Name of the bucket's document that holds its rules. */
export const LIFECYCLE_DOCUMENT = 'lifecycle';

/** Reads the stored configuration of a bucket. Those of before the minimum size was kept are the rules alone. */
export function parseLifecycle(document: string): LifecycleConfiguration {
  const stored = JSON.parse(document) as LifecycleConfiguration | LifecycleRule[];
  return Array.isArray(stored) ? { rules: stored, transitionMinimumSize: TRANSITION_MINIMUM_SIZES[0] } : stored;
}

/** Reads the stored rules of a bucket. */
export function parseLifecycleRules(document: string): readonly LifecycleRule[] {
  return parseLifecycle(document).rules;
}
