import type { KeptKeyStates } from './kept-key-states';
import { KmsError } from './kms-error';
import type { CallOptions, KeyDescription, KmsProvider } from './kms-provider';
import { checkDeletionWindow } from './providers/deletion-window';

/** A key in the hands of its provider. */
export interface KeyInHand {
  /** `<type>:<target>` */
  readonly kms: string;
  readonly provider: KmsProvider;
  readonly keyId: string;
}

/** Enables, disables and deletes keys: by their KMS where it has such states, else by what this store keeps of them. */
export class KeyStateChanges {
  constructor(private readonly kept: KeptKeyStates) {}

  /** The key as it may be used from here. */
  shown(kms: string, description: KeyDescription): KeyDescription {
    const kept = this.kept.of(kms, description.keyId);
    return kept
      ? { ...description, state: kept.state, deletionDate: kept.deletionDate ?? undefined, stateKeptHere: true }
      : description;
  }

  /** @throws KmsError `kms-key-not-found`, `kms-key-pending-deletion` */
  async setEnabled(
    { kms, provider, keyId }: KeyInHand,
    enabled: boolean,
    options: CallOptions,
  ): Promise<KeyDescription> {
    if (this.kept.of(kms, keyId)?.state === 'pending-deletion') {
      this.kept.refuseUnusable(kms, keyId);
    }
    const changed = await provider.setKeyEnabled?.(keyId, enabled, options);
    const description = changed ?? (await provider.describeKey(keyId, options));
    if (enabled || changed === undefined) {
      await this.kept.setEnabled(kms, keyId, enabled);
    }
    return description;
  }

  /**
   * @param days 7 to 30
   * @param lossesAccepted whether the key is to be deleted although something hangs on it
   * @throws KmsError `kms-unsupported`, `kms-invalid-request`, `kms-key-not-found`
   */
  async scheduleDeletion(
    { kms, provider, keyId }: KeyInHand,
    days: number,
    lossesAccepted: boolean,
    options: CallOptions,
  ): Promise<KeyDescription> {
    if (provider.scheduleKeyDeletion !== undefined) {
      return provider.scheduleKeyDeletion(keyId, days, options);
    }
    assertDeletes(provider);
    checkDeletionWindow(days);
    const description = await provider.describeKey(keyId, options);
    await this.kept.scheduleDeletion(kms, keyId, days, lossesAccepted);
    return description;
  }

  /** Leaves the key disabled. @throws KmsError `kms-unsupported`, `kms-invalid-request` */
  async cancelDeletion({ kms, provider, keyId }: KeyInHand, options: CallOptions): Promise<KeyDescription> {
    if (provider.cancelKeyDeletion !== undefined) {
      return provider.cancelKeyDeletion(keyId, options);
    }
    assertDeletes(provider);
    const description = await provider.describeKey(keyId, options);
    await this.kept.cancelDeletion(kms, keyId);
    return description;
  }
}

function assertDeletes(provider: KmsProvider): void {
  if (provider.deleteKey === undefined) {
    throw new KmsError('kms-unsupported', `A KMS of type ${provider.type} cannot delete keys from here`, {
      remedy: 'Use the tools of the KMS itself.',
    });
  }
}
