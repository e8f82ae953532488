import { Body, Get, HttpCode, Post } from '@nestjs/common';
import { ApiOkResponse, ApiOperation } from '@nestjs/swagger';
import { BackupError } from '../../kms/backup/backup-error';
import { KmsError } from '../../kms/kms-error';
import { AdminController, ApiProblem } from '../admin-controller.decorator';
import {
  BackupDto,
  BackupStatusDto,
  NewBackupDto,
  RestoreDryRunDto,
  RestoreDryRunReportDto,
  RestoreResultDto,
  RustfsAbortAnswerDto,
  RustfsAbortDto,
  RustfsRestoreDto,
} from '../backup/keyring-backup.dto';
import { KEYRING_PLACE, KeyringBackupAdmin } from '../backup/keyring-backup-admin.service';
import { RequiresAction } from '../requires-action.decorator';
import { RustfsKmsService } from './rustfs-kms-service.service';

const LOCAL = 'Local';
/** What RustFS calls the backends in these answers, and who is to keep what they hold. */
const ELSEWHERE: Readonly<Record<string, readonly [string, string | null]>> = {
  VaultTransit: ['vault-transit', 'metadata-plus-external-root'],
  VaultKV2: ['vault-kv2', 'full-material'],
  AWS: ['aws', null],
};

/** RustFS' backup of its key directory, here of the embedded keyring while that is the default KMS. */
@AdminController('rustfs/admin/v3/kms', 'kms')
@ApiProblem(412, 'The directory or the key for backups is not set')
@ApiProblem(501, 'The keys of the default KMS are not backed up from here')
export class RustfsBackupController {
  constructor(
    private readonly backups: KeyringBackupAdmin,
    private readonly service: RustfsKmsService,
  ) {}

  @Get('backup')
  @RequiresAction('kms:Backup')
  @ApiOperation({ summary: 'What is set up for backups, and why not where nothing is' })
  @ApiOkResponse({ type: BackupStatusDto })
  async getRustfsBackup(): Promise<BackupStatusDto> {
    const { status, backend_type } = await this.service.serviceStatus();
    const own = await this.backups.status(typeof status === 'string' ? status : 'Error');
    if (backend_type === LOCAL) {
      return own;
    }
    const [backend, responsibility] = ELSEWHERE[backend_type] ?? [backend_type, null];
    const unavailable_reason = elsewhere(backend_type);
    return { ...own, backend, responsibility, export_supported: false, target_key_dir: null, unavailable_reason };
  }

  @Post('backup')
  @HttpCode(200)
  @RequiresAction('kms:Backup')
  @ApiOperation({ summary: 'Write every key to a bundle, sealed by the backup key' })
  @ApiOkResponse({ type: BackupDto })
  @ApiProblem(409, 'There is such a bundle already, or a key that cannot be opened')
  @ApiProblem(503, 'The KMS is not running')
  async createRustfsBackup(@Body() body?: NewBackupDto): Promise<BackupDto> {
    await this.requireLocal();
    if (!(await this.isRunning())) {
      throw new KmsError('kms-not-configured', 'The KMS is not running', { remedy: 'Start it, then back up.' });
    }
    return this.backups.backUp(body?.backup_id);
  }

  @Post('restore/dry-run')
  @HttpCode(200)
  @RequiresAction('kms:Restore')
  @ApiOperation({ summary: 'What restoring a bundle would meet; writes nothing' })
  @ApiOkResponse({ type: RestoreDryRunReportDto })
  async dryRunRustfsRestore(@Body() body: RestoreDryRunDto): Promise<RestoreDryRunReportDto> {
    await this.requireLocal();
    return this.backups.dryRun(body.bundle, body.observed_generation);
  }

  @Post('restore')
  @HttpCode(200)
  @RequiresAction('kms:Restore')
  @ApiOperation({ summary: 'Restore keys while the KMS is stopped' })
  @ApiOkResponse({ type: RestoreResultDto })
  @ApiProblem(409, 'The KMS is running, or the restore was refused. Nothing was changed')
  async restoreRustfsBackup(@Body() body: RustfsRestoreDto): Promise<RestoreResultDto> {
    await this.requireLocal();
    if (await this.isRunning()) {
      throw new BackupError('backup-refused', 'The KMS is running', {
        remedy: 'POST /kms/stop first; /api/v1/kms/keyring-backups restores without.',
      });
    }
    return this.backups.restore({
      bundle: body.bundle,
      observedGeneration: body.observed_generation,
      confirmBackupId: body.confirm_backup_id,
      policy: body.confirm_conflict_policy,
    });
  }

  @Post('restore/abort')
  @HttpCode(200)
  @RequiresAction('kms:Restore')
  @ApiOperation({ summary: 'Refused: a restore is one transaction, so none is ever left half done' })
  @ApiOkResponse({ type: RustfsAbortAnswerDto })
  @ApiProblem(409, 'No restore is in progress')
  async abortRustfsRestore(@Body() { confirm_target_key_dir }: RustfsAbortDto): Promise<RustfsAbortAnswerDto> {
    await this.requireLocal();
    if (confirm_target_key_dir !== KEYRING_PLACE) {
      throw new BackupError('backup-invalid', `confirm_target_key_dir is not ${KEYRING_PLACE}`);
    }
    throw new BackupError('backup-refused', `No restore is in progress under ${KEYRING_PLACE}`);
  }

  private async requireLocal(): Promise<void> {
    const { backend_type } = await this.service.serviceStatus();
    if (backend_type !== LOCAL) {
      throw new KmsError('kms-unsupported', elsewhere(backend_type), {
        details: { export_supported: 'false' },
        remedy: 'Back them up with the means of that KMS; /api/v1/kms/keyring-backups is for the embedded keyring.',
      });
    }
  }

  private async isRunning(): Promise<boolean> {
    return (await this.service.serviceStatus()).status === 'Running';
  }
}

function elsewhere(backend: string): string {
  return `The keys of ${backend} are kept by it, and are not backed up from here`;
}
