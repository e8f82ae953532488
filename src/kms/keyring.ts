import { Inject, Injectable, Logger, type OnApplicationShutdown, type OnModuleInit } from '@nestjs/common';
import { seal, unseal } from '../common/sealed-box';
import { Database } from '../database/database';
import { ROOT_KEY } from '../settings/root-key';
import { KEYRING_CHANNEL, KeyringRepository, type KeyringRow, type KeyringVersionRow } from './keyring.repository';

const MAX_AGE = 30_000;
const MAX_KEYS = 1_000;

/** A key of the keyring with its material in the clear; shared by all users, never written to. */
export interface OpenKey {
  readonly row: KeyringRow;
  readonly latest: number;
  /** Creation date and 32 bytes of material by version. */
  readonly versions: ReadonlyMap<number, { readonly material: Buffer; readonly createdAt: Date }>;
}

interface Loaded {
  readonly key: Promise<OpenKey | undefined>;
  readonly at: number;
}

/**
 * The opened keys of the embedded keyring. Keys are read once and kept until a notification says that one has changed;
 * in case a notification is lost they are read again after 30 seconds and after every reconnect.
 */
@Injectable()
export class Keyring implements OnModuleInit, OnApplicationShutdown {
  private readonly logger = new Logger(Keyring.name);
  private readonly loaded = new Map<string, Loaded>();
  private readonly listeners = new Set<(keyId: string | undefined) => void>();
  private stopListening: (() => Promise<void>) | undefined;

  constructor(
    private readonly database: Database,
    readonly repository: KeyringRepository,
    @Inject(ROOT_KEY) private readonly rootKey: Buffer,
  ) {}

  async onModuleInit(): Promise<void> {
    this.stopListening = await this.database.listen(
      KEYRING_CHANNEL,
      (keyId) => this.changed(keyId),
      () => this.changed(undefined),
    );
  }

  async onApplicationShutdown(): Promise<void> {
    await this.stopListening?.();
    this.loaded.clear();
  }

  /** Tells of every changed key; undefined means that any key may have changed. Returns an unsubscribe function. */
  onChange(listener: (keyId: string | undefined) => void): () => void {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  }

  /** Seals the material of one key version for the database. */
  sealMaterial(keyId: string, version: number, material: Buffer): Buffer {
    return seal(this.rootKey, material, materialPurpose(keyId, version));
  }

  /**
   * Returns a key with its material, or undefined when there is none.
   * @throws SealedBoxError when the material was sealed by another root key
   */
  async open(keyId: string): Promise<OpenKey | undefined> {
    const now = performance.now();
    const known = this.loaded.get(keyId);
    if (known && now - known.at < MAX_AGE) {
      return known.key;
    }
    const key = this.load(keyId);
    const entry = { key, at: now };
    this.loaded.delete(keyId);
    this.loaded.set(keyId, entry);
    this.evict();
    const forget = (): void => {
      if (this.loaded.get(keyId) === entry) {
        this.loaded.delete(keyId);
      }
    };
    // A key that is not there must not be remembered: another process may be creating it.
    key.then((found) => found ?? forget(), forget);
    return key;
  }

  /** Forgets what is known of a key, or of all, and tells the listeners. */
  changed(keyId: string | undefined): void {
    if (keyId === undefined) {
      this.loaded.clear();
    } else {
      this.loaded.delete(keyId);
    }
    for (const listener of this.listeners) {
      listener(keyId);
    }
  }

  private async load(keyId: string): Promise<OpenKey | undefined> {
    const found = await this.repository.find(keyId);
    if (!found) {
      return undefined;
    }
    const versions = new Map(found.versions.map((row) => [row.version, this.openVersion(keyId, row)]));
    return { row: found.key, latest: Math.max(0, ...versions.keys()), versions };
  }

  private openVersion(keyId: string, row: KeyringVersionRow): { material: Buffer; createdAt: Date } {
    try {
      return {
        material: unseal(this.rootKey, row.sealedMaterial, materialPurpose(keyId, row.version)),
        createdAt: row.createdAt,
      };
    } catch (error) {
      this.logger.error(
        `Key ${keyId} of the embedded keyring cannot be opened: it was sealed by another root key, or altered`,
      );
      throw error;
    }
  }

  private evict(): void {
    const oldest = this.loaded.size > MAX_KEYS ? this.loaded.keys().next().value : undefined;
    if (oldest !== undefined) {
      this.loaded.delete(oldest);
    }
  }
}

/** What the sealed material of one key version is bound to. */
export function materialPurpose(keyId: string, version: number): string {
  return `kms-keyring:${keyId}:${version}`;
}
