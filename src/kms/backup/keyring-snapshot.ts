import type { KeyringRow } from '../keyring.repository';
import { BackupError } from './backup-error';

/** One key of the embedded keyring, with its material in the clear. */
export interface SnapshotKey extends KeyringRow {
  readonly description: string | null;
  readonly tags: Readonly<Record<string, string>>;
  /** 32 bytes each; undefined for what the root key of this deployment does not open. */
  readonly versions: ReadonlyMap<number, { readonly material: Buffer | undefined; readonly createdAt: Date }>;
}

/** How a key of a bundle compares with the one that is there. */
export type KeyComparison =
  | 'absent'
  | 'same'
  /** All versions that are there are the same, and the bundle has more. */
  | 'behind'
  /** The root key does not open what is there, and the bundle has all of it. */
  | 'unreadable'
  | 'different';

/** @param here the key of that id in this keyring, where there is one */
export function compareKeys(bundled: SnapshotKey, here: SnapshotKey | undefined): KeyComparison {
  if (here === undefined) {
    return 'absent';
  }
  if (here.kind !== bundled.kind) {
    return 'different';
  }
  let unreadable = false;
  for (const [version, { material }] of here.versions) {
    const given = bundled.versions.get(version)?.material;
    if (material === undefined && given !== undefined) {
      unreadable = true;
    } else if (material === undefined || (given !== undefined && !material.equals(given))) {
      return 'different';
    }
  }
  if (unreadable) {
    const hasAll = [...here.versions.keys()].every((version) => bundled.versions.has(version));
    return hasAll ? 'unreadable' : 'different';
  }
  return [...bundled.versions.keys()].every((version) => here.versions.has(version)) ? 'same' : 'behind';
}

/** Writes keys as they lie in a bundle, before they are sealed. */
export function encodeKeys(keys: readonly SnapshotKey[]): Buffer {
  const plain = keys.map((key) => ({
    ...key,
    versions: [...key.versions].map(([version, { material, createdAt }]) => ({
      version,
      material: material?.toString('base64'),
      createdAt,
    })),
  }));
  return Buffer.from(JSON.stringify({ keys: plain }), 'utf8');
}

interface EncodedKey extends Omit<SnapshotKey, 'versions' | 'createdAt' | 'deletionDate'> {
  readonly createdAt: string;
  readonly deletionDate: string | null;
  readonly versions: readonly { readonly version: number; readonly material: string; readonly createdAt: string }[];
}

/** Reads what {@link encodeKeys} wrote, after it was authenticated. @throws BackupError `backup-damaged` */
export function decodeKeys(bytes: Buffer): SnapshotKey[] {
  try {
    const { keys } = JSON.parse(bytes.toString('utf8')) as { readonly keys: readonly EncodedKey[] };
    return keys.map((key) => ({
      ...key,
      createdAt: new Date(key.createdAt),
      deletionDate: key.deletionDate === null ? null : new Date(key.deletionDate),
      versions: new Map(
        key.versions.map(({ version, material, createdAt }) => [
          version,
          { material: Buffer.from(material, 'base64'), createdAt: new Date(createdAt) },
        ]),
      ),
    }));
  } catch (cause) {
    throw new BackupError('backup-damaged', 'The keys of the bundle cannot be read', { cause });
  }
}

/** Overwrites the material of keys that are needed no more. */
export function wipeKeys(keys: readonly SnapshotKey[]): void {
  for (const { versions } of keys) {
    for (const { material } of versions.values()) {
      material?.fill(0);
    }
  }
}
