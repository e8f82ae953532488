import { randomUUID } from 'node:crypto';
import { Inject, Injectable } from '@nestjs/common';
import { ROOT_KEY } from '../../settings/root-key';
import { Settings } from '../../settings/settings';
import { openArtifact, readManifest, sealBundle, type BackupManifest } from './backup-bundle';
import { BackupError, type BackupErrorKind } from './backup-error';
import { backupKek, type BackupKek } from './backup-kek';
import { checkBundleName, readBundle, writeBundle } from './bundle-directory';
import { compareKeys, decodeKeys, encodeKeys, wipeKeys, type SnapshotKey } from './keyring-snapshot';
import { KeyringSnapshots } from './keyring-snapshot.repository';

/**
 * What may become of keys that are there already. `fail` restores nothing; `restore-into-empty-target` adds what is
 * missing and takes nothing away; `replace-unusable` also replaces keys that the root key does not open, and keys that are
 * disabled and have nothing sealed under them.
 */
export const CONFLICT_POLICIES = ['fail', 'restore-into-empty-target', 'replace-unusable'] as const;
export type ConflictPolicy = (typeof CONFLICT_POLICIES)[number];

/** Whether anything is sealed under a key. */
export type UsageCheck = (keyId: string) => Promise<boolean>;

export interface BackupStatus {
  readonly deploymentIdentity: string;
  readonly directory?: string;
  readonly kekId?: string;
  readonly kekVersion?: number;
  /** Why nothing can be backed up or restored; absent when it can. */
  readonly unavailable?: string;
}

export interface RestoreBlocker {
  readonly code: string;
  readonly detail: string;
}

export interface RestoreConflict {
  readonly keyId: string;
  readonly kind: 'key-already-exists' | 'generation-regression';
  readonly detail: string;
}

/** What a restore would meet. Nothing was written. */
export interface RestoreReport {
  readonly backupId: string;
  readonly deploymentIdentity: string;
  readonly blockers: readonly RestoreBlocker[];
  readonly conflicts: readonly RestoreConflict[];
  /** What the configuration was when the bundle was made. */
  readonly config?: unknown;
}

export interface RestoreOrder {
  readonly bundle: string;
  /** A bundle older than this is refused. */
  readonly observedGeneration?: number;
  /** The id that the dry run told. */
  readonly confirmBackupId: string;
  readonly policy: ConflictPolicy;
  /** Also restores what another deployment has backed up. */
  readonly allowOtherDeployment?: boolean;
}

export interface RestoreResult {
  readonly backupId: string;
  readonly snapshotGeneration: number;
  readonly restored: readonly string[];
  readonly unchanged: readonly string[];
}

const BLOCKERS: Readonly<Partial<Record<BackupErrorKind, string>>> = {
  'backup-damaged': 'bundle-corrupted',
  'backup-wrong-kek': 'wrong-backup-kek',
};

/**
 * Backs the embedded keyring up into bundles that a key of their own seals, and restores it from them: what is left when
 * the root key is lost.
 */
@Injectable()
export class KeyringBackup {
  constructor(
    private readonly settings: Settings,
    private readonly snapshots: KeyringSnapshots,
    @Inject(ROOT_KEY) private readonly rootKey: Buffer,
  ) {}

  async status(): Promise<BackupStatus> {
    const deploymentIdentity = await this.snapshots.deploymentIdentity();
    try {
      const { directory, id, version } = this.kek();
      return { deploymentIdentity, directory, kekId: id, kekVersion: version };
    } catch (error) {
      if (!(error instanceof BackupError)) {
        throw error;
      }
      return { deploymentIdentity, unavailable: error.message };
    }
  }

  /**
   * Writes a bundle with every key.
   *
   * @param config to be shown beside the present one when the bundle is restored; holds no secrets
   * @throws BackupError `backup-not-configured`, `backup-invalid`, `backup-exists`, `backup-incomplete`
   */
  async export(backupId: string | undefined, config: object): Promise<BackupManifest> {
    const kek = this.kek();
    const name = backupId ?? `backup-${randomUUID().replaceAll('-', '')}`;
    checkBundleName(name);
    const keys = await this.snapshots.read();
    try {
      refuseIncomplete(keys);
      const origin = {
        backup_id: name,
        deployment_identity: await this.snapshots.deploymentIdentity(),
        snapshot_generation: Math.floor(Date.now() / 1_000),
      };
      const material = encodeKeys(keys);
      const { bundle, manifest } = sealBundle(kek, origin, [
        ['key-material', material],
        ['kms-config', Buffer.from(JSON.stringify(config), 'utf8')],
      ]);
      material.fill(0);
      await writeBundle(kek.directory, name, bundle);
      return manifest;
    } finally {
      wipeKeys(keys);
    }
  }

  /**
   * Tells what restoring a bundle would meet, and writes nothing.
   * @throws BackupError `backup-not-configured`, `backup-invalid`, `backup-not-found`
   */
  async dryRun(bundle: string, observedGeneration: number | undefined): Promise<RestoreReport> {
    const kek = this.kek();
    const deploymentIdentity = await this.snapshots.deploymentIdentity();
    let opened: { readonly manifest: BackupManifest; readonly keys: SnapshotKey[]; readonly config: unknown };
    try {
      opened = await this.open(kek, bundle);
    } catch (error) {
      const code = error instanceof BackupError ? BLOCKERS[error.kind] : undefined;
      if (code === undefined || !(error instanceof BackupError)) {
        throw error;
      }
      return { backupId: '', deploymentIdentity, blockers: [{ code, detail: error.message }], conflicts: [] };
    }
    const { manifest, keys, config } = opened;
    const here = await this.snapshots.read();
    const foreign = manifest.deployment_identity !== deploymentIdentity;
    const conflicts = [...olderThan(manifest, observedGeneration), ...keys.flatMap((key) => conflictOf(key, here))];
    wipeKeys([...keys, ...here]);
    return {
      backupId: manifest.backup_id,
      deploymentIdentity,
      blockers: foreign ? [{ code: 'deployment-mismatch', detail: foreignDetail(manifest, deploymentIdentity) }] : [],
      conflicts,
      config,
    };
  }

  /**
   * Restores keys in one transaction: all that the policy allows, or none. Material is sealed by the present root key.
   *
   * @param isUsed asked about disabled keys that are in the way
   * @throws BackupError `backup-refused` with the reason, `backup-wrong-kek`, `backup-damaged`, `backup-invalid`, …
   */
  async restore(order: RestoreOrder, isUsed: UsageCheck): Promise<RestoreResult> {
    const { manifest, keys } = await this.open(this.kek(), order.bundle);
    try {
      await this.refuseUnwanted(order, manifest);
      const restored: string[] = [];
      await this.snapshots.change(async (here) => {
        const removed: string[] = [];
        const added: SnapshotKey[] = [];
        for (const key of keys) {
          const present = here.find(({ keyId }) => keyId === key.keyId);
          const comparison = compareKeys(key, present);
          if (comparison === 'same') {
            continue;
          }
          if (present !== undefined && comparison !== 'behind') {
            await requireReplaceable(order.policy, present, comparison === 'unreadable', isUsed);
            removed.push(key.keyId);
          }
          added.push(key);
          restored.push(key.keyId);
        }
        wipeKeys(here);
        return { removed, restored: added };
      });
      return {
        backupId: manifest.backup_id,
        snapshotGeneration: manifest.snapshot_generation,
        restored,
        unchanged: keys.map(({ keyId }) => keyId).filter((keyId) => !restored.includes(keyId)),
      };
    } finally {
      wipeKeys(keys);
    }
  }

  private kek(): BackupKek {
    return backupKek(this.settings, this.rootKey);
  }

  private async open(
    kek: BackupKek,
    name: string,
  ): Promise<{ readonly manifest: BackupManifest; readonly keys: SnapshotKey[]; readonly config: unknown }> {
    const bundle = await readBundle(kek.directory, name);
    const manifest = readManifest(bundle.manifest);
    const material = openArtifact(kek, manifest, bundle, 'key-material');
    const keys = decodeKeys(material);
    material.fill(0);
    const config: unknown = JSON.parse(openArtifact(kek, manifest, bundle, 'kms-config').toString('utf8'));
    return { manifest, keys, config };
  }

  private async refuseUnwanted(order: RestoreOrder, manifest: BackupManifest): Promise<void> {
    if (order.confirmBackupId !== manifest.backup_id) {
      throw new BackupError('backup-invalid', 'The backup id that was confirmed is not that of the bundle', {
        remedy: 'Confirm the id that the dry run tells.',
      });
    }
    if (order.policy === 'fail') {
      throw new BackupError('backup-refused', 'The conflict policy "fail" restores nothing', {
        remedy: 'Look at the dry run, then choose "restore-into-empty-target" or "replace-unusable".',
      });
    }
    const identity = await this.snapshots.deploymentIdentity();
    if (manifest.deployment_identity !== identity && order.allowOtherDeployment !== true) {
      throw new BackupError('backup-refused', foreignDetail(manifest, identity), {
        remedy: 'Allow another deployment under /api/v1/kms/keyring-backups/restore, if that is meant.',
      });
    }
    const [older] = olderThan(manifest, order.observedGeneration);
    if (older !== undefined) {
      throw new BackupError('backup-refused', older.detail);
    }
  }
}

function refuseIncomplete(keys: readonly SnapshotKey[]): void {
  if (keys.length === 0) {
    throw new BackupError('backup-incomplete', 'The keyring has no keys, and a backup of none would only deceive');
  }
  for (const { keyId, versions } of keys) {
    if ([...versions.values()].some(({ material }) => material === undefined)) {
      throw new BackupError('backup-incomplete', `Key ${keyId} cannot be opened with this root key`, {
        remedy: 'Start with the root key it was sealed by, or restore the key from an earlier bundle.',
      });
    }
  }
}

function olderThan({ snapshot_generation }: BackupManifest, observed: number | undefined): RestoreConflict[] {
  return observed === undefined || snapshot_generation >= observed
    ? []
    : [
        {
          keyId: '*',
          kind: 'generation-regression',
          detail: `The bundle has generation ${snapshot_generation}, older than the ${observed} that was seen`,
        },
      ];
}

function conflictOf(key: SnapshotKey, here: readonly SnapshotKey[]): RestoreConflict[] {
  const comparison = compareKeys(
    key,
    here.find(({ keyId }) => keyId === key.keyId),
  );
  const details = {
    unreadable: 'The key that is there does not open with this root key; policy "replace-unusable" replaces it',
    different:
      'A different key of that id is there; policy "replace-unusable" replaces it once it is disabled and unused',
  };
  return comparison === 'unreadable' || comparison === 'different'
    ? [{ keyId: key.keyId, kind: 'key-already-exists', detail: details[comparison] }]
    : [];
}

async function requireReplaceable(
  policy: ConflictPolicy,
  present: SnapshotKey,
  isUnreadable: boolean,
  isUsed: UsageCheck,
): Promise<void> {
  const { keyId, state } = present;
  if (policy !== 'replace-unusable') {
    throw new BackupError('backup-refused', `Key ${keyId} is there already and is not the one of the bundle`, {
      remedy: 'Look at the dry run; policy "replace-unusable" replaces what is of no use.',
    });
  }
  if (!isUnreadable && (state !== 'disabled' || (await isUsed(keyId)))) {
    throw new BackupError('backup-refused', `Key ${keyId} is another one, and in use or not disabled`, {
      remedy: 'Move what is sealed under it to another key and disable it, or restore elsewhere.',
    });
  }
}

function foreignDetail(manifest: BackupManifest, identity: string): string {
  return `The bundle is of deployment ${manifest.deployment_identity}, and this is ${identity}`;
}
