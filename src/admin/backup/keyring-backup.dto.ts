import { ApiProperty, ApiPropertyOptional } from '@nestjs/swagger';
import { IsBoolean, IsIn, IsInt, IsOptional, IsString, MaxLength, Min } from 'class-validator';
import { CONFLICT_POLICIES, type ConflictPolicy } from '../../kms/backup/keyring-backup.service';

const LONGEST_NAME = 128;

export class NewBackupDto {
  @ApiPropertyOptional({ description: 'Name of the bundle; a fresh one unless given', example: 'backup-2026-11' })
  @IsOptional()
  @IsString()
  @MaxLength(LONGEST_NAME)
  backup_id?: string;
}

export class RestoreDryRunDto {
  @ApiProperty({ description: 'Name of a bundle in the backup directory', example: 'backup-2026-11' })
  @IsString()
  @MaxLength(LONGEST_NAME)
  bundle!: string;

  @ApiPropertyOptional({ description: 'The newest snapshot generation that was seen; an older bundle is a conflict' })
  @IsOptional()
  @IsInt()
  @Min(0)
  observed_generation?: number;
}

export class RustfsRestoreDto extends RestoreDryRunDto {
  @ApiProperty({ description: 'The backup id that the dry run told' })
  @IsString()
  @MaxLength(LONGEST_NAME)
  confirm_backup_id!: string;

  @ApiProperty({ enum: CONFLICT_POLICIES, description: '`replace-unusable` is not known to RustFS' })
  @IsIn(CONFLICT_POLICIES)
  confirm_conflict_policy!: ConflictPolicy;
}

export class RestoreDto extends RestoreDryRunDto {
  @ApiProperty({ description: 'The backup id that the dry run told' })
  @IsString()
  @MaxLength(LONGEST_NAME)
  confirm_backup_id!: string;

  @ApiProperty({
    enum: CONFLICT_POLICIES,
    description:
      '`restore-into-empty-target` adds what is missing; `replace-unusable` also replaces keys that the root key does not ' +
      'open, and disabled ones that nothing is sealed under',
  })
  @IsIn(CONFLICT_POLICIES)
  conflict_policy!: ConflictPolicy;

  @ApiPropertyOptional({ default: false, description: 'The bundle may come from another deployment' })
  @IsOptional()
  @IsBoolean()
  allow_other_deployment?: boolean;
}

export class RustfsAbortDto {
  @ApiProperty({ description: 'The `target_key_dir` of GET backup' })
  @IsString()
  @MaxLength(4096)
  confirm_target_key_dir!: string;
}

/** What is set up for backups. */
export class BackupStatusDto {
  @ApiProperty({ example: 'Running' })
  service_status!: string;

  @ApiProperty({ type: String, nullable: true, example: 'local' })
  backend!: string | null;

  @ApiProperty({
    type: String,
    nullable: true,
    enum: ['full-material', 'reference-only', 'metadata-plus-external-root'],
    description: 'What a bundle of this KMS could hold',
  })
  responsibility!: string | null;

  @ApiProperty()
  export_supported!: boolean;

  @ApiProperty({ type: String, nullable: true })
  deployment_identity!: string | null;

  @ApiProperty({ type: String, nullable: true })
  backup_root!: string | null;

  @ApiProperty()
  backup_kek_configured!: boolean;

  @ApiProperty({ type: String, nullable: true })
  backup_kek_id!: string | null;

  @ApiProperty({ type: Number, nullable: true })
  backup_kek_version!: number | null;

  @ApiProperty({ type: String, nullable: true, example: 'postgres:kms_key' })
  target_key_dir!: string | null;

  @ApiPropertyOptional()
  unavailable_reason?: string;
}

export class BackupDto {
  @ApiProperty({ example: 'backup-2026-11' })
  backup_id!: string;

  @ApiProperty({ description: 'Seconds since 1970' })
  snapshot_generation!: number;

  @ApiProperty()
  deployment_identity!: string;

  @ApiProperty()
  artifact_count!: number;

  @ApiProperty({ description: 'SHA-256 in hex' })
  manifest_digest!: string;

  @ApiProperty()
  backup_kek_id!: string;

  @ApiProperty()
  backup_kek_version!: number;

  @ApiProperty()
  sanitized_config_included!: boolean;
}

class RestoreBlockerDto {
  @ApiProperty({ enum: ['bundle-corrupted', 'wrong-backup-kek', 'deployment-mismatch'] })
  code!: string;

  @ApiProperty()
  detail!: string;
}

class RestoreConflictDto {
  @ApiProperty({ description: '`*` for the whole bundle' })
  key_id!: string;

  @ApiProperty({ enum: ['key-already-exists', 'generation-regression'] })
  kind!: string;

  @ApiProperty()
  detail!: string;
}

class RestoreReportDto {
  @ApiProperty({ description: 'Empty when the bundle does not open' })
  backup_id!: string;

  @ApiProperty()
  target_deployment_identity!: string;

  @ApiProperty({ type: [RestoreBlockerDto], description: 'What forbids the restore' })
  blockers!: readonly RestoreBlockerDto[];

  @ApiProperty({ type: [RestoreConflictDto], description: 'What a conflict policy has to decide' })
  conflicts!: readonly RestoreConflictDto[];

  @ApiProperty({ type: [Object], description: 'Always empty: nothing outside is needed' })
  external_mismatches!: readonly object[];
}

class ConfigComparisonDto {
  @ApiProperty({ type: 'object', additionalProperties: true })
  bundle!: object;

  @ApiProperty({ type: 'object', additionalProperties: true })
  current!: object;

  @ApiProperty()
  identical!: boolean;
}

export class RestoreDryRunReportDto {
  @ApiProperty({ type: RestoreReportDto })
  report!: RestoreReportDto;

  @ApiProperty({ type: ConfigComparisonDto, nullable: true })
  config_comparison!: ConfigComparisonDto | null;
}

export class RestoreResultDto {
  @ApiProperty()
  backup_id!: string;

  @ApiProperty()
  snapshot_generation!: number;

  @ApiProperty({ type: [String] })
  restored_key_ids!: readonly string[];

  @ApiProperty({ description: 'Always false: there is no salt' })
  salt_restored!: boolean;

  @ApiProperty({ description: 'Always false: a restore is one transaction' })
  resumed!: boolean;

  @ApiProperty({ type: [String], description: 'Keys that were there already' })
  unchanged_key_ids!: readonly string[];
}

export class RustfsAbortAnswerDto {
  @ApiProperty()
  target_key_dir!: string;

  @ApiProperty()
  aborted!: boolean;
}
