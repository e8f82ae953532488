import { Injectable } from '@nestjs/common';
import { Database } from '../database/database';
import type { Queryable, Statement } from '../database/statement';
import type { SettledKey } from '../object-storage/sealed-key.repository';
import { type RewrapReadoutRow, type RewrapRow, rewrapJob, rewrapOrder } from './rewrap-row';
import type { RewrapExcluded, RewrapFailure, RewrapJob, RewrapOrder, RewrapSource, RewrapState } from './rewrap.types';

/** Channel on which changes of jobs are announced. */
export const REWRAP_CHANNEL = 'strongroom_rewrap';

const READOUT = `SELECT j.*, (SELECT count(*) FROM rewrap_failure f WHERE f.job_id = j.id) AS failed,
    extract(epoch FROM j.active + coalesce(clock_timestamp() - j.running_since, '0'))::float8 AS active_seconds
  FROM rewrap_job j`;

const INSERT: Statement = {
  name: 'rewrap.insert',
  text: `INSERT INTO rewrap_job
      (id, state, dry_run, target_kms, target_key_id, selection, rate_limit, concurrency, created_by,
        escrow, escrow_kms, escrow_key_id, running_since)
    VALUES ($1, 'running', $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, clock_timestamp())`,
};
const FIND: Statement = { name: 'rewrap.find', text: `${READOUT} WHERE j.id = $1` };
const LIST: Statement = { name: 'rewrap.list', text: `${READOUT} ORDER BY j.created_at DESC, j.id DESC LIMIT $1` };
const STATE: Statement = { name: 'rewrap.state', text: `SELECT state FROM rewrap_job WHERE id = $1` };
const SET_STATE: Statement = {
  name: 'rewrap.set-state',
  text: `UPDATE rewrap_job SET state = $3, error = $4,
      active = active + coalesce(clock_timestamp() - running_since, '0'),
      running_since = CASE WHEN $3 = 'running' THEN clock_timestamp() END,
      plan_lease_until = NULL,
      waiting_for = NULL,
      finished_at = CASE WHEN $3 IN ('running', 'paused') THEN NULL ELSE clock_timestamp() END
    WHERE id = $1 AND state = ANY ($2::text[]) AND state <> $3`,
};
const SET_PACE: Statement = {
  name: 'rewrap.set-pace',
  text: `UPDATE rewrap_job SET rate_limit = $2, concurrency = $3, next_slot = clock_timestamp()
    WHERE id = $1 AND state IN ('running', 'paused')`,
};
const DELETE: Statement = {
  name: 'rewrap.delete',
  text: `DELETE FROM rewrap_job WHERE id = $1 AND state NOT IN ('running', 'paused')
    AND NOT EXISTS (SELECT FROM rewrap_chunk c WHERE c.job_id = id AND c.lease_until > clock_timestamp())`,
};
const FAILURES: Statement = {
  name: 'rewrap.failures',
  text: `SELECT kind, bucket, key, version_id, reason, message, failed_at FROM rewrap_failure
    WHERE job_id = $1 AND (kind, bucket, key, version_id) > ($2, $3, $4, $5)
    ORDER BY kind, bucket, key, version_id LIMIT $6`,
};
const TAKE_PLAN: Statement = {
  name: 'rewrap.take-plan',
  text: `UPDATE rewrap_job SET plan_lease_until = clock_timestamp() + make_interval(secs => $1) WHERE id = (
      SELECT id FROM rewrap_job WHERE state = 'running' AND stage = 'plan'
        AND (plan_lease_until IS NULL OR plan_lease_until < clock_timestamp())
      ORDER BY created_at LIMIT 1 FOR UPDATE SKIP LOCKED)
    RETURNING *`,
};
const PLANNED: Statement = {
  name: 'rewrap.planned',
  text: `UPDATE rewrap_job SET stage = 'uploads', settled = $3, sources = coalesce(sources, $4), excluded = coalesce(excluded, $5),
      total_objects = objects + $6, total_bytes = bytes + $7, total_uploads = uploads + $8,
      cursor_bucket = 0, cursor_key = '', cursor_version = '', pass_progress = 0, plan_lease_until = NULL, waiting_for = NULL
    WHERE id = $1 AND state = 'running' AND stage = 'plan' AND pass = $2`,
};
const WAITING: Statement = {
  name: 'rewrap.waiting',
  text: `UPDATE rewrap_job SET waiting_for = $2 WHERE id = $1 AND waiting_for IS DISTINCT FROM $2`,
};
const POSTPONE: Statement = {
  name: 'rewrap.postpone',
  text: `UPDATE rewrap_job SET waiting_for = $2, plan_lease_until = clock_timestamp() + make_interval(secs => $3)
    WHERE id = $1 AND state = 'running' AND stage = 'plan'`,
};
const RESERVE: Statement = {
  name: 'rewrap.reserve',
  text: `UPDATE rewrap_job
    SET next_slot = greatest(next_slot, clock_timestamp()) + make_interval(secs => $2 / rate_limit)
    WHERE id = $1 AND rate_limit IS NOT NULL
    RETURNING greatest(0, extract(epoch FROM next_slot - clock_timestamp()) - $2 / rate_limit)::float8 AS wait`,
};

const POSTPONED_SECONDS = 4;

/** What planning found. */
export interface RewrapPlan {
  readonly settled: readonly SettledKey[];
  readonly sources: readonly RewrapSource[];
  readonly excluded: RewrapExcluded;
}

/** A job to be stored. */
export interface StoredRewrapJob extends Pick<
  RewrapOrder,
  'id' | 'dryRun' | 'target' | 'selection' | 'escrow' | 'rateLimit'
> {
  readonly concurrency: number;
  readonly createdBy: string;
}

/** The jobs in Postgres. Every change is announced. */
@Injectable()
export class RewrapJobRepository {
  constructor(private readonly database: Database) {}

  async insert(job: StoredRewrapJob): Promise<void> {
    await this.database.execute(INSERT, [
      job.id,
      job.dryRun,
      job.target?.kms,
      job.target?.keyId,
      JSON.stringify(job.selection),
      job.rateLimit,
      job.concurrency,
      job.createdBy,
      job.escrow.action,
      job.escrow.action === 'add' ? job.escrow.kms : undefined,
      job.escrow.action === 'add' ? job.escrow.keyId : undefined,
    ]);
    await this.announce(job.id);
  }

  async find(id: string): Promise<RewrapJob | undefined> {
    const [row] = await this.database.query<RewrapReadoutRow>(FIND, [id]);
    return row === undefined ? undefined : rewrapJob(row);
  }

  /** The newest jobs first. */
  async list(limit: number): Promise<RewrapJob[]> {
    return (await this.database.query<RewrapReadoutRow>(LIST, [limit])).map(rewrapJob);
  }

  async state(id: string): Promise<RewrapState | undefined> {
    const [row] = await this.database.query<{ state: RewrapState }>(STATE, [id]);
    return row?.state;
  }

  /** Changes the state when it is one of `from`; false when it is another. */
  async setState(id: string, from: readonly RewrapState[], to: RewrapState, error?: string): Promise<boolean> {
    const changed = await this.database.execute(SET_STATE, [id, from, to, error]);
    await this.announce(id);
    return changed > 0;
  }

  /** False when the job has ended. */
  async setPace(id: string, rateLimit: number | undefined, concurrency: number): Promise<boolean> {
    return (await this.database.execute(SET_PACE, [id, rateLimit, concurrency])) > 0;
  }

  /** Removes a job that has ended, its failures with it; false while it is running or its last batch is being stored. */
  async delete(id: string): Promise<boolean> {
    return (await this.database.execute(DELETE, [id])) > 0;
  }

  /** Failures in order, behind the one given. */
  async failures(id: string, after: Partial<RewrapFailure>, limit: number): Promise<RewrapFailure[]> {
    const { kind = '', bucket = '', key = '', versionId = '' } = after;
    const rows = await this.database.query<
      Omit<RewrapFailure, 'versionId' | 'failedAt'> & { version_id: string; failed_at: Date }
    >(FAILURES, [id, kind, bucket, key, versionId, limit]);
    return rows.map(({ version_id, failed_at, ...rest }) => ({ ...rest, versionId: version_id, failedAt: failed_at }));
  }

  /**
   * Takes a job that wants planning; nobody else gets it for a while.
   * @param leaseSeconds after which another process may try
   */
  async takePlan(leaseSeconds: number): Promise<RewrapOrder | undefined> {
    const [row] = await this.database.query<RewrapRow>(TAKE_PLAN, [leaseSeconds]);
    return row === undefined ? undefined : rewrapOrder(row);
  }

  /** Stores a plan and starts the walk. What the first plan found of sources and exclusions stays for the report. */
  async planned({ id, pass }: RewrapOrder, { settled, sources, excluded }: RewrapPlan): Promise<void> {
    const total = (of: (source: RewrapSource) => number): number =>
      sources.reduce((sum, source) => sum + of(source), 0);
    await this.database.execute(PLANNED, [
      id,
      pass,
      JSON.stringify(settled),
      JSON.stringify(sources),
      JSON.stringify(excluded),
      total((source) => source.objects),
      total((source) => source.bytes),
      total((source) => source.uploads),
    ]);
    await this.announce(id);
  }

  /** Leaves the planning of a job to whoever looks next, but not at once. */
  async postponePlan(id: string, reason: string): Promise<void> {
    await this.database.execute(POSTPONE, [id, reason, POSTPONED_SECONDS]);
  }

  /** Says why a job does not get on; undefined when it does again. */
  async setWaiting(id: string, reason: string | undefined): Promise<void> {
    await this.database.execute(WAITING, [id, reason ?? null]);
  }

  /**
   * Takes room for some objects in the pace of a job, over all processes.
   * @returns seconds to wait before working on them
   */
  async reserve(id: string, objects: number): Promise<number> {
    const [row] = await this.database.query<{ wait: number }>(RESERVE, [id, objects]);
    return row?.wait ?? 0;
  }

  /** Tells every process that something about a job has changed. */
  async announce(id: string, on: Queryable = this.database): Promise<void> {
    await on.notify(REWRAP_CHANNEL, id);
  }
}
