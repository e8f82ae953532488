import type { DeletedKey, KeyVaultKey } from '@azure/keyvault-keys';
import { KmsError } from '../kms-error';
import type { KeyDescription } from '../kms-provider';
import type { AzureClient } from './azure-client';
import type { AzureSettings } from './azure-settings';
import { isKind } from './provider-parts';

const KEY_NAME = /^[0-9A-Za-z-]{1,127}$/;
const KEY_VERSION = /^[0-9a-f]{32}$/;
const RSA_BITS = 3072;
const AES_BITS = 256;

/** Keys of a vault as Azure administers them: a name with versions, each of which can be disabled; deletion is of all. */
export class AzureKeys {
  constructor(
    private readonly client: AzureClient,
    private readonly settings: AzureSettings,
  ) {}

  /**
   * The newest version of a key.
   * @throws KmsError `kms-key-not-found`, also for a deleted key
   */
  async newest(name: string, signal: AbortSignal): Promise<KeyVaultKey> {
    this.checkName(name);
    return this.client.onKeys(signal, (keys, options) => keys.getKey(name, options));
  }

  /** @throws KmsError `kms-key-not-found` for a key that is neither there nor deleted */
  async describe(name: string, signal: AbortSignal): Promise<KeyDescription> {
    try {
      return describeAzureKey(await this.newest(name, signal));
    } catch (error) {
      const deleted = isMissing(error) ? await this.deleted(name, signal) : undefined;
      if (deleted) {
        return deleted;
      }
      throw error;
    }
  }

  /** A key that waits for its deletion; undefined when it does not, or may not be seen. */
  async deleted(name: string, signal: AbortSignal): Promise<KeyDescription | undefined> {
    if (!KEY_NAME.test(name)) {
      return undefined;
    }
    try {
      return describeDeletedKey(await this.client.onKeys(signal, (keys, options) => keys.getDeletedKey(name, options)));
    } catch (error) {
      if (isKind(error, 'kms-key-not-found', 'kms-access-denied')) {
        return undefined;
      }
      throw error;
    }
  }

  /** Makes a key of the kind that the wrapping algorithm needs; the caller has seen that there is none of that name. */
  async create(name: string, signal: AbortSignal): Promise<KeyVaultKey> {
    this.checkName(name);
    const { wrapAlgorithm, managedHsm } = this.settings;
    return this.client.onKeys(signal, (keys, options) => {
      const common = { ...options, hsm: managedHsm, keyOps: ['wrapKey', 'unwrapKey'] };
      return wrapAlgorithm === 'A256KW'
        ? keys.createOctKey(name, { ...common, keySize: AES_BITS })
        : keys.createRsaKey(name, { ...common, keySize: RSA_BITS });
    });
  }

  /** Names of all keys, those that wait for deletion too where they may be seen; without the keys of certificates. */
  async names(signal: AbortSignal): Promise<string[]> {
    const names = await this.client.onKeys(signal, async (keys, options) => {
      const found: string[] = [];
      for await (const { name, managed } of keys.listPropertiesOfKeys(options)) {
        if (managed !== true) {
          found.push(name);
        }
      }
      return found;
    });
    const deleted = await this.deletedNames(signal);
    return [...new Set([...names, ...deleted])];
  }

  async rotate(name: string, signal: AbortSignal): Promise<KeyVaultKey> {
    return this.client.onKeys(signal, (keys, options) => keys.rotateKey(name, options));
  }

  /** Enables or disables every version, because Azure has no such state of a whole key. */
  async setEnabled(name: string, enabled: boolean, signal: AbortSignal): Promise<void> {
    await this.client.onKeys(signal, async (keys, options) => {
      for await (const { version, enabled: before } of keys.listPropertiesOfKeyVersions(name, options)) {
        if (version !== undefined && before !== enabled) {
          await keys.updateKeyProperties(name, version, { ...options, enabled });
        }
      }
    });
  }

  /** Starts the deletion; Azure takes some seconds to finish it. */
  async delete(name: string, signal: AbortSignal): Promise<DeletedKey | undefined> {
    return this.client.onKeys(signal, async (keys, options) => (await keys.beginDeleteKey(name, options)).getResult());
  }

  /** Starts the recovery; Azure takes some seconds to finish it. */
  async recover(name: string, signal: AbortSignal): Promise<void> {
    await this.client.onKeys(signal, (keys, options) => keys.beginRecoverDeletedKey(name, options));
  }

  /** @throws KmsError `kms-key-not-found` for what cannot be a name */
  checkName(name: string): void {
    if (!KEY_NAME.test(name)) {
      throw new KmsError('kms-key-not-found', `${name.slice(0, 64)} cannot be the name of a key in ${this.client.kms}`);
    }
  }

  private async deletedNames(signal: AbortSignal): Promise<string[]> {
    try {
      return await this.client.onKeys(signal, async (keys, options) => {
        const found: string[] = [];
        for await (const { name } of keys.listDeletedKeys(options)) {
          found.push(name);
        }
        return found;
      });
    } catch (error) {
      if (isKind(error, 'kms-access-denied')) {
        return [];
      }
      throw error;
    }
  }
}

/** Whether a call failed for want of the key or the version. */
export function isMissing(error: unknown): boolean {
  return isKind(error, 'kms-key-not-found');
}

/** @throws KmsError `kms-protocol` when it is none */
export function azureKeyVersion(kms: string, { properties: { version } }: KeyVaultKey): string {
  if (version === undefined || !KEY_VERSION.test(version)) {
    throw new KmsError('kms-protocol', `${kms} names the version of a key in an unknown way`);
  }
  return version;
}

/** A key by its newest version. */
export function describeAzureKey({ name, keyType, key, properties }: KeyVaultKey): KeyDescription {
  const bits = (key?.n?.length ?? 0) * 8;
  return {
    keyId: name,
    state: properties.enabled === false ? 'disabled' : 'enabled',
    algorithm: `${keyType ?? 'unknown'}${bits === 0 ? '' : `-${bits}`}`,
    latestVersion: properties.version,
    createdAt: properties.createdOn,
  };
}

/** A key that is deleted and not purged yet. */
export function describeDeletedKey(key: DeletedKey): KeyDescription {
  return { ...describeAzureKey(key), state: 'pending-deletion', deletionDate: key.properties.scheduledPurgeDate };
}
