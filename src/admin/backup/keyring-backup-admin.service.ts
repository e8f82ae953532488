import { isDeepStrictEqual } from 'node:util';
import { Injectable } from '@nestjs/common';
import { annotateAudit } from '../../common/audit-trail';
import { KeyringBackup, type RestoreOrder } from '../../kms/backup/keyring-backup.service';
import { KmsService } from '../../kms/kms.service';
import { BUILTIN_KMS } from '../../kms/kms-registry.service';
import { KeyUsageService } from '../../object-storage/key-usage.service';
import type { BackupDto, BackupStatusDto, RestoreDryRunReportDto, RestoreResultDto } from './keyring-backup.dto';

/** What stands for the key directory of RustFS: the keyring lies in the database. */
export const KEYRING_PLACE = 'postgres:kms_key';

const CONFIG_FORMAT = 1;

/** Backups of the embedded keyring, in the shapes that RustFS has for those of its key directory. */
@Injectable()
export class KeyringBackupAdmin {
  constructor(
    private readonly backups: KeyringBackup,
    private readonly kms: KmsService,
    private readonly usage: KeyUsageService,
  ) {}

  async status(serviceStatus: string): Promise<BackupStatusDto> {
    const { deploymentIdentity, directory, kekId, kekVersion, unavailable } = await this.backups.status();
    return {
      service_status: serviceStatus,
      backend: 'local',
      responsibility: 'full-material',
      export_supported: unavailable === undefined,
      deployment_identity: deploymentIdentity,
      backup_root: directory ?? null,
      backup_kek_configured: kekId !== undefined,
      backup_kek_id: kekId ?? null,
      backup_kek_version: kekVersion ?? null,
      target_key_dir: KEYRING_PLACE,
      ...(unavailable === undefined ? {} : { unavailable_reason: unavailable }),
    };
  }

  /** @throws BackupError */
  async backUp(backupId: string | undefined): Promise<BackupDto> {
    const manifest = await this.backups.export(backupId, this.configuration());
    annotateAudit({ kms: BUILTIN_KMS, details: { backup: manifest.backup_id, digest: manifest.manifest_digest.hex } });
    return {
      backup_id: manifest.backup_id,
      snapshot_generation: manifest.snapshot_generation,
      deployment_identity: manifest.deployment_identity,
      artifact_count: manifest.artifacts.length,
      manifest_digest: manifest.manifest_digest.hex,
      backup_kek_id: manifest.backup_kek.kek_id,
      backup_kek_version: manifest.backup_kek.kek_version,
      sanitized_config_included: true,
    };
  }

  /** @throws BackupError */
  async dryRun(bundle: string, observedGeneration: number | undefined): Promise<RestoreDryRunReportDto> {
    const report = await this.backups.dryRun(bundle, observedGeneration);
    const current = this.configuration();
    const config = report.config as object | undefined;
    return {
      report: {
        backup_id: report.backupId,
        target_deployment_identity: report.deploymentIdentity,
        blockers: report.blockers,
        conflicts: report.conflicts.map(({ keyId, kind, detail }) => ({ key_id: keyId, kind, detail })),
        external_mismatches: [],
      },
      config_comparison:
        config === undefined ? null : { bundle: config, current, identical: isDeepStrictEqual(config, current) },
    };
  }

  /** @throws BackupError */
  async restore(order: RestoreOrder): Promise<RestoreResultDto> {
    annotateAudit({ kms: BUILTIN_KMS, details: { bundle: order.bundle, policy: order.policy } });
    const result = await this.backups.restore(order, (keyId) => this.isUsed(keyId));
    annotateAudit({ details: { restored: String(result.restored.length) } });
    return {
      backup_id: result.backupId,
      snapshot_generation: result.snapshotGeneration,
      restored_key_ids: result.restored,
      salt_restored: false,
      resumed: false,
      unchanged_key_ids: result.unchanged,
    };
  }

  private async isUsed(keyId: string): Promise<boolean> {
    const usage = await this.usage.usageOf(BUILTIN_KMS, keyId);
    return usage.objects + usage.uploads + usage.escrowObjects + usage.escrowUploads > 0;
  }

  /** What tells a deployment from another; nothing secret. */
  private configuration(): object {
    const keyring = this.kms.status().find(({ kms }) => kms === BUILTIN_KMS);
    const { maxEntries, ttl } = this.kms.cacheSettings;
    return {
      format_version: CONFIG_FORMAT,
      backend: 'local',
      default_key_id: keyring?.defaultKeyId ?? null,
      allow_insecure_dev_defaults: false,
      enable_cache: maxEntries > 0 && ttl > 0,
      default_kms: this.kms.defaultKms,
      backend_reference: {
        kind: 'local',
        key_dir: KEYRING_PLACE,
        file_permissions: null,
        master_key_configured: true,
      },
    };
  }
}
