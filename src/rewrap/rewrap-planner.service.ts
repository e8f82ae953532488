import { Injectable } from '@nestjs/common';
import { KmsError } from '../kms/kms-error';
import { KmsService } from '../kms/kms.service';
import {
  type ModeCount,
  type SealedCount,
  SealedKeyRepository,
  type SettledKey,
} from '../object-storage/sealed-key.repository';
import { RewrapJobRepository } from './rewrap-job.repository';
import { selectionOf } from './rewrap-selection';
import type { RewrapExcluded, RewrapOrder, RewrapSource } from './rewrap.types';

/** Finds out, before anything is changed, what a job has to do and whether its target can be used. */
@Injectable()
export class RewrapPlanner {
  constructor(
    private readonly jobs: RewrapJobRepository,
    private readonly sealedKeys: SealedKeyRepository,
    private readonly kms: KmsService,
  ) {}

  /**
   * Plans a job and starts its walk.
   * @throws KmsError when the target cannot wrap and unwrap, or a KMS does not answer
   */
  async plan(order: RewrapOrder): Promise<void> {
    const settled = await this.settledKeys(order);
    const selection = selectionOf({ ...order, settled });
    const [counts, modes] = await Promise.all([this.sealedKeys.count(selection), this.sealedKeys.modes(selection)]);
    await this.jobs.planned(order, {
      settled,
      sources: sourcesOf(counts),
      excluded: excludedOf(modes, selection.serverKeys),
    });
  }

  private async settledKeys(order: RewrapOrder): Promise<SettledKey[]> {
    const { target, escrow } = order;
    if (escrow.action === 'add') {
      await this.assertUsable(escrow);
    }
    if (target === undefined) {
      return this.newestVersions(order);
    }
    await this.assertUsable(target);
    return [target];
  }

  private async assertUsable({ kms, keyId }: { readonly kms: string; readonly keyId: string }): Promise<void> {
    const { encryptionError, decryptionError } = await this.kms.tryKey(`${kms}/${keyId}`);
    const failure = encryptionError ?? decryptionError;
    if (failure !== undefined) {
      throw failure;
    }
  }

  private async newestVersions(order: RewrapOrder): Promise<SettledKey[]> {
    const counts = await this.sealedKeys.count(selectionOf({ ...order, settled: [] }));
    const keys = new Map(counts.map(({ kms, keyId }) => [JSON.stringify([kms, keyId]), { kms, keyId }]));
    const newest = [...keys.values()].map(async (key) => {
      try {
        const { latestVersion, wrappingVersion } = await this.kms.describeKey(`${key.kms}/${key.keyId}`);
        // Where a KMS tells no versions there is no telling which seals are old.
        return [{ ...key, keyVersion: wrappingVersion ?? latestVersion }];
      } catch (error) {
        if (error instanceof KmsError && !error.retryable) {
          // A key that is gone concerns its own objects only; each of them will be listed with the reason.
          return [];
        }
        throw error;
      }
    });
    return (await Promise.all(newest)).flat();
  }
}

function sourcesOf(counts: readonly SealedCount[]): RewrapSource[] {
  const sources = new Map<string, RewrapSource>();
  for (const { kms, keyId, keyVersion, kind, count, bytes } of counts) {
    const id = JSON.stringify([kms, keyId, keyVersion]);
    const known = sources.get(id) ?? { kms, keyId, keyVersion, objects: 0, bytes: 0, uploads: 0 };
    sources.set(
      id,
      kind === 'object'
        ? { ...known, objects: known.objects + count, bytes: known.bytes + bytes }
        : { ...known, uploads: known.uploads + count },
    );
  }
  return [...sources.values()];
}

function excludedOf(modes: readonly ModeCount[], serverKeysToo: boolean): RewrapExcluded {
  const count = (wanted: string): number =>
    modes.filter(({ mode }) => mode === wanted).reduce((sum, { objects, uploads }) => sum + objects + uploads, 0);
  return {
    customerKeys: count('sse-c'),
    unencrypted: count('none'),
    serverKeys: serverKeysToo ? 0 : count('sse-s3'),
  };
}
