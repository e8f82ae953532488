import { randomBytes } from 'node:crypto';
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
import { keyringVersionOf, unwrapWithKeyring, wrapWithKeyring } from './builtin-ciphertext';
import { pageOfNames } from './key-pattern';
import {
  assertKeyMaterial,
  capabilities,
  contextBytes,
  describeListed,
  impossibleKeyName,
  KEY_BYTES,
  momentOf,
  withPermissionRemedy,
} from './provider-parts';
import { TimedCache } from './timed-cache';
import { VaultAuth } from './vault-auth';
import { VaultClient } from './vault-client';
import { testVaultKvConnection } from './vault-kv-connection-test';
import { MATERIAL_ID_BYTES, VaultKvKeys, type KvKey, type KvKeyVersion } from './vault-kv-keys';
import { vaultKvDeletionRemedy, vaultKvPolicyRemedy } from './vault-kv-policy';
import { KV_KEY_NAME, type VaultKvSettings } from './vault-kv-settings';
import { VaultKvStore } from './vault-kv-store';
import { VaultSession } from './vault-session';

/** Milliseconds after which a key that was disabled or removed in Vault by others is out of use here. */
const KEY_AGE = 30_000;
const MAX_CACHED = 1_000;
const DESCRIBE_AT_ONCE = 8;

/**
 * Keys kept in the KV engine of Vault, OpenBao or RustyVault, for want of a transit engine. Vault hands the keys out, and
 * wrapping happens in this process: whoever may read the KV path owns the keys.
 *
 * A wrapped data key is the id of the material (16 bytes) ‖ what the embedded keyring would make of it.
 */
export class VaultKvProvider implements KmsProvider {
  readonly type = 'vault_kv';
  readonly capabilities = capabilities(
    'createKey',
    'importKey',
    'listKeys',
    'rotateKey',
    'enableDisable',
    'deleteKey',
    'bindsContext',
    'keyVersions',
  );
  readonly defaultKeyId: string;
  private readonly client: VaultClient;
  private readonly auth: VaultAuth;
  private readonly session: VaultSession;
  private readonly store: VaultKvStore;
  private readonly keys: VaultKvKeys;
  private readonly descriptions = new TimedCache<KvKey>(KEY_AGE, MAX_CACHED);
  private readonly materials = new TimedCache<Buffer>(KEY_AGE, MAX_CACHED);

  /** @param kms `vault_kv:<target>`, for messages */
  constructor(
    private readonly kms: string,
    private readonly settings: VaultKvSettings,
  ) {
    this.defaultKeyId = settings.keyName;
    this.client = new VaultClient(kms, settings);
    this.auth = new VaultAuth(this.client, settings.credentials, settings.timeout);
    this.session = new VaultSession(this.client, this.auth);
    this.store = new VaultKvStore(kms, this.session, settings);
    this.keys = new VaultKvKeys(kms, this.store, settings.keyPrefix);
  }

  async destroy(): Promise<void> {
    this.auth.destroy();
    this.materials.clear();
    await this.client.close();
  }

  async generateDataKey(keyId: string, context: EncryptionContext, { signal }: CallOptions): Promise<ProviderDataKey> {
    const key = await this.usable(keyId, signal);
    const { version, materialId } = latestOf(key);
    const material = await this.material(keyId, materialId, signal);
    const plaintext = randomBytes(KEY_BYTES);
    const wrapped = wrapWithKeyring(
      { keyId: boundName(keyId, materialId), version, material },
      plaintext,
      contextBytes(context),
    );
    return {
      plaintext,
      ciphertext: Buffer.concat([Buffer.from(materialId, 'hex'), wrapped]),
      keyVersion: String(version),
    };
  }

  async decryptDataKey(
    keyId: string,
    ciphertext: Buffer,
    context: EncryptionContext,
    _keyVersion: string | undefined,
    { signal }: CallOptions,
  ): Promise<Buffer> {
    await this.usable(keyId, signal);
    if (ciphertext.length <= MATERIAL_ID_BYTES) {
      throw this.foreign();
    }
    const materialId = ciphertext.subarray(0, MATERIAL_ID_BYTES).toString('hex');
    const wrapped = ciphertext.subarray(MATERIAL_ID_BYTES);
    const version = keyringVersionOf(wrapped);
    const material = await this.material(keyId, materialId, signal);
    return unwrapWithKeyring(
      { keyId: boundName(keyId, materialId), version, material },
      wrapped,
      contextBytes(context),
    );
  }

  async describeKey(keyId: string, { signal }: CallOptions): Promise<KeyDescription> {
    this.descriptions.delete(keyId);
    return describe(await this.key(keyId, signal));
  }

  async probe({ signal }: CallOptions): Promise<void> {
    // RustyVault has no sys/health.
    const { sealed } = await this.client.read('sys/seal-status', { signal, rootNamespace: true });
    if (sealed === true) {
      throw new KmsError('kms-sealed', `${this.kms} is sealed`, { remedy: 'Unseal it.' });
    }
    await this.session.lookUp(signal);
  }

  async testConnection({ signal }: CallOptions): Promise<ConnectionTestReport> {
    const { kms, settings, client, auth, session, store } = this;
    return testVaultKvConnection({ kms, settings, client, auth, session, store, provider: this, signal });
  }

  async createKey(keyId: string, options: CallOptions): Promise<KeyDescription> {
    return this.insert(keyId, randomBytes(KEY_BYTES), options);
  }

  async importKey(keyId: string, material: Buffer, options: CallOptions): Promise<KeyDescription> {
    assertKeyMaterial(this.kms, material);
    return this.insert(keyId, material, options);
  }

  async listKeys(
    pattern: string,
    marker: string | undefined,
    limit: number,
    { signal }: CallOptions,
  ): Promise<KeyPage> {
    const names = await this.guarded(() => this.keys.names(signal));
    const page = pageOfNames(names, pattern, marker, limit);
    const keys: KeyDescription[] = [];
    for (let at = 0; at < page.names.length; at += DESCRIBE_AT_ONCE) {
      const some = page.names.slice(at, at + DESCRIBE_AT_ONCE);
      keys.push(
        ...(await Promise.all(some.map((name) => describeListed(name, this.key(name, signal).then(describe))))),
      );
    }
    return { keys, nextMarker: page.nextMarker };
  }

  async rotateKey(keyId: string, options: CallOptions): Promise<KeyDescription> {
    this.descriptions.delete(keyId);
    const key = await this.usable(keyId, options.signal);
    await this.guarded(() => this.keys.rotate(key, options.signal));
    return this.describeKey(keyId, options);
  }

  /** Takes effect here at once, and in other processes within half a minute. */
  async setKeyEnabled(keyId: string, enabled: boolean, options: CallOptions): Promise<KeyDescription> {
    this.descriptions.delete(keyId);
    const key = await this.key(keyId, options.signal);
    await this.guarded(() => this.keys.setEnabled(key, enabled, options.signal));
    return this.describeKey(keyId, options);
  }

  async deleteKey(keyId: string, { signal }: CallOptions): Promise<void> {
    this.checkName(keyId);
    const version = await this.store.version(signal);
    await this.keys.destroy(keyId, signal).catch((error: unknown) => {
      throw withPermissionRemedy(error, () => vaultKvDeletionRemedy(this.settings, version));
    });
    this.descriptions.delete(keyId);
    this.materials.clear();
  }

  private async insert(keyId: string, material: Buffer, options: CallOptions): Promise<KeyDescription> {
    this.checkName(keyId);
    await this.guarded(() => this.keys.create(keyId, material, options.signal));
    return this.describeKey(keyId, options);
  }

  private async usable(keyId: string, signal: AbortSignal): Promise<KvKey> {
    const key = await this.key(keyId, signal);
    if (!key.enabled) {
      throw new KmsError('kms-key-disabled', `Key ${keyId} of ${this.kms} is disabled`, { remedy: 'Enable it.' });
    }
    return key;
  }

  private async key(keyId: string, signal: AbortSignal): Promise<KvKey> {
    this.checkName(keyId);
    return this.guarded(() => this.descriptions.get(keyId, () => this.readKey(keyId, signal)));
  }

  private async readKey(keyId: string, signal: AbortSignal): Promise<KvKey> {
    const found = await this.keys.find(keyId, signal);
    if (found) {
      return found;
    }
    if (keyId === this.defaultKeyId && this.settings.createKey) {
      await this.keys.create(keyId, randomBytes(KEY_BYTES), signal).catch((error: unknown) => {
        if (!(error instanceof KmsError && error.kind === 'kms-key-exists')) {
          throw error;
        }
      });
      const created = await this.keys.find(keyId, signal);
      if (created) {
        return created;
      }
    }
    throw new KmsError('kms-key-not-found', `${this.kms} has no key ${keyId}`, {
      remedy: 'Create it, or turn create_key on for the default key.',
    });
  }

  private async material(keyId: string, materialId: string, signal: AbortSignal): Promise<Buffer> {
    return this.guarded(() =>
      this.materials.get(boundName(keyId, materialId), async () => {
        const material = await this.keys.material(keyId, materialId, signal);
        if (!material) {
          throw this.foreign();
        }
        return material;
      }),
    );
  }

  private async guarded<T>(work: () => Promise<T>): Promise<T> {
    try {
      return await work();
    } catch (error) {
      throw withPermissionRemedy(error, () => vaultKvPolicyRemedy(this.settings));
    }
  }

  private checkName(keyId: string): void {
    if (!KV_KEY_NAME.test(keyId)) {
      throw impossibleKeyName(this.kms, keyId);
    }
  }

  private foreign(): KmsError {
    return new KmsError('kms-invalid-ciphertext', `The wrapped data key is not one of this key of ${this.kms}`);
  }
}

function latestOf(key: KvKey): KvKeyVersion {
  return key.versions.reduce((latest, each) => (each.version > latest.version ? each : latest));
}

/** What a wrap is bound to besides the context. */
function boundName(keyId: string, materialId: string): string {
  return `${keyId}/${materialId}`;
}

function describe(key: KvKey): KeyDescription {
  const versions = key.versions.map(({ version, createdAt }) => ({
    version: String(version),
    createdAt: momentOf(createdAt),
  }));
  return {
    keyId: key.keyId,
    state: key.enabled ? 'enabled' : 'disabled',
    algorithm: 'AES-256-GCM, wrapped here; readers of the KV path own the key',
    latestVersion: String(latestOf(key).version),
    versions,
    createdAt: versions[0]?.createdAt,
  };
}
