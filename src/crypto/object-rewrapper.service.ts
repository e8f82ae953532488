import { timingSafeEqual } from 'node:crypto';
import { Injectable } from '@nestjs/common';
import { type BoundWrappedKey, DataKeys, type WrappedDataKey } from '../kms/data-keys';
import { CiphertextError } from './dare';
import type { EncryptionRecord, ObjectLocation } from './encryption.types';
import { escrowReason } from './escrow';
import { objectContext } from './kms-context';
import { ObjectCipher, type RewrapSeals } from './object-cipher.service';
import { sealDomain, sealObjectKey, unsealObjectKey } from './object-key-seal';

/** A stored object key, and how it is to be sealed anew. */
export interface RewrapItem {
  readonly record: EncryptionRecord;
  readonly location: ObjectLocation;
  readonly seals: RewrapSeals;
}

/** Where a data key was wrapped anew: inside the KMS, or unwrapped and wrapped with its plaintext in this process. */
export type RewrapWay = 'kms' | 'process';

export interface Rewrapped {
  readonly record: EncryptionRecord;
  readonly way: RewrapWay;
}

/** An item on its way through the steps; one that has failed takes no further step. */
interface Work {
  readonly item: RewrapItem;
  readonly wrapped: WrappedDataKey;
  readonly keyReference: string;
  objectKey?: Buffer;
  sealed?: EncryptionRecord & { readonly wrappedKey: WrappedDataKey };
  failure?: Error;
}

/**
 * Seals stored object keys anew: several in one call where a KMS takes several, and inside the KMS where it can. Each new seal
 * is proved before it is returned: its KMS unwraps the data key, and that opens the object key.
 */
@Injectable()
export class ObjectRewrapper {
  constructor(
    private readonly dataKeys: DataKeys,
    private readonly cipher: ObjectCipher,
  ) {}

  /** Puts together, in bounded groups, what {@link rewrapAll} can do with the same calls. */
  groups<T extends RewrapItem>(items: readonly T[]): T[][] {
    const groups: T[][] = [];
    const growing = new Map<string, T[]>();
    for (const item of items) {
      const { wrapped, keyReference } = workOn(item) ?? {};
      const size = wrapped && keyReference !== undefined ? this.groupSize(wrapped.kms, keyReference) : 1;
      const id = JSON.stringify([wrapped?.kms, wrapped?.keyId, keyReference]);
      const group = growing.get(id);
      if (size > 1 && group !== undefined && group.length < size) {
        group.push(item);
        continue;
      }
      const fresh = [item];
      groups.push(fresh);
      if (size > 1) {
        growing.set(id, fresh);
      }
    }
    return groups;
  }

  /**
   * Seals the object keys of one group anew.
   * @returns an outcome for each, in order; failures are those of {@link ObjectCipher.rewrap}
   */
  async rewrapAll(group: readonly RewrapItem[]): Promise<PromiseSettledResult<Rewrapped>[]> {
    const works = group.map(workOn).filter((work) => work !== undefined);
    const [first] = works;
    if (first === undefined || works.length < group.length) {
      return Promise.allSettled(group.map((item) => this.alone(item)));
    }
    const way = (await this.insideKms(works, first.keyReference)) ? 'kms' : 'process';
    if (way === 'process') {
      await this.inProcess(works, first.keyReference);
    }
    return Promise.allSettled(works.map((work) => this.finish(work, way)));
  }

  /** The data keys stay what they are, and so do the seals under them. @returns false when the KMS does not do that */
  private async insideKms(works: readonly Work[], keyReference: string): Promise<boolean> {
    let possible = true;
    await step(
      works,
      async (open) => {
        const rewrapped = await this.dataKeys.rewrapAll(open.map(presentKey), keyReference);
        possible = rewrapped !== undefined;
        return rewrapped ?? [];
      },
      (work, wrappedKey) => (work.sealed = { ...work.item.record, wrappedKey }),
    );
    if (possible) {
      await this.unwrapNew(works, (work, record, dataKey) => unseal(work, record, dataKey).fill(0));
    }
    return possible;
  }

  private async inProcess(works: readonly Work[], keyReference: string): Promise<void> {
    try {
      await step(
        works,
        (open) => this.dataKeys.unwrapAll(open.map(presentKey)),
        (work, dataKey) => (work.objectKey = unseal(work, work.item.record, dataKey)),
      );
      await step(
        works,
        (open) => this.dataKeys.generateAll(keyReference, open.map(contextOf)),
        (work, { plaintext, wrapped }) => (work.sealed = seal(work, plaintext, wrapped)),
      );
      await this.unwrapNew(works, (work, record, dataKey) => {
        const opened = unseal(work, record, dataKey);
        const same = timingSafeEqual(opened, objectKeyOf(work));
        opened.fill(0);
        if (!same) {
          throw new CiphertextError('The new seal opens to another object key');
        }
      });
    } finally {
      works.forEach(({ objectKey }) => objectKey?.fill(0));
    }
  }

  private async unwrapNew(
    works: readonly Work[],
    take: (work: Work, record: EncryptionRecord, dataKey: Buffer) => void,
  ): Promise<void> {
    await step(
      works,
      (open) =>
        this.dataKeys.unwrapAll(open.map((work) => ({ wrapped: sealedOf(work).wrappedKey, context: contextOf(work) }))),
      (work, dataKey) => take(work, sealedOf(work), dataKey),
    );
  }

  /** What its KMS cannot open its escrow seal may. */
  private async finish(work: Work, way: RewrapWay): Promise<Rewrapped> {
    const { item, failure } = work;
    if (failure === undefined) {
      return {
        record: { ...sealedOf(work), escrow: item.seals.escrow === 'drop' ? undefined : item.record.escrow },
        way,
      };
    }
    if (item.record.escrow === undefined || escrowReason(failure) === undefined) {
      throw failure;
    }
    return this.alone(item);
  }

  private async alone({ record, location, seals }: RewrapItem): Promise<Rewrapped> {
    return { record: await this.cipher.rewrap(record, location, seals), way: 'process' };
  }

  private groupSize(kms: string, keyReference: string): number {
    try {
      return Math.max(this.dataKeys.batchSize(kms), this.dataKeys.batchSize(this.dataKeys.resolve(keyReference).kms));
    } catch {
      // A target that has gone fails each of its items, with the reason.
      return 1;
    }
  }
}

/**
 * The work on an item; undefined for what {@link ObjectCipher.rewrap} has to do: a new second seal, data keys of a bucket key,
 * which cost no call each, and of SSE-S3, whose KMS is in this process.
 */
function workOn(item: RewrapItem): Work | undefined {
  const { record, seals } = item;
  const { wrappedKey: wrapped } = record;
  const { keyReference } = seals;
  const ofItsOwn = (record.mode === 'sse-kms' || record.mode === 'dsse-kms') && record.bucketKey !== true;
  const firstSealOnly = seals.escrow === 'keep' || seals.escrow === 'drop';
  return ofItsOwn && firstSealOnly && wrapped !== undefined && keyReference !== undefined
    ? { item, wrapped, keyReference }
    : undefined;
}

/** Asks for all that have not failed yet, and takes the answers one by one. */
async function step<A>(
  works: readonly Work[],
  ask: (open: readonly Work[]) => Promise<readonly PromiseSettledResult<A>[]>,
  take: (work: Work, answer: A) => void,
): Promise<void> {
  const open = works.filter(({ failure }) => failure === undefined);
  if (open.length === 0) {
    return;
  }
  let answers: readonly PromiseSettledResult<A>[];
  try {
    answers = await ask(open);
  } catch (error) {
    open.forEach((work) => (work.failure = error as Error));
    return;
  }
  for (const [index, answer] of answers.entries()) {
    const work = open[index] as Work;
    if (answer.status === 'rejected') {
      work.failure = answer.reason as Error;
      continue;
    }
    try {
      take(work, answer.value);
    } catch (error) {
      work.failure = error as Error;
    }
  }
}

function presentKey(work: Work): BoundWrappedKey {
  return { wrapped: work.wrapped, context: contextOf(work) };
}

function contextOf({ item }: Work): BoundWrappedKey['context'] {
  return objectContext(item.record.context, item.location);
}

function seal(work: Work, dataKey: Buffer, wrappedKey: WrappedDataKey): NonNullable<Work['sealed']> {
  const { record, location } = work.item;
  try {
    return { ...record, ...sealObjectKey(objectKeyOf(work), dataKey, sealDomain(record.mode), location), wrappedKey };
  } finally {
    dataKey.fill(0);
  }
}

function unseal({ item }: Work, record: EncryptionRecord, dataKey: Buffer): Buffer {
  try {
    return unsealObjectKey(record, dataKey, sealDomain(record.mode), item.location);
  } finally {
    dataKey.fill(0);
  }
}

function objectKeyOf({ objectKey }: Work): Buffer {
  if (objectKey === undefined) {
    throw new Error('The object key has not been opened');
  }
  return objectKey;
}

function sealedOf({ sealed }: Work): NonNullable<Work['sealed']> {
  if (sealed === undefined) {
    throw new Error('The object key has not been sealed anew');
  }
  return sealed;
}
