import { Injectable } from '@nestjs/common';
import type { Secret } from '../common/secret';

/** One raw value of a dynamic configuration field that the environment or the settings file pins. */
export interface OverlayValue {
  readonly value: string;
  /** The environment variable or the path inside the settings file that set it. */
  readonly origin: string;
}

/** Raw fields by document: `kms_vault:default` → `endpoint` → value. */
export type ConfigOverlay = ReadonlyMap<string, ReadonlyMap<string, OverlayValue>>;

export const AUTO_ENCRYPTION_MODES = ['off', 'sse-s3', 'sse-kms'] as const;
export type AutoEncryption = (typeof AUTO_ENCRYPTION_MODES)[number];

/** How the ownership of objects is decided in a bucket; see the S3 documentation on object ownership. */
export const OBJECT_OWNERSHIPS = ['BucketOwnerEnforced', 'BucketOwnerPreferred', 'ObjectWriter'] as const;
export type ObjectOwnership = (typeof OBJECT_OWNERSHIPS)[number];

export const LOG_LEVELS = ['fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent'] as const;
export type LogLevel = (typeof LOG_LEVELS)[number];

export const LOG_FORMATS = ['pretty', 'json'] as const;
export type LogFormat = (typeof LOG_FORMATS)[number];

export const DARE_CIPHERS = ['AES-256-GCM', 'CHACHA20-POLY1305'] as const;
export type DareCipherSetting = (typeof DARE_CIPHERS)[number];

export interface TlsFiles {
  readonly certFile: string;
  readonly keyFile: string;
}

/** What {@link Settings} is made of; made by `loadSettings`, or by hand in a test. */
export type SettingsValues = { readonly [Key in keyof Settings]: Settings[Key] };

/**
 * The static settings of one process: read once at boot, validated, never changed. Paths are absolute.
 * Every field is described in `settings-table.ts`.
 */
@Injectable()
export class Settings {
  /** Empty means every interface. */
  readonly host!: string;
  /** 0 lets the operating system choose. */
  readonly port!: number;
  readonly dataDir!: string;
  /** Where blobs lie; inside `dataDir` unless set. */
  readonly blobDir!: string;
  /** Absent: the embedded Postgres under `dataDir` is used. */
  readonly databaseUrl?: Secret;
  /** Connections of one process. */
  readonly databasePoolSize!: number;
  readonly workers!: number;
  readonly region!: string;
  /** Lower-case base domains for virtual-host addressing; empty means path style alone. */
  readonly s3Domains!: readonly string[];
  readonly tls?: TlsFiles;
  readonly rootUser?: string;
  readonly rootPassword?: Secret;
  /** The root key as given, base64 or hex; see `root-key.ts`. */
  readonly rootKey?: Secret;
  readonly rootKeyFile!: string;
  /** Where backups of the embedded keyring lie. */
  readonly kmsBackupDir?: string;
  /** 32 bytes, base64 or hex. */
  readonly kmsBackupKek?: Secret;
  readonly kmsBackupKekId?: string;
  readonly kmsBackupKekVersion!: number;
  readonly autoEncryption!: AutoEncryption;
  /** Of new buckets whose creator does not ask for another. */
  readonly defaultObjectOwnership!: ObjectOwnership;
  /** Bytes; objects up to this size are kept in their database row. */
  readonly inlineLimit!: number;
  readonly dareCipher!: DareCipherSetting;
  /** Seconds a request's date may differ from this machine's clock. */
  readonly clockSkewSeconds!: number;
  /** Seconds that requests in flight may take to finish after SIGTERM. */
  readonly drainSeconds!: number;
  /** Seconds from one run of a bucket's lifecycle rules to the next; 0 for never. */
  readonly lifecycleIntervalSeconds!: number;
  /** Seconds that lifecycle rules take a day to last; other than 86400 only in tests. */
  readonly lifecycleDaySeconds!: number;
  /** Seconds from one verification of all stored bytes to the next; 0 for never. */
  readonly scrubIntervalSeconds!: number;
  /** Bytes a second that are verified at most. */
  readonly scrubRate!: number;
  /** Seconds that audit records are kept; 0 for ever. */
  readonly auditRetentionSeconds!: number;
  /** Give out the older RustFS header pair with the wrapped key and nonce of an object. */
  readonly rustfsKmsHeaders!: boolean;
  readonly logLevel!: LogLevel;
  readonly logFormat!: LogFormat;
  readonly configOverlays!: { readonly environment: ConfigOverlay; readonly file: ConfigOverlay };
  /** Things that are accepted but have no effect, worth a line in the log at start. */
  readonly warnings!: readonly string[];

  constructor(values: SettingsValues) {
    Object.assign(this, values);
    Object.freeze(this);
  }
}
