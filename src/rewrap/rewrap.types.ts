import type { EscrowOrder, SealedKind, SealedPosition, SettledKey } from '../object-storage/sealed-key.repository';

export type RewrapState = 'running' | 'paused' | 'cancelled' | 'completed' | 'failed';

/** Where a running job is: it plans, hands out pieces of the walk, waits for the last of them, and plans again. */
export type RewrapStage = 'plan' | 'uploads' | 'objects' | 'drain';

/** What a job is to seal anew; everything under a KMS unless narrowed. */
export interface RewrapSelection {
  readonly bucket?: string;
  /** Filled in when the job is stored, so that a bucket of the same name made later is another one. */
  readonly bucketId?: number;
  /** Only together with a bucket. */
  readonly prefix?: string;
  /** `<type>:<target>` of the present wrapping; the KMS need not be configured any more where escrow can stand in. */
  readonly kms?: string;
  readonly keyId?: string;
  readonly keyVersion?: string;
  /** Only versions written before. */
  readonly before?: Date;
}

/** A job as an operator orders it. */
export interface NewRewrapJob {
  /** Key reference to seal under; undefined means the newest version of the key that each object has. */
  readonly target?: string;
  readonly selection: RewrapSelection;
  /** What is to become of second seals; they stay unless said. */
  readonly escrow?: 'keep' | 'add' | 'drop';
  /** Key reference for the second seals; the deployment's unless given. Only with `add`. */
  readonly escrowTarget?: string;
  /** Counts and checks, changes nothing. */
  readonly dryRun: boolean;
  /** Objects a second over the whole fleet; as fast as it goes without. */
  readonly rateLimit?: number;
  /** Calls to a KMS each process makes at the same time; where it takes several data keys in one, each is for several objects. */
  readonly concurrency?: number;
  readonly createdBy: string;
}

/** How much is sealed under one key version and is to be sealed anew. */
export interface RewrapSource {
  readonly kms: string;
  readonly keyId: string;
  readonly keyVersion?: string;
  readonly objects: number;
  readonly bytes: number;
  readonly uploads: number;
}

/** What lies in the scope of a job but is none of its business, object versions and uploads together. */
export interface RewrapExcluded {
  /** Only the client has the key. */
  readonly customerKeys: number;
  readonly unencrypted: number;
  /** SSE-S3, whose key is always one of the embedded keyring; 0 where the job renews key versions. */
  readonly serverKeys: number;
}

export interface RewrapAmount {
  /** As far as known; undefined until the job has been planned. */
  readonly total?: number;
  readonly done: number;
}

export interface RewrapProgress {
  readonly objects: RewrapAmount;
  /** Plaintext bytes of the objects; none of them is read. */
  readonly bytes: RewrapAmount;
  readonly uploads: RewrapAmount;
  /** Objects and uploads done whose data key the KMS wrapped anew itself, without giving it out for that. */
  readonly insideKms: number;
  /** Times that somebody else changed a version while its key was being sealed; such versions are looked at again. */
  readonly changed: number;
  /** Versions that could not be done. */
  readonly failed: number;
  /** Objects and uploads a second, over the time the job has been running. */
  readonly perSecond: number;
  /** Seconds; undefined unless the job is running and has begun to do something. */
  readonly eta?: number;
}

/** A job as it stands. */
export interface RewrapJob {
  readonly id: string;
  readonly state: RewrapState;
  readonly stage: RewrapStage;
  /** How many times the job has looked for keys; the last time it finds none. */
  readonly pass: number;
  readonly dryRun: boolean;
  /** Undefined for a job that renews key versions. */
  readonly target?: { readonly kms: string; readonly keyId: string };
  readonly selection: RewrapSelection;
  readonly escrow: EscrowOrder['action'];
  readonly escrowTarget?: { readonly kms: string; readonly keyId: string };
  readonly rateLimit?: number;
  readonly concurrency: number;
  readonly progress: RewrapProgress;
  readonly sources: readonly RewrapSource[];
  readonly excluded?: RewrapExcluded;
  /** Why a running job does not get on, such as a KMS that does not answer. */
  readonly waitingFor?: string;
  /** Why it failed. */
  readonly error?: string;
  readonly createdAt: Date;
  readonly createdBy: string;
  readonly finishedAt?: Date;
}

/** A version that could not be done. */
export interface RewrapFailure {
  readonly kind: SealedKind;
  readonly bucket: string;
  readonly key: string;
  /** For an upload its upload id. */
  readonly versionId: string;
  /** Kind of the error, such as `kms-key-not-found`. */
  readonly reason: string;
  readonly message: string;
  readonly failedAt: Date;
}

/** A job as the workers need it. */
export interface RewrapOrder {
  readonly id: string;
  readonly stage: RewrapStage;
  readonly pass: number;
  readonly passProgress: number;
  readonly dryRun: boolean;
  readonly target?: { readonly kms: string; readonly keyId: string };
  readonly selection: RewrapSelection;
  readonly escrow: EscrowOrder;
  readonly settled: readonly SettledKey[];
  readonly rateLimit?: number;
  readonly concurrency: number;
  readonly done: { readonly objects: number; readonly bytes: number; readonly uploads: number };
}

/** A stretch of keys that one process works on. */
export interface RewrapChunk {
  readonly jobId: string;
  readonly number: number;
  readonly kind: SealedKind;
  readonly after: SealedPosition;
  readonly until: SealedPosition;
}
