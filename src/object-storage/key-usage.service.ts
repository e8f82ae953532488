import { Injectable } from '@nestjs/common';
import { DataKeys } from '../kms/data-keys';
import { KmsError } from '../kms/kms-error';
import { type KeyUsageFilter, KeyUsageRepository, type ObjectUsageRow } from './key-usage.repository';

/** What is sealed under one version of a key. */
export interface KeyVersionUsage {
  /** In the provider's own spelling; absent where it tells none. */
  readonly keyVersion?: string;
  /** Object versions, older ones included. */
  readonly objects: number;
  /** Bytes of plaintext of those objects. */
  readonly bytes: number;
  /** Those among the objects that a bucket key stands between, and so need few calls of the KMS. */
  readonly bucketKeyObjects: number;
  /** Multipart uploads in progress. */
  readonly uploads: number;
  /** Object versions that have their second seal under the key: it is what is left of them when the first KMS is lost. */
  readonly escrowObjects: number;
  readonly escrowUploads: number;
}

/** Everything that would be lost with a key. */
export interface KeyUsage extends Omit<KeyVersionUsage, 'keyVersion'> {
  /** `<type>:<target>` */
  readonly kms: string;
  readonly keyId: string;
  readonly versions: readonly KeyVersionUsage[];
  /** Buckets whose default encryption names the key, or names none while this is the default key. */
  readonly bucketDefaults: readonly string[];
}

type Counts = Omit<KeyVersionUsage, 'keyVersion'>;

const NOTHING: Counts = { objects: 0, bytes: 0, bucketKeyObjects: 0, uploads: 0, escrowObjects: 0, escrowUploads: 0 };

/** Tells what is sealed under each KMS key, exactly: the numbers are counted when asked for. */
@Injectable()
export class KeyUsageService {
  constructor(
    private readonly repository: KeyUsageRepository,
    private readonly dataKeys: DataKeys,
  ) {}

  /**
   * Counts objects, bytes, uploads in progress and bucket defaults by key and key version. Keys that nothing refers to are
   * left out; a bucket whose rule names a KMS that is not configured counts nowhere, for it can seal nothing.
   */
  async usage(filter: KeyUsageFilter = {}): Promise<KeyUsage[]> {
    const [objects, uploads, escrowObjects, escrowUploads, rules] = await Promise.all([
      this.repository.objects(filter),
      this.repository.uploads(filter),
      this.repository.escrowObjects(filter),
      this.repository.escrowUploads(filter),
      this.repository.bucketRules(),
    ]);
    const keys = new UsageByKey();
    for (const row of objects) {
      keys.add(row.kms, row.kms_key_id, row.kms_key_version, objectCounts(row));
    }
    for (const row of uploads) {
      keys.add(row.kms, row.kms_key_id, row.kms_key_version, { ...NOTHING, uploads: Number(row.uploads) });
    }
    for (const row of escrowObjects) {
      const counts = { ...NOTHING, escrowObjects: Number(row.objects) };
      keys.add(row.kms, row.kms_key_id, row.kms_key_version, counts);
    }
    for (const row of escrowUploads) {
      const counts = { ...NOTHING, escrowUploads: Number(row.uploads) };
      keys.add(row.kms, row.kms_key_id, row.kms_key_version, counts);
    }
    for (const { name, encryption } of rules) {
      const key = this.resolve(encryption.keyId);
      if (key !== undefined && matches(filter, key)) {
        keys.addDefault(key.kms, key.keyId, name);
      }
    }
    return keys.list();
  }

  /** The same for one key, with zeros when nothing refers to it. */
  async usageOf(kms: string, keyId: string): Promise<KeyUsage> {
    const [usage] = await this.usage({ kms, keyId });
    return usage ?? { kms, keyId, ...NOTHING, versions: [], bucketDefaults: [] };
  }

  private resolve(keyReference: string | undefined): { readonly kms: string; readonly keyId: string } | undefined {
    try {
      return this.dataKeys.resolve(keyReference);
    } catch (error) {
      if (error instanceof KmsError) {
        return undefined;
      }
      throw error;
    }
  }
}

/** Gathers counts of several queries under their keys. */
class UsageByKey {
  private readonly keys = new Map<
    string,
    { kms: string; keyId: string; versions: Map<string | null, Counts>; bucketDefaults: string[] }
  >();

  add(kms: string, keyId: string, version: string | null, counts: Counts): void {
    const { versions } = this.key(kms, keyId);
    versions.set(version, sum(versions.get(version) ?? NOTHING, counts));
  }

  addDefault(kms: string, keyId: string, bucket: string): void {
    this.key(kms, keyId).bucketDefaults.push(bucket);
  }

  list(): KeyUsage[] {
    return [...this.keys.values()]
      .map(({ kms, keyId, versions, bucketDefaults }) => ({
        kms,
        keyId,
        ...[...versions.values()].reduce(sum, NOTHING),
        versions: [...versions]
          .map(([keyVersion, counts]) => ({ keyVersion: keyVersion ?? undefined, ...counts }))
          .sort((left, right) => byVersion(left.keyVersion ?? '', right.keyVersion ?? '')),
        bucketDefaults,
      }))
      .sort((left, right) => compare(left.kms, right.kms) || compare(left.keyId, right.keyId));
  }

  private key(kms: string, keyId: string) {
    const id = JSON.stringify([kms, keyId]);
    const known = this.keys.get(id);
    if (known !== undefined) {
      return known;
    }
    const added = { kms, keyId, versions: new Map<string | null, Counts>(), bucketDefaults: [] };
    this.keys.set(id, added);
    return added;
  }
}

function objectCounts(row: ObjectUsageRow): Counts {
  return {
    ...NOTHING,
    objects: Number(row.objects),
    bytes: Number(row.bytes),
    bucketKeyObjects: Number(row.bucket_key_objects),
  };
}

function sum(left: Counts, right: Counts): Counts {
  return {
    objects: left.objects + right.objects,
    bytes: left.bytes + right.bytes,
    bucketKeyObjects: left.bucketKeyObjects + right.bucketKeyObjects,
    uploads: left.uploads + right.uploads,
    escrowObjects: left.escrowObjects + right.escrowObjects,
    escrowUploads: left.escrowUploads + right.escrowUploads,
  };
}

function matches(filter: KeyUsageFilter, key: { readonly kms: string; readonly keyId: string }): boolean {
  return (
    (filter.kms === undefined || filter.kms === key.kms) && (filter.keyId === undefined || filter.keyId === key.keyId)
  );
}

/** Numbers by their value where versions are numbers. */
function byVersion(left: string, right: string): number {
  return Number(left) - Number(right) || compare(left, right);
}

function compare(left: string, right: string): number {
  return left < right ? -1 : Number(left > right);
}
