import { Injectable } from '@nestjs/common';
import { randomBytes } from 'node:crypto';
import { DataKeys } from '../kms/data-keys';
import { type EscrowOrder, SealedKeyRepository } from '../object-storage/sealed-key.repository';
import { RewrapError } from './rewrap-error';
import { RewrapJobRepository } from './rewrap-job.repository';
import type { NewRewrapJob, RewrapFailure, RewrapJob, RewrapSelection, RewrapState } from './rewrap.types';

export const DEFAULT_CONCURRENCY = 16;
const MOST_LISTED = 200;

/** A change to a job; what is left out stays. */
export interface RewrapChange {
  readonly state?: 'running' | 'paused' | 'cancelled';
  /** Objects a second over the whole fleet; null for as fast as it goes. */
  readonly rateLimit?: number | null;
  readonly concurrency?: number;
}

/** From which states a job can come into another. */
const COMES_FROM: Readonly<Record<'running' | 'paused' | 'cancelled', readonly RewrapState[]>> = {
  running: ['paused', 'failed'],
  paused: ['running'],
  cancelled: ['running', 'paused', 'failed'],
};

/** Rewrap jobs, as operators handle them. The work itself is done by every process of the fleet. */
@Injectable()
export class RewrapService {
  constructor(
    private readonly jobs: RewrapJobRepository,
    private readonly sealedKeys: SealedKeyRepository,
    private readonly dataKeys: DataKeys,
  ) {}

  /**
   * Stores a job, which starts at once.
   * @throws RewrapError `rewrap-invalid`; KmsError when the target's reference names no usable KMS
   */
  async create(order: NewRewrapJob): Promise<RewrapJob> {
    assertSelection(order.selection);
    const target = order.target === undefined ? undefined : this.dataKeys.resolve(order.target);
    const id = Date.now().toString(16).padStart(12, '0') + randomBytes(6).toString('hex');
    await this.jobs.insert({
      id,
      dryRun: order.dryRun,
      target: target === undefined ? undefined : { kms: target.kms, keyId: target.keyId },
      escrow: this.escrowOrder(order),
      selection: { ...order.selection, bucketId: await this.bucketId(order.selection.bucket) },
      rateLimit: order.rateLimit,
      concurrency: order.concurrency ?? DEFAULT_CONCURRENCY,
      createdBy: order.createdBy,
    });
    return this.get(id);
  }

  /** @throws RewrapError `rewrap-job-not-found` */
  async get(id: string): Promise<RewrapJob> {
    const job = await this.jobs.find(id);
    if (job === undefined) {
      throw new RewrapError('rewrap-job-not-found', `There is no rewrap job ${id}`);
    }
    return job;
  }

  /** The newest jobs first. */
  async list(): Promise<RewrapJob[]> {
    return this.jobs.list(MOST_LISTED);
  }

  /**
   * Versions that a job could not do, in order.
   * @param after the last one of the page before
   * @throws RewrapError `rewrap-job-not-found`
   */
  async failures(id: string, after: Partial<RewrapFailure>, limit: number): Promise<RewrapFailure[]> {
    await this.get(id);
    return this.jobs.failures(id, after, limit);
  }

  /**
   * Pauses, resumes or cancels a job, or changes its pace. What has been sealed anew stays so.
   * @throws RewrapError `rewrap-job-not-found`, `rewrap-job-ended`
   */
  async change(id: string, { state, rateLimit, concurrency }: RewrapChange): Promise<RewrapJob> {
    const job = await this.get(id);
    if (rateLimit !== undefined || concurrency !== undefined) {
      const rate = rateLimit === undefined ? job.rateLimit : (rateLimit ?? undefined);
      if (!(await this.jobs.setPace(id, rate, concurrency ?? job.concurrency))) {
        throw ended(job);
      }
    }
    if (state !== undefined && !(await this.jobs.setState(id, COMES_FROM[state], state))) {
      const now = await this.get(id);
      if (now.state !== state) {
        throw ended(now);
      }
    }
    return this.get(id);
  }

  /**
   * Forgets a job that has ended.
   * @throws RewrapError `rewrap-job-not-found`, `rewrap-job-active`
   */
  async delete(id: string): Promise<void> {
    const job = await this.get(id);
    if (!(await this.jobs.delete(id))) {
      throw new RewrapError('rewrap-job-active', `Rewrap job ${id} is ${job.state} and has not come to its end`, {
        remedy: 'Cancel it first, or wait.',
      });
    }
  }

  private escrowOrder({ target, escrow = 'keep', escrowTarget }: NewRewrapJob): EscrowOrder {
    if (escrow !== 'add') {
      if (escrowTarget !== undefined) {
        throw new RewrapError('rewrap-invalid', 'A key for second seals goes with adding them only');
      }
      return { action: escrow };
    }
    const reference = escrowTarget ?? this.dataKeys.escrowReference();
    if (reference === undefined) {
      throw new RewrapError(
        'rewrap-invalid',
        'The deployment has no escrow, so the job has to name a key for second seals',
      );
    }
    const { kms, keyId } = this.dataKeys.resolve(reference);
    const first = target === undefined ? undefined : this.dataKeys.resolve(target);
    if (first?.kms === kms && first.keyId === keyId) {
      throw new RewrapError('rewrap-invalid', 'Both seals under the same key would be no escrow');
    }
    return { action: 'add', kms, keyId };
  }

  private async bucketId(bucket: string | undefined): Promise<number | undefined> {
    if (bucket === undefined) {
      return undefined;
    }
    const id = await this.sealedKeys.bucketId(bucket);
    if (id === undefined) {
      throw new RewrapError('rewrap-invalid', `There is no bucket ${bucket}`);
    }
    return id;
  }
}

function assertSelection({ bucket, prefix, kms, keyId, keyVersion }: RewrapSelection): void {
  if (prefix !== undefined && bucket === undefined) {
    throw new RewrapError('rewrap-invalid', 'A prefix needs a bucket that it is meant in');
  }
  if ((keyId !== undefined && kms === undefined) || (keyVersion !== undefined && keyId === undefined)) {
    throw new RewrapError('rewrap-invalid', 'A key version needs its key, and a key the KMS it lives in');
  }
}

function ended({ id, state }: RewrapJob): RewrapError {
  return new RewrapError('rewrap-job-ended', `Rewrap job ${id} is ${state}`);
}
