import { Body, Get, HttpCode, Post } from '@nestjs/common';
import { ApiCreatedResponse, ApiOkResponse, ApiOperation } from '@nestjs/swagger';
import { AdminController, ApiProblem } from '../admin-controller.decorator';
import { RequiresAction } from '../requires-action.decorator';
import {
  BackupDto,
  BackupStatusDto,
  NewBackupDto,
  RestoreDryRunDto,
  RestoreDryRunReportDto,
  RestoreDto,
  RestoreResultDto,
} from './keyring-backup.dto';
import { KeyringBackupAdmin } from './keyring-backup-admin.service';

/** Backups of the embedded keyring, whichever KMS is the default. */
@AdminController('api/v1/kms/keyring-backups', 'kms')
@ApiProblem(412, 'The directory or the key for backups is not set')
export class KeyringBackupController {
  constructor(private readonly backups: KeyringBackupAdmin) {}

  @Get()
  @RequiresAction('kms:Backup')
  @ApiOperation({ summary: 'What is set up for backups of the embedded keyring' })
  @ApiOkResponse({ type: BackupStatusDto })
  async getKeyringBackupStatus(): Promise<BackupStatusDto> {
    return this.backups.status('Running');
  }

  @Post()
  @RequiresAction('kms:Backup')
  @ApiOperation({
    summary: 'Write every key of the embedded keyring to a bundle, sealed by the backup key instead of the root key',
  })
  @ApiCreatedResponse({ type: BackupDto })
  @ApiProblem(409, 'There is such a bundle already, or a key that cannot be opened')
  async createKeyringBackup(@Body() body?: NewBackupDto): Promise<BackupDto> {
    return this.backups.backUp(body?.backup_id);
  }

  @Post('dry-run')
  @HttpCode(200)
  @RequiresAction('kms:Restore')
  @ApiOperation({ summary: 'What restoring a bundle would meet; writes nothing' })
  @ApiOkResponse({ type: RestoreDryRunReportDto })
  @ApiProblem(404, 'There is no such bundle')
  async dryRunKeyringRestore(@Body() body: RestoreDryRunDto): Promise<RestoreDryRunReportDto> {
    return this.backups.dryRun(body.bundle, body.observed_generation);
  }

  @Post('restore')
  @HttpCode(200)
  @RequiresAction('kms:Restore')
  @ApiOperation({ summary: 'Restore keys, all that the policy allows or none; sealed by the present root key' })
  @ApiOkResponse({ type: RestoreResultDto })
  @ApiProblem(404, 'There is no such bundle')
  @ApiProblem(409, 'Refused: the reason says what stands in the way. Nothing was changed')
  async restoreKeyring(@Body() body: RestoreDto): Promise<RestoreResultDto> {
    return this.backups.restore({
      bundle: body.bundle,
      observedGeneration: body.observed_generation,
      confirmBackupId: body.confirm_backup_id,
      policy: body.conflict_policy,
      allowOtherDeployment: body.allow_other_deployment,
    });
  }
}
