import { timingSafeEqual } from 'node:crypto';
import { parseRootKey } from '../../settings/root-key';
import type { Settings } from '../../settings/settings';
import { BackupError } from './backup-error';

/** The key that seals backups, with the name by which bundles know it, and where bundles lie. */
export interface BackupKek {
  readonly directory: string;
  readonly id: string;
  readonly version: number;
  /** 32 bytes. */
  readonly key: Buffer;
}

/**
 * The key-encryption key of backups as the settings give it.
 *
 * @throws BackupError `backup-not-configured` naming what is missing; also for the root key in its place, since a backup
 *   that opens with the key it is to stand in for is none
 */
export function backupKek(settings: Settings, rootKey: Buffer): BackupKek {
  const directory = required(settings.kmsBackupDir, 'STRONGROOM_KMS_BACKUP_DIR');
  const text = required(settings.kmsBackupKek?.reveal(), 'STRONGROOM_KMS_BACKUP_KEK');
  const id = required(settings.kmsBackupKekId, 'STRONGROOM_KMS_BACKUP_KEK_ID');
  const key = parseRootKey(text);
  if (key === undefined) {
    throw new BackupError('backup-not-configured', 'STRONGROOM_KMS_BACKUP_KEK is not 32 bytes in base64 or hex');
  }
  if (timingSafeEqual(key, rootKey)) {
    throw new BackupError(
      'backup-not-configured',
      'STRONGROOM_KMS_BACKUP_KEK is the root key, with which the backup would be lost too',
      { remedy: 'Make another: openssl rand -base64 32' },
    );
  }
  return { directory, id, version: settings.kmsBackupKekVersion, key };
}

function required(value: string | undefined, name: string): string {
  if (value === undefined || value === '') {
    throw new BackupError('backup-not-configured', `${name} is not set; backup and restore of keys need it`, {
      remedy: 'Set STRONGROOM_KMS_BACKUP_DIR, _KEK and _KEK_ID, and start again.',
    });
  }
  return value;
}
