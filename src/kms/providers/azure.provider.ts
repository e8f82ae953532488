import type { EncryptionContext } from '../../common/encryption-context';
import { KmsError } from '../kms-error';
import type {
  CallOptions,
  ConnectionTestReport,
  KeyDescription,
  KeyPage,
  KmsProvider,
  ProviderDataKey,
} from '../kms-provider';
import { AzureClient } from './azure-client';
import { testAzureConnection } from './azure-connection-test';
import { decodeEnvelope, encodeEnvelope, openDataKey, sealNewDataKey } from './azure-envelope';
import { AzureKeys, azureKeyVersion, describeAzureKey, describeDeletedKey, isMissing } from './azure-keys';
import type { AzureSettings } from './azure-settings';
import { checkDeletionWindow } from './deletion-window';
import { listingPage } from './key-listing';
import { capabilities } from './provider-parts';
import { TimedCache } from './timed-cache';

/** How long a rotation made elsewhere may stay unseen. */
const VERSION_AGE = 30_000;
const MAX_VERSIONS = 1_000;

/**
 * Azure Key Vault and Managed HSM. Azure only wraps and unwraps; data keys are made here, and sealed with their encryption
 * context under a key of their own which Azure wraps.
 */
export class AzureProvider implements KmsProvider {
  readonly type = 'azure';
  readonly capabilities = capabilities(
    'createKey',
    'listKeys',
    'rotateKey',
    'enableDisable',
    'scheduleDeletion',
    'bindsContext',
    'keyVersions',
  );
  readonly defaultKeyId: string;
  private readonly client: AzureClient;
  private readonly keys: AzureKeys;
  private readonly newestVersions = new TimedCache<string>(VERSION_AGE, MAX_VERSIONS);

  /** @param kms `azure:<target>`, for messages */
  constructor(
    private readonly kms: string,
    private readonly settings: AzureSettings,
  ) {
    this.client = new AzureClient(kms, settings);
    this.keys = new AzureKeys(this.client, settings);
    this.defaultKeyId = settings.keyName;
  }

  /** Loads the SDK; the first call connects, so that a vault that is away delays no start. */
  async init(): Promise<void> {
    await this.client.load();
  }

  async destroy(): Promise<void> {
    await this.client.close();
  }

  async generateDataKey(keyId: string, context: EncryptionContext, { signal }: CallOptions): Promise<ProviderDataKey> {
    const { plaintext, encryptionKey, box } = sealNewDataKey(context);
    try {
      const { keyVersion, wrappedKey } = await this.wrap(keyId, encryptionKey, signal);
      const algorithm = this.settings.wrapAlgorithm;
      return { plaintext, ciphertext: encodeEnvelope({ algorithm, keyVersion, wrappedKey, box }), keyVersion };
    } catch (error) {
      plaintext.fill(0);
      throw error;
    } finally {
      encryptionKey.fill(0);
    }
  }

  async decryptDataKey(
    keyId: string,
    ciphertext: Buffer,
    context: EncryptionContext,
    _keyVersion: string | undefined,
    { signal }: CallOptions,
  ): Promise<Buffer> {
    this.keys.checkName(keyId);
    const { algorithm, keyVersion, wrappedKey, box } = decodeEnvelope(this.kms, ciphertext);
    try {
      const { result } = await this.client.onVersion(keyId, keyVersion, signal, (client, options) =>
        client.unwrapKey(algorithm, wrappedKey, options),
      );
      return openDataKey(this.kms, result, box, context);
    } catch (error) {
      throw await this.explainUnwrap(keyId, error, signal);
    }
  }

  async describeKey(keyId: string, { signal }: CallOptions): Promise<KeyDescription> {
    this.newestVersions.delete(keyId);
    return { ...(await this.keys.describe(keyId, signal)), wrappingVersion: this.pinnedVersion(keyId) };
  }

  async probe({ signal }: CallOptions): Promise<void> {
    await this.keys.newest(this.defaultKeyId, signal);
  }

  async testConnection({ signal }: CallOptions): Promise<ConnectionTestReport> {
    const { kms, settings, client, keys } = this;
    return testAzureConnection({ kms, settings, client, keys, provider: this, signal });
  }

  /** Asks for the key first, because creating one that exists makes a new version of it. */
  async createKey(keyId: string, { signal }: CallOptions): Promise<KeyDescription> {
    const existing = await this.keys.describe(keyId, signal).catch((error: unknown) => {
      if (isMissing(error)) {
        return undefined;
      }
      throw error;
    });
    if (existing) {
      throw existing.state === 'pending-deletion'
        ? this.pendingDeletion(keyId)
        : new KmsError('kms-key-exists', `${this.kms} already has a key ${keyId}`);
    }
    return describeAzureKey(await this.keys.create(keyId, signal));
  }

  async listKeys(pattern: string, marker: string | undefined, limit: number, options: CallOptions): Promise<KeyPage> {
    const names = await this.keys.names(options.signal);
    return listingPage(names, { pattern, marker, limit }, (name) => this.describeKey(name, options));
  }

  async rotateKey(keyId: string, { signal }: CallOptions): Promise<KeyDescription> {
    if (this.pinnedVersion(keyId) !== undefined) {
      throw new KmsError('kms-invalid-request', `${this.kms} is set to one version of key ${keyId}`, {
        remedy: 'Take key_version out of the settings to use the newest version.',
      });
    }
    const { state } = await this.present(keyId, signal);
    if (state === 'disabled') {
      // Azure would add a version that is enabled.
      throw new KmsError('kms-key-disabled', `${this.kms} has key ${keyId} disabled`);
    }
    const rotated = await this.keys.rotate(keyId, signal);
    this.newestVersions.delete(keyId);
    return describeAzureKey(rotated);
  }

  async setKeyEnabled(keyId: string, enabled: boolean, { signal }: CallOptions): Promise<KeyDescription> {
    await this.present(keyId, signal);
    await this.keys.setEnabled(keyId, enabled, signal);
    return this.keys.describe(keyId, signal);
  }

  /**
   * Disables the key, so that it comes back disabled, and deletes it. The vault's own retention decides when it is purged,
   * which may be later than asked for and is never earlier.
   */
  async scheduleKeyDeletion(keyId: string, days: number, { signal }: CallOptions): Promise<KeyDescription> {
    checkDeletionWindow(days);
    await this.present(keyId, signal);
    const { properties } = await this.keys.newest(keyId, signal);
    if (!/Recoverable/.test(properties.recoveryLevel ?? '')) {
      throw new KmsError('kms-unsupported', `${this.kms} would delete keys at once and for good`, {
        remedy: 'Turn on soft delete in the vault.',
      });
    }
    const { recoverableDays } = properties;
    if (recoverableDays !== undefined && recoverableDays < days) {
      throw new KmsError('kms-invalid-request', `${this.kms} purges deleted keys after ${recoverableDays} days`);
    }
    await this.keys.setEnabled(keyId, false, signal);
    const deleted = await this.keys.delete(keyId, signal);
    this.newestVersions.delete(keyId);
    return deleted ? describeDeletedKey(deleted) : this.keys.describe(keyId, signal);
  }

  async cancelKeyDeletion(keyId: string, { signal }: CallOptions): Promise<KeyDescription> {
    const before = await this.keys.describe(keyId, signal);
    if (before.state !== 'pending-deletion') {
      throw new KmsError('kms-invalid-request', `Key ${keyId} of ${this.kms} does not wait for its deletion`);
    }
    await this.keys.recover(keyId, signal);
    return { ...before, state: 'disabled', deletionDate: undefined };
  }

  /** Wraps with the pinned or the newest version; one that turns out to be out of use is looked up once more. */
  private async wrap(
    keyId: string,
    encryptionKey: Buffer,
    signal: AbortSignal,
  ): Promise<{ readonly keyVersion: string; readonly wrappedKey: Buffer }> {
    for (;;) {
      const { keyVersion, remembered } = await this.versionFor(keyId, signal);
      try {
        const { result } = await this.client.onVersion(keyId, keyVersion, signal, (client, options) =>
          client.wrapKey(this.settings.wrapAlgorithm, encryptionKey, options),
        );
        return { keyVersion, wrappedKey: Buffer.from(result) };
      } catch (error) {
        this.newestVersions.delete(keyId);
        const outOfUse = isMissing(error) || (error instanceof KmsError && error.kind === 'kms-key-disabled');
        if (!remembered || !outOfUse) {
          throw error;
        }
      }
    }
  }

  private async versionFor(
    keyId: string,
    signal: AbortSignal,
  ): Promise<{ readonly keyVersion: string; readonly remembered: boolean }> {
    const pinned = this.pinnedVersion(keyId);
    if (pinned !== undefined) {
      return { keyVersion: pinned, remembered: false };
    }
    let remembered = true;
    const keyVersion = await this.newestVersions.get(keyId, async () => {
      remembered = false;
      return azureKeyVersion(this.kms, await this.newestOrCreated(keyId, signal));
    });
    return { keyVersion, remembered };
  }

  private pinnedVersion(keyId: string): string | undefined {
    return keyId === this.defaultKeyId ? this.settings.keyVersion : undefined;
  }

  private async newestOrCreated(keyId: string, signal: AbortSignal): ReturnType<AzureKeys['newest']> {
    try {
      return await this.keys.newest(keyId, signal);
    } catch (error) {
      if (!isMissing(error)) {
        throw error;
      }
      if (await this.keys.deleted(keyId, signal)) {
        throw this.pendingDeletion(keyId);
      }
      if (keyId !== this.defaultKeyId || !this.settings.createKey) {
        throw error;
      }
      return this.keys.create(keyId, signal);
    }
  }

  /** @throws KmsError when there is no such key, or it waits for its deletion */
  private async present(keyId: string, signal: AbortSignal): Promise<KeyDescription> {
    const description = await this.keys.describe(keyId, signal);
    if (description.state === 'pending-deletion') {
      throw this.pendingDeletion(keyId);
    }
    return description;
  }

  /** A version that is missing while its key is there never was of this key. */
  private async explainUnwrap(keyId: string, error: unknown, signal: AbortSignal): Promise<unknown> {
    if (error instanceof KmsError && error.kind === 'kms-invalid-request') {
      return this.notUnwrappable(error);
    }
    if (!isMissing(error)) {
      return error;
    }
    await this.present(keyId, signal);
    return this.notUnwrappable(error);
  }

  private notUnwrappable(cause: unknown): KmsError {
    const message = `${this.kms} cannot unwrap the data key with this key and encryption context`;
    return new KmsError('kms-invalid-ciphertext', message, { cause });
  }

  private pendingDeletion(keyId: string): KmsError {
    return new KmsError('kms-key-pending-deletion', `${this.kms} has key ${keyId} waiting for its deletion`);
  }
}
