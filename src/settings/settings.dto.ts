import {
  ArrayMaxSize,
  IsBoolean,
  IsIn,
  IsInt,
  IsNotEmptyObject,
  IsOptional,
  IsString,
  Length,
  Matches,
  Max,
  Min,
} from 'class-validator';
import type { Address } from './setting-value';
import { AUTO_ENCRYPTION_MODES, DARE_CIPHERS, LOG_FORMATS, LOG_LEVELS, OBJECT_OWNERSHIPS } from './settings';
import type { AutoEncryption, DareCipherSetting, LogFormat, LogLevel, ObjectOwnership } from './settings';
import { parseRootKey } from './root-key';
import { MatchesRule } from './matches-rule.decorator';

const DAY_SECONDS = 86_400;

/** Ranges and forms of the static settings after their text was read; one property for each row of the settings table. */
export class SettingsDto {
  @IsNotEmptyObject()
  address!: Address;

  @IsString()
  @Length(1, 4096)
  dataDir!: string;

  @IsOptional()
  @IsString()
  @Length(1, 4096)
  blobDir?: string;

  @IsOptional()
  @MatchesRule(isPostgresUrl)
  databaseUrl?: string;

  @IsInt()
  @Min(2)
  @Max(200)
  databasePoolSize!: number;

  @IsInt()
  @Min(1)
  @Max(128)
  workers!: number;

  @Matches(/^[A-Za-z0-9-]{1,64}$/)
  region!: string;

  @IsOptional()
  @ArrayMaxSize(32)
  @Matches(/^(?=.{1,253}$)[a-z0-9]([a-z0-9-]*[a-z0-9])?(\.[a-z0-9]([a-z0-9-]*[a-z0-9])?)*$/, { each: true })
  s3Domains?: readonly string[];

  @IsOptional()
  @IsString()
  tlsCertFile?: string;

  @IsOptional()
  @IsString()
  tlsKeyFile?: string;

  @IsOptional()
  @Matches(/^[^\s=,]{3,128}$/)
  rootUser?: string;

  @IsOptional()
  @Length(8, 256)
  rootPassword?: string;

  @IsOptional()
  @MatchesRule((text) => parseRootKey(text) !== undefined)
  rootKey?: string;

  @IsOptional()
  @IsString()
  rootKeyFile?: string;

  @IsOptional()
  @Length(1, 4096)
  kmsBackupDir?: string;

  @IsOptional()
  @MatchesRule((text) => parseRootKey(text) !== undefined)
  kmsBackupKek?: string;

  @IsOptional()
  @Length(1, 128)
  kmsBackupKekId?: string;

  @IsInt()
  @Min(0)
  @Max(2 ** 32 - 1)
  kmsBackupKekVersion!: number;

  @IsIn(AUTO_ENCRYPTION_MODES)
  autoEncryption!: AutoEncryption;

  @IsIn(OBJECT_OWNERSHIPS)
  defaultObjectOwnership!: ObjectOwnership;

  @IsInt()
  @Min(0)
  @Max(1024 * 1024)
  inlineLimit!: number;

  @IsIn(DARE_CIPHERS)
  dareCipher!: DareCipherSetting;

  @Min(1)
  @Max(DAY_SECONDS)
  clockSkewSeconds!: number;

  @Min(0)
  @Max(3600)
  drainSeconds!: number;

  @Min(0)
  @Max(30 * DAY_SECONDS)
  lifecycleIntervalSeconds!: number;

  @Min(1)
  @Max(DAY_SECONDS)
  lifecycleDaySeconds!: number;

  @Min(0)
  @Max(3_650 * DAY_SECONDS)
  scrubIntervalSeconds!: number;

  @IsInt()
  @Min(1024)
  @Max(1024 ** 4)
  scrubRate!: number;

  @Min(0)
  @Max(36_500 * DAY_SECONDS)
  auditRetentionSeconds!: number;

  @IsBoolean()
  rustfsKmsHeaders!: boolean;

  @IsIn(LOG_LEVELS)
  logLevel!: LogLevel;

  @IsOptional()
  @IsIn(LOG_FORMATS)
  logFormat?: LogFormat;
}

function isPostgresUrl(text: string): boolean {
  if (!URL.canParse(text)) {
    return false;
  }
  return ['postgres:', 'postgresql:'].includes(new URL(text).protocol);
}
