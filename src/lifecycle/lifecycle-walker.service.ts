import { Injectable } from '@nestjs/common';
import { Settings } from '../settings/settings';
import { abortOf, judge } from './lifecycle-evaluator';
import { abortsUploads, keyRanges, rangeAt, removesObjects } from './lifecycle-ranges';
import type { LifecycleRule } from './lifecycle-rules';
import {
  type Above,
  type Judgement,
  LifecycleWalkRepository,
  type WalkedUpload,
  type WalkedVersion,
} from './lifecycle-walk.repository';
import type { LifecycleCursor } from './lifecycle.types';

/** Rows read at a time. */
const PAGE = 1_000;

/** The bucket and rules of a walk. */
export interface Walk {
  readonly bucketId: number;
  readonly rules: readonly LifecycleRule[];
}

export interface ObjectPage {
  readonly judgements: readonly Judgement[];
  /** Versions looked at. */
  readonly scanned: number;
  /** Where the walk goes on. */
  readonly next: LifecycleCursor;
  /** What is above the version that the walk goes on with. */
  readonly above?: Above;
}

export interface UploadPage {
  readonly uploads: readonly (WalkedUpload & { readonly ruleId: string })[];
  readonly scanned: number;
  readonly next: LifecycleCursor;
}

/** Goes through a bucket in the order of its index, only where rules look, and tells what is due. */
@Injectable()
export class LifecycleWalker {
  private readonly day: number;

  constructor(
    private readonly repository: LifecycleWalkRepository,
    settings: Settings,
  ) {
    this.day = settings.lifecycleDaySeconds * 1_000;
  }

  /**
   * The next page of versions. It ends early when enough is due.
   *
   * @param above as the page before gave it; looked up when a walk is resumed
   * @returns undefined at the end of the walk
   */
  async objects(
    { bucketId, rules }: Walk,
    cursor: LifecycleCursor,
    above: Above | undefined,
    mostDue: number,
  ): Promise<ObjectPage | undefined> {
    const range = rangeAt(keyRanges(rules, removesObjects), cursor.key);
    if (range === undefined) {
      return undefined;
    }
    let top = above ?? (await this.repository.above(bucketId, cursor));
    const rows = await this.repository.versions(bucketId, cursor, range, PAGE);
    const now = new Date();
    const judgements: Judgement[] = [];
    let scanned = 0;
    for (const version of rows) {
      const over = top?.key === version.key ? top : undefined;
      const judged = {
        ...version,
        noncurrentSince: version.isCurrent ? undefined : over?.lastModified,
        newerNoncurrent: over?.noncurrent ?? 0,
      };
      const verdict = judge(judged, rules, now, this.day);
      if (verdict !== undefined) {
        judgements.push({ version, verdict });
      }
      top = below(version, over, verdict !== undefined);
      scanned += 1;
      if (judgements.length === mostDue) {
        break;
      }
    }
    const last = rows[scanned - 1];
    return last === undefined || (scanned === rows.length && rows.length < PAGE)
      ? { judgements, scanned, next: { stage: 'objects', key: range.until, upload: '' } }
      : { judgements, scanned, next: { stage: 'objects', key: last.key, seq: last.seq, upload: '' }, above: top };
  }

  /** The next page of uploads in progress; undefined at the end of the walk. */
  async uploads({ bucketId, rules }: Walk, cursor: LifecycleCursor, limit: number): Promise<UploadPage | undefined> {
    const range = rangeAt(keyRanges(rules, abortsUploads), cursor.key);
    if (range === undefined) {
      return undefined;
    }
    const rows = await this.repository.uploads(bucketId, cursor, range, limit);
    const now = Date.now();
    const uploads = rows.flatMap((upload) => {
      const due = abortOf(upload, rules, this.day);
      return due !== undefined && due.at.getTime() <= now ? [{ ...upload, ruleId: due.ruleId }] : [];
    });
    const last = rows.length < limit ? undefined : rows.at(-1);
    return {
      uploads,
      scanned: rows.length,
      next: { stage: 'uploads', key: last?.key ?? range.until, upload: last?.id ?? '' },
    };
  }
}

/** What is above the version that follows. One that is about to be removed is not counted as kept. */
function below({ key, isCurrent, lastModified }: WalkedVersion, over: Above | undefined, due: boolean): Above {
  const noncurrent = over?.noncurrent ?? 0;
  return { key, lastModified, noncurrent: isCurrent || due ? noncurrent : noncurrent + 1 };
}
