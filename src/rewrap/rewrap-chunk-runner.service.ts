import { Injectable, Logger } from '@nestjs/common';
import { DomainError } from '../common/domain-error';
import { settleInLanes } from '../common/in-lanes';
import type { EncryptionRecord } from '../crypto/encryption.types';
import type { RewrapSeals } from '../crypto/object-cipher.service';
import { ObjectRewrapper, type RewrapItem, type Rewrapped } from '../crypto/object-rewrapper.service';
import type { WrappedDataKey } from '../kms/data-keys';
import { KmsError } from '../kms/kms-error';
import { KmsService } from '../kms/kms.service';
import { encryptionRecord } from '../object-storage/encryption-columns';
import {
  type EscrowOrder,
  type SealedKey,
  SealedKeyRepository,
  type SettledKey,
} from '../object-storage/sealed-key.repository';
import { type LeasedChunk, type RewrapBatch, RewrapChunkRepository, type WayedReseal } from './rewrap-chunk.repository';
import { RewrapJobRepository } from './rewrap-job.repository';
import { selectionOf } from './rewrap-selection';
import { batchUnderWay, countBatch, countStall } from './rewrap.metrics';
import type { RewrapOrder } from './rewrap.types';
import { Waker } from '../common/waker';

/** A chunk whose owner gives no sign for so long is taken over. */
export const LEASE_SECONDS = 10;
const RENEW_EVERY_MS = 3_000;
const BATCH = 100;
const FIRST_RETRY_MS = 250;
const LONGEST_RETRY_MS = 8_000;

type KeyName = Pick<SettledKey, 'kms' | 'keyId'>;

interface RewrapTask extends RewrapItem {
  readonly sealed: SealedKey;
}

interface FinishedTask {
  readonly task: RewrapTask;
  readonly outcome: PromiseSettledResult<Rewrapped>;
}

/** The job was paused or cancelled, or this process stops. */
class Interrupted extends Error {}

/** Works on one chunk: batch by batch opens object keys, seals them anew, and stores the new seals. */
@Injectable()
export class RewrapChunkRunner {
  private readonly logger = new Logger(RewrapChunkRunner.name);
  private readonly waker = new Waker();
  private stopping = false;

  constructor(
    private readonly chunks: RewrapChunkRepository,
    private readonly jobs: RewrapJobRepository,
    private readonly sealedKeys: SealedKeyRepository,
    private readonly rewrapper: ObjectRewrapper,
    private readonly kms: KmsService,
  ) {}

  /** Lets waits look again whether their job still runs. */
  wake(): void {
    this.waker.wake();
  }

  /** Makes {@link run} give its chunk back after the batch under way. */
  stop(): void {
    this.stopping = true;
    this.waker.wake();
  }

  /** Works on a chunk until it is done, or given back because its job no longer runs. */
  async run(leased: LeasedChunk): Promise<void> {
    const renewal = setInterval(
      () => void this.chunks.renew(leased, LEASE_SECONDS).catch(() => undefined),
      RENEW_EVERY_MS,
    );
    renewal.unref();
    const done = batchUnderWay();
    try {
      await this.runBatches(leased);
    } catch (error) {
      await this.chunks.release(leased);
      if (!(error instanceof Interrupted)) {
        throw error;
      }
    } finally {
      done();
      clearInterval(renewal);
    }
  }

  private async runBatches(leased: LeasedChunk): Promise<void> {
    const { chunk, order } = leased;
    const size = batchSize(order.rateLimit);
    let after = chunk.after;
    for (;;) {
      await this.assertRunning(order);
      const keys = await this.sealedKeys.read(chunk.kind, selectionOf(order), after, chunk.until, size);
      await this.keepPace(order, keys.length);
      const { reseals, failures } = await this.resealAll(keys, order);
      const last = keys.length < size ? undefined : keys.at(-1)?.position;
      const outcome = await this.chunks.commit(leased, { reseals, failures, next: last }, LEASE_SECONDS);
      if (outcome === undefined) {
        this.logger.warn(`Chunk ${chunk.number} of rewrap job ${chunk.jobId} was taken over by another process`);
        return;
      }
      const bytes = reseals.reduce((sum, { sealed }) => sum + sealed.size, 0);
      countBatch({ ...outcome, failed: failures.length, bytes });
      if (last === undefined) {
        return;
      }
      after = last;
    }
  }

  private async keepPace(order: RewrapOrder, objects: number): Promise<void> {
    if (objects > 0) {
      await this.wait(order, (await this.jobs.reserve(order.id, objects)) * 1_000);
    }
  }

  private async resealAll(
    keys: readonly SealedKey[],
    order: RewrapOrder,
  ): Promise<Pick<RewrapBatch, 'reseals' | 'failures'>> {
    const reseals: WayedReseal[] = [];
    const failures: RewrapBatch['failures'][number][] = [];
    const fail = (sealed: SealedKey, error: unknown): void =>
      void failures.push({ sealed, ...this.reasonOf(error, order) });
    const tasks = keys.flatMap((sealed) => {
      try {
        return [rewrapTask(sealed, order)];
      } catch (error) {
        fail(sealed, error);
        return [];
      }
    });
    const lanes = await settleInLanes(this.rewrapper.groups(tasks), order.concurrency, async (group) => {
      for (const { task, outcome } of await this.rewrapGroup(group, order)) {
        if (outcome.status === 'fulfilled') {
          reseals.push({ sealed: task.sealed, ...outcome.value });
        } else {
          fail(task.sealed, outcome.reason);
        }
      }
    });
    const interrupted = lanes.find((result) => result.status === 'rejected');
    if (interrupted !== undefined) {
      throw interrupted.reason;
    }
    return { reseals, failures };
  }

  /** A process may know a key by the version before its newest, where another one has rotated it: it looks once more. */
  private async rewrapGroup(group: readonly RewrapTask[], order: RewrapOrder): Promise<FinishedTask[]> {
    const finished = await this.rewrapPatiently(group, order);
    const unchanged = finished.filter((each) => staleVersion(each, order) !== undefined);
    if (unchanged.length === 0) {
      return finished;
    }
    const references = new Set(unchanged.map(({ task }) => task.seals.keyReference));
    await Promise.allSettled([...references].map((reference) => this.kms.describeKey(reference)));
    const tasks = unchanged.map(({ task }) => ({
      ...task,
      seals: { ...task.seals, epoch: `${task.seals.epoch}/again` },
    }));
    const again = await this.rewrapPatiently(tasks, order);
    return [
      ...finished.filter((each) => !unchanged.includes(each)),
      ...again.map((each) => {
        const stale = staleVersion(each, order);
        return stale === undefined ? each : { ...each, outcome: { status: 'rejected', reason: stale } as const };
      }),
    ];
  }

  /** A KMS that is away holds the job up and fails no object: it will be back, and the old seals still serve. */
  private async rewrapPatiently(group: readonly RewrapTask[], order: RewrapOrder): Promise<FinishedTask[]> {
    const finished: FinishedTask[] = [];
    let left = group;
    for (let delay = FIRST_RETRY_MS; ; delay = Math.min(2 * delay, LONGEST_RETRY_MS)) {
      const outcomes = (await this.rewrapper.rewrapAll(left)).map((outcome, index) => ({
        task: left[index] as RewrapTask,
        outcome,
      }));
      const held = outcomes.flatMap(({ task, outcome }) =>
        outcome.status === 'rejected' && isPassing(outcome.reason) ? [{ task, error: outcome.reason }] : [],
      );
      left = held.map(({ task }) => task);
      finished.push(...outcomes.filter(({ task }) => !left.includes(task)));
      const [first] = held;
      if (first === undefined) {
        return finished;
      }
      countStall();
      await this.jobs.setWaiting(order.id, first.error.message);
      await this.wait(order, delay);
    }
  }

  private reasonOf(error: unknown, order: RewrapOrder): { reason: string; message: string } {
    if (error instanceof DomainError) {
      return { reason: error.kind, message: error.message };
    }
    this.logger.error(
      `Rewrap job ${order.id}: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}`,
    );
    return { reason: 'internal', message: 'An unexpected error; the log has the details' };
  }

  private async wait(order: RewrapOrder, milliseconds: number): Promise<void> {
    const end = performance.now() + milliseconds;
    for (let left = milliseconds; left > 0; left = end - performance.now()) {
      await this.waker.wait(left);
      await this.assertRunning(order);
    }
  }

  private async assertRunning({ id }: RewrapOrder): Promise<void> {
    if (this.stopping || (await this.jobs.state(id)) !== 'running') {
      throw new Interrupted();
    }
  }
}

/** @throws DomainError `rewrap-incomplete-row` */
function rewrapTask(sealed: SealedKey, order: RewrapOrder): RewrapTask {
  const record = encryptionRecord(sealed.row);
  if (record?.wrappedKey === undefined) {
    throw new DomainError('rewrap-incomplete-row', 'The version has no wrapped key');
  }
  const { kms, keyId } = order.target ?? record.wrappedKey;
  const seals = {
    keyReference: isSettled(record.wrappedKey, order.settled) ? undefined : `${kms}/${keyId}`,
    escrow: escrowSeals(record, { kms, keyId }, order.escrow),
    epoch: `${order.id}/${order.pass}`,
  };
  return { sealed, record, location: { bucket: sealed.bucket, key: sealed.position.key }, seals };
}

function isSettled({ kms, keyId, keyVersion }: WrappedDataKey, settled: readonly SettledKey[]): boolean {
  return settled.some(
    (key) => key.kms === kms && key.keyId === keyId && (key.keyVersion === undefined || key.keyVersion === keyVersion),
  );
}

/** The failure of a job to the newest version whose KMS wraps by the old one still; it would go round for ever. */
function staleVersion({ task, outcome }: FinishedTask, order: RewrapOrder): DomainError | undefined {
  const before = task.record.wrappedKey;
  if (outcome.status === 'rejected' || order.target !== undefined || order.escrow.action !== 'keep') {
    return undefined;
  }
  const after = outcome.value.record.wrappedKey;
  const newest = order.settled.find(({ kms, keyId }) => kms === before?.kms && keyId === before.keyId)?.keyVersion;
  return newest === undefined || newest === after?.keyVersion || after?.keyVersion !== before?.keyVersion
    ? undefined
    : new DomainError(
        'rewrap-version-unchanged',
        `The KMS wraps by version ${after?.keyVersion ?? 'unknown'} of the key still, and tells that the newest is ${newest}`,
      );
}

/** What is to be done with the second seal, which never is under the key of the first. */
function escrowSeals(record: EncryptionRecord, first: KeyName, escrow: EscrowOrder): RewrapSeals['escrow'] {
  const present = record.escrow?.wrappedKey;
  if (escrow.action === 'drop') {
    return 'drop';
  }
  if (escrow.action === 'keep' || (present !== undefined && isSameKey(present, escrow))) {
    return present !== undefined && isSameKey(present, first) ? 'drop' : 'keep';
  }
  return isSameKey(first, escrow) ? 'drop' : { keyReference: `${escrow.kms}/${escrow.keyId}` };
}

function isSameKey(left: KeyName, right: KeyName): boolean {
  return left.kms === right.kms && left.keyId === right.keyId;
}

/** Whether an error concerns the KMS as a whole and may pass, by itself or when an operator mends the credentials. */
export function isPassing(error: unknown): error is KmsError {
  return error instanceof KmsError && (error.retryable || error.kind === 'kms-unauthenticated');
}

/** Small where the pace is slow, so that it is a pace and not a series of bursts. */
function batchSize(rateLimit: number | undefined): number {
  return rateLimit === undefined ? BATCH : Math.max(1, Math.min(BATCH, Math.floor(rateLimit / 2)));
}
