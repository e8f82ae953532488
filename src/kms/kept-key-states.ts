import { Injectable, Logger, type OnApplicationShutdown, type OnModuleInit } from '@nestjs/common';
import { Database } from '../database/database';
import { KEY_STATE_CHANNEL, KeptKeyStateRepository, type KeptKeyState } from './kept-key-state.repository';
import { KmsError } from './kms-error';

const MAX_AGE = 30_000;

/** Told of a key whose state has changed. */
export type KeyStateListener = (kms: string, keyId: string) => void;

/**
 * The states of keys that this store keeps in place of a KMS which has none: disabled, and waiting for deletion. All of
 * them are in memory, so that no use of a key waits for the database. They are read again when a notification says that one
 * has changed, after every reconnect, and every 30 seconds in case a notification was lost.
 */
@Injectable()
export class KeptKeyStates implements OnModuleInit, OnApplicationShutdown {
  private readonly logger = new Logger(KeptKeyStates.name);
  private readonly listeners = new Set<KeyStateListener>();
  private states: ReadonlyMap<string, KeptKeyState> = new Map();
  private reading: Promise<void> = Promise.resolve();
  private stopListening: (() => Promise<void>) | undefined;
  private timer: NodeJS.Timeout | undefined;

  constructor(
    private readonly database: Database,
    readonly repository: KeptKeyStateRepository,
  ) {}

  async onModuleInit(): Promise<void> {
    const changed = (): void => void this.readAgain();
    this.stopListening = await this.database.listen(KEY_STATE_CHANNEL, changed, changed);
    await this.read();
    this.timer = setInterval(changed, MAX_AGE);
    this.timer.unref();
  }

  async onApplicationShutdown(): Promise<void> {
    clearInterval(this.timer);
    await this.stopListening?.();
    await this.reading;
  }

  onChange(listener: KeyStateListener): void {
    this.listeners.add(listener);
  }

  /** Undefined for a key that is as its KMS has it. */
  of(kms: string, keyId: string): KeptKeyState | undefined {
    return this.states.get(nameOf(kms, keyId));
  }

  /** @throws KmsError `kms-key-disabled`, `kms-key-pending-deletion` */
  refuseUnusable(kms: string, keyId: string): void {
    const state = this.of(kms, keyId)?.state;
    if (state === 'disabled') {
      throw new KmsError('kms-key-disabled', `Key ${keyId} of ${kms} is disabled`, { remedy: 'Enable it.' });
    }
    if (state === 'pending-deletion') {
      throw pendingDeletion(kms, keyId);
    }
  }

  /** @throws KmsError `kms-key-pending-deletion` */
  async setEnabled(kms: string, keyId: string, enabled: boolean): Promise<void> {
    if (!(await (enabled ? this.repository.enable(kms, keyId) : this.repository.disable(kms, keyId)))) {
      throw pendingDeletion(kms, keyId);
    }
    await this.read();
  }

  /** @param days until the key is deleted @param lossesAccepted whether it is deleted although something hangs on it */
  async scheduleDeletion(kms: string, keyId: string, days: number, lossesAccepted: boolean): Promise<void> {
    await this.repository.schedule(kms, keyId, days, lossesAccepted);
    await this.read();
  }

  /** Leaves the key disabled. @throws KmsError `kms-invalid-request` */
  async cancelDeletion(kms: string, keyId: string): Promise<void> {
    if (!(await this.repository.cancel(kms, keyId))) {
      throw new KmsError('kms-invalid-request', `Key ${keyId} is not waiting for deletion`);
    }
    await this.read();
  }

  /** For a new key: what was kept of an earlier one of that name goes. */
  async forget(kms: string, keyId: string): Promise<void> {
    if (this.of(kms, keyId)) {
      await this.repository.forget(kms, keyId);
      await this.read();
    }
  }

  /** One reading after the other, so that an older one never replaces a newer one. */
  private async read(): Promise<void> {
    this.reading = this.reading.catch(() => undefined).then(() => this.load());
    return this.reading;
  }

  private async readAgain(): Promise<void> {
    try {
      await this.read();
    } catch (error) {
      this.logger.warn(`The states of keys were not read again, and will be: ${(error as Error).message}`);
    }
  }

  private async load(): Promise<void> {
    const before = this.states;
    const rows = await this.repository.all();
    this.states = new Map(rows.map((row) => [nameOf(row.kms, row.keyId), row]));
    for (const row of [...before.values(), ...rows]) {
      const name = nameOf(row.kms, row.keyId);
      if (before.get(name)?.state !== this.states.get(name)?.state) {
        this.listeners.forEach((listener) => listener(row.kms, row.keyId));
      }
    }
  }
}

function nameOf(kms: string, keyId: string): string {
  return `${kms}/${keyId}`;
}

function pendingDeletion(kms: string, keyId: string): KmsError {
  return new KmsError('kms-key-pending-deletion', `Key ${keyId} of ${kms} is waiting for its deletion`, {
    remedy: 'Cancel the deletion to use the key.',
  });
}
