import type { EscrowOrder, SettledKey } from '../object-storage/sealed-key.repository';
import type {
  RewrapExcluded,
  RewrapJob,
  RewrapOrder,
  RewrapProgress,
  RewrapSelection,
  RewrapSource,
  RewrapStage,
  RewrapState,
} from './rewrap.types';

/** A row of `rewrap_job`; bigints come as text. */
export interface RewrapRow {
  readonly id: string;
  readonly state: RewrapState;
  readonly stage: RewrapStage;
  readonly pass: number;
  readonly dry_run: boolean;
  readonly target_kms: string | null;
  readonly target_key_id: string | null;
  readonly selection: Omit<RewrapSelection, 'before'> & { readonly before?: string };
  readonly escrow: EscrowOrder['action'];
  readonly escrow_kms: string | null;
  readonly escrow_key_id: string | null;
  readonly rate_limit: number | null;
  readonly concurrency: number;
  readonly settled: readonly SettledKey[];
  readonly sources: readonly RewrapSource[] | null;
  readonly excluded: RewrapExcluded | null;
  readonly cursor_bucket: number;
  readonly cursor_key: string;
  readonly cursor_version: string;
  readonly next_chunk: number;
  readonly total_objects: string | null;
  readonly total_bytes: string | null;
  readonly total_uploads: string | null;
  readonly objects: string;
  readonly bytes: string;
  readonly uploads: string;
  readonly changed: string;
  readonly inside_kms: string;
  readonly pass_progress: string;
  readonly waiting_for: string | null;
  readonly error: string | null;
  readonly created_at: Date;
  readonly created_by: string;
  readonly finished_at: Date | null;
}

/** The same with what a read-out needs besides. */
export interface RewrapReadoutRow extends RewrapRow {
  readonly failed: string;
  readonly active_seconds: number;
}

/** Turns a row into what workers need. */
export function rewrapOrder(row: RewrapRow): RewrapOrder {
  return {
    id: row.id,
    stage: row.stage,
    pass: row.pass,
    passProgress: Number(row.pass_progress),
    dryRun: row.dry_run,
    target: targetOf(row),
    selection: selectionOf(row),
    escrow: escrowOf(row),
    settled: row.settled,
    rateLimit: row.rate_limit ?? undefined,
    concurrency: row.concurrency,
    done: { objects: Number(row.objects), bytes: Number(row.bytes), uploads: Number(row.uploads) },
  };
}

/** Turns a row into what operators see. */
export function rewrapJob(row: RewrapReadoutRow): RewrapJob {
  return {
    id: row.id,
    state: row.state,
    stage: row.stage,
    pass: row.pass,
    dryRun: row.dry_run,
    target: targetOf(row),
    selection: { ...selectionOf(row), bucketId: undefined },
    escrow: row.escrow,
    escrowTarget: escrowTargetOf(row),
    rateLimit: row.rate_limit ?? undefined,
    concurrency: row.concurrency,
    progress: progressOf(row),
    sources: row.sources ?? [],
    excluded: row.excluded ?? undefined,
    waitingFor: row.state === 'running' ? (row.waiting_for ?? undefined) : undefined,
    error: row.error ?? undefined,
    createdAt: row.created_at,
    createdBy: row.created_by,
    finishedAt: row.finished_at ?? undefined,
  };
}

function progressOf(row: RewrapReadoutRow): RewrapProgress {
  const amount = (total: string | null, done: string) => ({
    total: total === null ? undefined : Number(total),
    done: Number(done),
  });
  const objects = amount(row.total_objects, row.objects);
  const uploads = amount(row.total_uploads, row.uploads);
  const failed = Number(row.failed);
  const done = objects.done + uploads.done;
  const perSecond = row.active_seconds > 0 ? done / row.active_seconds : 0;
  const left = Math.max(0, (objects.total ?? 0) + (uploads.total ?? 0) - done - failed);
  return {
    objects,
    bytes: amount(row.total_bytes, row.bytes),
    uploads,
    insideKms: Number(row.inside_kms),
    changed: Number(row.changed),
    failed,
    perSecond,
    eta: row.state === 'running' && perSecond > 0 ? left / perSecond : undefined,
  };
}

function targetOf(row: RewrapRow): RewrapOrder['target'] {
  return row.target_kms === null || row.target_key_id === null
    ? undefined
    : { kms: row.target_kms, keyId: row.target_key_id };
}

function escrowTargetOf({ escrow_kms, escrow_key_id }: RewrapRow): RewrapJob['escrowTarget'] {
  return escrow_kms === null || escrow_key_id === null ? undefined : { kms: escrow_kms, keyId: escrow_key_id };
}

function escrowOf(row: RewrapRow): EscrowOrder {
  const key = escrowTargetOf(row);
  if (row.escrow === 'add' && key !== undefined) {
    return { action: 'add', ...key };
  }
  return { action: row.escrow === 'drop' ? 'drop' : 'keep' };
}

function selectionOf({ selection }: RewrapRow): RewrapSelection {
  const { before, ...rest } = selection;
  return before === undefined ? rest : { ...rest, before: new Date(before) };
}
