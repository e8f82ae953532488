import { Injectable, Logger, Optional } from '@nestjs/common';
import { AuditTrail } from '../common/audit-trail';
import { DomainError } from '../common/domain-error';
import { Database } from '../database/database';
import type { EventCause, ObjectEvent } from '../notifications/event-record';
import { EventPublisher } from '../notifications/event-publisher.service';
import { MultipartService } from '../object-storage/multipart.service';
import { Settings } from '../settings/settings';
import { LifecycleRunRepository } from './lifecycle-run.repository';
import { type Above, type ExpireOutcome, type Judgement, LifecycleWalkRepository } from './lifecycle-walk.repository';
import { LifecycleWalker, type ObjectPage } from './lifecycle-walker.service';
import { countLifecycle, countLifecycleRun } from './lifecycle.metrics';
import { type LeasedRun, type LifecycleCounts, type LifecycleCursor, NO_COUNTS } from './lifecycle.types';

/** Deleted in one transaction, which holds their keys until it ends. */
const MOST_DELETED = 100;
const UPLOAD_PAGE = 100;
const LONGEST_REST_MS = 1_000;
const RETRY_SECONDS = 300;

/** How whoever drives a run holds it back. */
export interface RunPace {
  readonly stopping: boolean;
  rest(milliseconds: number): Promise<void>;
}

/** The run belongs to another process by now. */
class TakenOver extends Error {}

/** Carries out the rules of one bucket: page by page, each page in a transaction with the place that it leads to. */
@Injectable()
export class LifecycleRunner {
  private readonly logger = new Logger(LifecycleRunner.name);

  constructor(
    private readonly database: Database,
    private readonly runs: LifecycleRunRepository,
    private readonly walk: LifecycleWalkRepository,
    private readonly walker: LifecycleWalker,
    private readonly uploads: MultipartService,
    private readonly events: EventPublisher,
    private readonly settings: Settings,
    @Optional() private readonly audit?: AuditTrail,
  ) {}

  /** Works on a run until it is done, or given back because the process stops. Failures end the run, and are told. */
  async run(run: LeasedRun, pace: RunPace): Promise<void> {
    try {
      const end = await this.walkThrough(run, pace);
      if (end === 'stopped') {
        await this.runs.release(run);
      } else {
        await this.finish(run, end === 'rules-changed' ? 0 : this.settings.lifecycleIntervalSeconds);
      }
    } catch (error) {
      if (error instanceof TakenOver) {
        this.logger.warn(`The lifecycle run of bucket ${run.bucket} was taken over by another process`);
        return;
      }
      const message = error instanceof Error ? error.message : String(error);
      await this.finish(run, Math.min(RETRY_SECONDS, this.settings.lifecycleIntervalSeconds), message);
    }
  }

  private async walkThrough(run: LeasedRun, pace: RunPace): Promise<'done' | 'stopped' | 'rules-changed'> {
    let cursor = run.cursor;
    let above: Above | undefined;
    while (!pace.stopping) {
      const startedAt = performance.now();
      const step = cursor.stage === 'objects' ? await this.objects(run, cursor, above) : await this.abort(run, cursor);
      if (step === undefined) {
        if (cursor.stage === 'uploads') {
          return 'done';
        }
        cursor = { stage: 'uploads', key: '', upload: '' };
        continue;
      }
      if (step.document !== run.document) {
        return 'rules-changed';
      }
      ({ cursor, above } = step);
      // As long as it worked, so that at most half of one connection's time goes into this.
      await pace.rest(Math.min(LONGEST_REST_MS, performance.now() - startedAt));
    }
    return 'stopped';
  }

  private async objects(run: LeasedRun, cursor: LifecycleCursor, above: Above | undefined): Promise<Step | undefined> {
    const page = await this.walker.objects(run, cursor, above, MOST_DELETED);
    if (page === undefined) {
      return undefined;
    }
    const { document, counts } = await this.database.transaction(async (tx) => {
      const outcomes = page.judgements.length === 0 ? [] : await this.walk.expire(run.bucketId, page.judgements, tx);
      const done = countsOf(page, outcomes);
      await this.events.publish(run.bucket, eventsOf(page.judgements, outcomes), CAUSE, tx);
      return { counts: done, document: mine(await this.runs.advance(run, page.next, done, tx)) };
    });
    countLifecycle(counts);
    return { cursor: page.next, above: page.above, document };
  }

  private async abort(run: LeasedRun, cursor: LifecycleCursor): Promise<Step | undefined> {
    const page = await this.walker.uploads(run, cursor, UPLOAD_PAGE);
    if (page === undefined) {
      return undefined;
    }
    let uploadsAborted = 0;
    for (const { key, id } of page.uploads) {
      uploadsAborted += (await this.abortUpload(run.bucket, key, id)) ? 1 : 0;
    }
    const counts = { ...NO_COUNTS, scanned: page.scanned, uploadsAborted };
    const document = mine(await this.runs.advance(run, page.next, counts));
    countLifecycle(counts);
    return { cursor: page.next, document };
  }

  /** False when the upload has ended by itself meanwhile. */
  private async abortUpload(bucket: string, key: string, id: string): Promise<boolean> {
    try {
      await this.uploads.abort(bucket, key, id);
      return true;
    } catch (error) {
      if (error instanceof DomainError && error.kind === 'NoSuchUpload') {
        return false;
      }
      throw error;
    }
  }

  private async finish(run: LeasedRun, nextInSeconds: number, error?: string): Promise<void> {
    const ended = await this.runs.finish(run, nextInSeconds, error);
    if (ended === undefined) {
      return;
    }
    const outcome = error === undefined ? 'completed' : 'failed';
    countLifecycleRun(outcome);
    const counts = Object.fromEntries(
      Object.keys(NO_COUNTS).map((name) => [name, ended[name as keyof LifecycleCounts]]),
    );
    const seconds = ((ended.finishedAt ?? new Date()).getTime() - run.startedAt.getTime()) / 1_000;
    const line = { msg: `Lifecycle run of bucket ${run.bucket} ${outcome}`, bucket: run.bucket, seconds, ...counts };
    if (error !== undefined) {
      this.logger.warn({ ...line, error });
    } else if (Object.entries(counts).some(([name, count]) => name !== 'scanned' && Number(count) > 0)) {
      this.logger.log(line);
    } else {
      this.logger.debug(line);
    }
    this.audit?.note({
      category: 'bucket',
      operation: 'LifecycleRun',
      principal: 'system',
      outcome: error === undefined ? 'success' : 'failure',
      errorClass: error === undefined ? undefined : 'internal',
      resource: `/${run.bucket}`,
      seconds,
      details: Object.fromEntries(Object.entries(counts).map(([name, count]) => [name, String(count)])),
    });
  }
}

/** By whom rules are carried out, as messages about events have it. */
const CAUSE: EventCause = { principal: 'system', sourceIp: '', requestId: '', hostId: '' };

interface Step {
  readonly cursor: LifecycleCursor;
  readonly above?: Above;
  readonly document: string | null;
}

function mine(document: string | null | undefined): string | null {
  if (document === undefined) {
    throw new TakenOver();
  }
  return document;
}

function eventsOf(judgements: readonly Judgement[], outcomes: readonly ExpireOutcome[]): ObjectEvent[] {
  return judgements.flatMap(({ version }, index): ObjectEvent[] => {
    const { outcome, markerVersion, removedAt = new Date() } = outcomes[index] as ExpireOutcome;
    if (outcome !== 'ok') {
      return [];
    }
    const { key, versionId } = version;
    return markerVersion === undefined
      ? [{ name: 's3:LifecycleExpiration:Delete', key, versionId, at: removedAt }]
      : [{ name: 's3:LifecycleExpiration:DeleteMarkerCreated', key, versionId: markerVersion, at: removedAt }];
  });
}

function countsOf({ judgements, scanned }: ObjectPage, outcomes: readonly ExpireOutcome[]): LifecycleCounts {
  const of = (wanted: (judgement: Judgement, outcome: ExpireOutcome) => boolean): Judgement[] =>
    judgements.filter((judgement, index) => wanted(judgement, outcomes[index] as ExpireOutcome));
  const done = (action: Judgement['verdict']['action']): number =>
    of(({ verdict }, { outcome }) => outcome === 'ok' && verdict.action === action).length;
  const removed = of((_, { outcome, markerVersion }) => outcome === 'ok' && markerVersion === undefined);
  return {
    ...NO_COUNTS,
    scanned,
    objectsExpired: done('expire'),
    versionsRemoved: done('remove-noncurrent'),
    markersRemoved: done('remove-marker'),
    bytes: removed.reduce((sum, { version }) => sum + version.size, 0),
    locked: of((_, { outcome }) => outcome === 'AccessDenied').length,
    changed: of((_, { outcome }) => outcome === 'changed' || outcome === 'NoSuchBucket').length,
  };
}
