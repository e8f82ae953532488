import { randomBytes } from 'node:crypto';
import type { EncryptionContext } from '../../common/encryption-context';
import { KmsError } from '../kms-error';
import type {
  BoundDataKey,
  CallOptions,
  ConnectionTestReport,
  KeyDescription,
  KeyPage,
  KmsProvider,
  ProviderDataKey,
  ProviderWrappedKey,
} from '../kms-provider';
import { readAfterWrite } from './after-write';
import { listingPage } from './key-listing';
import {
  capabilities,
  contextBytes,
  ifThere,
  impossibleKeyName,
  isKind,
  KEY_BYTES,
  receivedDataKey,
  withPermissionRemedy,
} from './provider-parts';
import { VaultAuth } from './vault-auth';
import { objectOf, textOf, VaultClient, type VaultObject } from './vault-client';
import { testVaultConnection } from './vault-connection-test';
import { vaultError } from './vault-errors';
import { readVaultKey, type VaultKey } from './vault-key';
import { vaultDeletionRemedy, vaultPolicyRemedy } from './vault-policy';
import { VaultSession } from './vault-session';
import { TRANSIT_KEY_NAME, type VaultSettings } from './vault-settings';

const DESCRIPTION_AGE = 300_000;
const MAX_DESCRIPTIONS = 1_000;
const CIPHERTEXT = /^vault:v(\d+):[A-Za-z0-9+/]+=*$/;

interface CachedKey {
  readonly key: Promise<VaultKey>;
  readonly at: number;
}

/**
 * HashiCorp Vault or OpenBao through the transit secrets engine.
 *
 * The encryption context is bound either by derivation, where the key is a derived one (`datakey/plaintext` with
 * `context`, which also lets Vault rewrap), or as associated data of a data key made here (`encrypt` with
 * `associated_data`), because Vault's `datakey` takes none.
 */
export class VaultProvider implements KmsProvider {
  readonly type = 'vault';
  readonly capabilities = capabilities(
    'createKey',
    'listKeys',
    'rotateKey',
    'deleteKey',
    'rewrap',
    'bindsContext',
    'keyVersions',
  );
  readonly batchSize = 100;
  readonly defaultKeyId: string;
  private readonly client: VaultClient;
  private readonly auth: VaultAuth;
  private readonly session: VaultSession;
  private readonly keys = new Map<string, CachedKey>();

  /** @param kms `vault:<target>`, for messages */
  constructor(
    private readonly kms: string,
    private readonly settings: VaultSettings,
  ) {
    this.defaultKeyId = settings.keyName;
    this.client = new VaultClient(kms, settings);
    this.auth = new VaultAuth(this.client, settings.credentials, settings.timeout);
    this.session = new VaultSession(this.client, this.auth);
  }

  async destroy(): Promise<void> {
    this.auth.destroy();
    await this.client.close();
  }

  async generateDataKey(keyId: string, context: EncryptionContext, { signal }: CallOptions): Promise<ProviderDataKey> {
    return this.withKey(keyId, signal, async (key) => {
      const text = contextBase64(context);
      const version = this.pinnedVersion(keyId);
      if (key.derived && version.key_version === undefined) {
        const { data } = await this.session.write(
          this.path('datakey/plaintext', keyId),
          { context: text, bits: 256 },
          signal,
        );
        const plaintext = this.readPlaintext(objectOf(data)['plaintext']);
        return { plaintext, ...this.readCiphertext(objectOf(data)['ciphertext']) };
      }
      const plaintext = randomBytes(KEY_BYTES);
      const body = { plaintext: plaintext.toString('base64'), ...binding(key, text), ...version };
      const { data } = await this.session.write(this.path('encrypt', keyId), body, signal);
      return { plaintext, ...this.readCiphertext(objectOf(data)['ciphertext']) };
    });
  }

  async decryptDataKey(
    keyId: string,
    ciphertext: Buffer,
    context: EncryptionContext,
    _keyVersion: string | undefined,
    { signal }: CallOptions,
  ): Promise<Buffer> {
    return this.withKey(keyId, signal, async (key) => {
      const body = this.ciphertextItem(key, { ciphertext, context });
      const { data } = await this.session.write(this.path('decrypt', keyId), body, signal);
      return this.readPlaintext(objectOf(data)['plaintext']);
    });
  }

  /** Makes the data keys here, also where the key is a derived one: Vault's `datakey` makes one at a time. */
  async generateDataKeys(
    keyId: string,
    contexts: readonly EncryptionContext[],
    { signal }: CallOptions,
  ): Promise<ProviderDataKey[]> {
    return this.withKey(keyId, signal, async (key) => {
      const made = contexts.map((context) => ({ context, plaintext: randomBytes(KEY_BYTES) }));
      const items = made.map(({ context, plaintext }) => ({
        plaintext: plaintext.toString('base64'),
        ...binding(key, contextBase64(context)),
        ...this.pinnedVersion(keyId),
      }));
      const results = await this.writeBatch('encrypt', keyId, items, signal);
      const wrapped = results.map(({ ciphertext }) => this.readCiphertext(ciphertext));
      return made.map(({ plaintext }, index) => ({ plaintext, ...(wrapped[index] as ProviderWrappedKey) }));
    });
  }

  async decryptDataKeys(keyId: string, wrapped: readonly BoundDataKey[], { signal }: CallOptions): Promise<Buffer[]> {
    return this.withKey(keyId, signal, async (key) => {
      const items = wrapped.map((each) => this.ciphertextItem(key, each));
      const results = await this.writeBatch('decrypt', keyId, items, signal);
      return results.map(({ plaintext }) => this.readPlaintext(plaintext));
    });
  }

  /** Vault rewraps under the same key only, and takes a derivation context but no associated data. */
  async canRewrap(from: string, to: string, { signal }: CallOptions): Promise<boolean> {
    return from === to && (await this.key(from, signal)).derived;
  }

  async rewrapDataKeys(
    _from: string,
    to: string,
    wrapped: readonly BoundDataKey[],
    { signal }: CallOptions,
  ): Promise<ProviderWrappedKey[]> {
    return this.withKey(to, signal, async (key) => {
      const items = wrapped.map((each) => ({ ...this.ciphertextItem(key, each), ...this.pinnedVersion(to) }));
      const results = await this.writeBatch('rewrap', to, items, signal);
      return results.map(({ ciphertext }) => this.readCiphertext(ciphertext));
    });
  }

  async describeKey(keyId: string, { signal }: CallOptions): Promise<KeyDescription> {
    this.keys.delete(keyId);
    return this.described(await this.key(keyId, signal));
  }

  async probe({ signal }: CallOptions): Promise<void> {
    const health = await this.client.health(signal);
    if (health['sealed'] === true) {
      throw new KmsError('kms-sealed', `${this.kms} is sealed`, { remedy: 'Unseal Vault.' });
    }
    if (health['initialized'] === false) {
      throw new KmsError('kms-unavailable', `${this.kms} is not initialised`, { remedy: 'Initialise Vault.' });
    }
    await this.session.lookUp(signal);
  }

  async testConnection({ signal }: CallOptions): Promise<ConnectionTestReport> {
    const { kms, settings, client, auth, session } = this;
    return testVaultConnection({ kms, settings, client, auth, session, provider: this, signal });
  }

  /** Makes a derived key: it binds the context by itself and lets Vault rewrap. */
  async createKey(keyId: string, options: CallOptions): Promise<KeyDescription> {
    this.checkName(keyId);
    if (await ifThere(this.describeKey(keyId, options))) {
      throw new KmsError('kms-key-exists', `${this.kms} already has a key ${keyId}`);
    }
    await this.create(keyId, options.signal);
    return this.describeWritten(keyId, () => true, options);
  }

  async listKeys(
    pattern: string,
    marker: string | undefined,
    limit: number,
    { signal }: CallOptions,
  ): Promise<KeyPage> {
    return listingPage(await this.keyNames(signal), { pattern, marker, limit }, async (name) => {
      return this.described(await this.key(name, signal));
    });
  }

  async rotateKey(keyId: string, options: CallOptions): Promise<KeyDescription> {
    this.checkName(keyId);
    if (this.pinnedVersion(keyId).key_version !== undefined) {
      throw new KmsError('kms-invalid-request', `${this.kms} is set to one version of key ${keyId}`, {
        remedy: 'Take key_version out of the settings to use the newest version.',
      });
    }
    // Vault answers the rotation of a missing key with 400 and nothing to tell it by.
    const before = await this.describeKey(keyId, options);
    await this.session.write(`${this.path('keys', keyId)}/rotate`, {}, options.signal);
    return this.describeWritten(keyId, ({ latestVersion }) => latestVersion !== before.latestVersion, options);
  }

  /** Vault deletes only keys of which that is allowed, which is why the permission to configure the key is needed too. */
  async deleteKey(keyId: string, { signal }: CallOptions): Promise<void> {
    this.checkName(keyId);
    this.keys.delete(keyId);
    const path = this.path('keys', keyId);
    try {
      if (await ifThere(this.session.read(path, signal))) {
        await this.session.write(`${path}/config`, { deletion_allowed: true }, signal);
        await this.session.delete(path, signal);
      }
    } catch (error) {
      throw withPermissionRemedy(error, () => vaultDeletionRemedy(this.settings, keyId));
    }
  }

  private async describeWritten(
    keyId: string,
    shows: (key: KeyDescription) => boolean,
    options: CallOptions,
  ): Promise<KeyDescription> {
    const missing = (error: unknown): boolean => isKind(error, 'kms-key-not-found');
    return readAfterWrite(() => this.describeKey(keyId, options), shows, missing, options.signal);
  }

  private async writeBatch(
    verb: 'encrypt' | 'decrypt' | 'rewrap',
    keyId: string,
    items: readonly VaultObject[],
    signal: AbortSignal,
  ): Promise<VaultObject[]> {
    const { data } = await this.session.write(this.path(verb, keyId), { batch_input: items }, signal);
    const results = objectOf(data)['batch_results'];
    if (!Array.isArray(results) || results.length !== items.length) {
      throw new KmsError('kms-protocol', `${this.kms} answered a batch in an unknown way`);
    }
    return results.map((entry) => {
      const result = objectOf(entry);
      const error = textOf(result['error'], '');
      if (error !== '') {
        throw vaultError(this.kms, 400, [error]);
      }
      return result;
    });
  }

  private ciphertextItem(key: VaultKey, { ciphertext, context }: BoundDataKey): VaultObject {
    const text = ciphertext.toString('utf8');
    if (!CIPHERTEXT.test(text)) {
      throw new KmsError('kms-invalid-ciphertext', `The wrapped data key is not one of ${this.kms}`);
    }
    return { ciphertext: text, ...binding(key, contextBase64(context)) };
  }

  /** The version that the configuration wants data keys wrapped by. */
  private pinnedVersion(keyId: string): { readonly key_version?: number } {
    const version = keyId === this.defaultKeyId ? this.settings.keyVersion : undefined;
    return version === undefined ? {} : { key_version: version };
  }

  private described({ name, description }: VaultKey): KeyDescription {
    return { ...description, wrappingVersion: this.pinnedVersion(name).key_version?.toString() };
  }

  private async withKey<T>(keyId: string, signal: AbortSignal, work: (key: VaultKey) => Promise<T>): Promise<T> {
    const key = await this.key(keyId, signal);
    try {
      return await work(key);
    } catch (error) {
      if (isKind(error, 'kms-key-not-found', 'kms-invalid-ciphertext')) {
        this.keys.delete(keyId);
      }
      throw this.withRemedy(error);
    }
  }

  private async key(keyId: string, signal: AbortSignal): Promise<VaultKey> {
    this.checkName(keyId);
    const now = performance.now();
    const cached = this.keys.get(keyId);
    if (cached && now - cached.at < DESCRIPTION_AGE) {
      return cached.key;
    }
    if (this.keys.size >= MAX_DESCRIPTIONS) {
      this.keys.clear();
    }
    const entry = { key: this.readKey(keyId, signal), at: now };
    this.keys.set(keyId, entry);
    entry.key.catch(() => {
      if (this.keys.get(keyId) === entry) {
        this.keys.delete(keyId);
      }
    });
    return entry.key;
  }

  private async readKey(keyId: string, signal: AbortSignal): Promise<VaultKey> {
    try {
      return readVaultKey(this.kms, keyId, await this.session.read(this.path('keys', keyId), signal));
    } catch (error) {
      const missing = isKind(error, 'kms-key-not-found');
      if (!missing || keyId !== this.defaultKeyId || !this.settings.createKey) {
        throw missing ? this.keyMissing(keyId, error) : this.withRemedy(error);
      }
    }
    await this.create(keyId, signal);
    const missing = (error: unknown): boolean => isKind(error, 'kms-key-not-found');
    const read = (): Promise<VaultObject> => this.session.read(this.path('keys', keyId), signal);
    return readVaultKey(this.kms, keyId, await readAfterWrite(read, () => true, missing, signal));
  }

  private async create(keyId: string, signal: AbortSignal): Promise<void> {
    try {
      await this.session.write(this.path('keys', keyId), { type: 'aes256-gcm96', derived: true }, signal);
    } catch (error) {
      throw this.withRemedy(error);
    }
  }

  private async keyNames(signal: AbortSignal): Promise<string[]> {
    try {
      // Vault answers 404 to the list of nothing.
      const { data } = (await ifThere(this.session.list(`${this.settings.mountPath}/keys`, signal))) ?? {};
      const names = objectOf(data)['keys'];
      return Array.isArray(names) ? names.map(String) : [];
    } catch (error) {
      throw this.withRemedy(error);
    }
  }

  private path(verb: string, keyId: string): string {
    return `${this.settings.mountPath}/${verb}/${keyId}`;
  }

  private checkName(keyId: string): void {
    if (!TRANSIT_KEY_NAME.test(keyId) || keyId.length > 256) {
      throw impossibleKeyName(this.kms, keyId);
    }
  }

  private readPlaintext(base64: unknown): Buffer {
    return receivedDataKey(this.kms, typeof base64 === 'string' ? Buffer.from(base64, 'base64') : Buffer.alloc(0));
  }

  private readCiphertext(text: unknown): { ciphertext: Buffer; keyVersion: string } {
    const keyVersion = typeof text === 'string' ? CIPHERTEXT.exec(text)?.[1] : undefined;
    if (typeof text !== 'string' || keyVersion === undefined) {
      throw new KmsError('kms-protocol', `${this.kms} returned a ciphertext in an unknown format`);
    }
    return { ciphertext: Buffer.from(text, 'utf8'), keyVersion };
  }

  private keyMissing(keyId: string, cause: KmsError): KmsError {
    const remedy = `Create it: vault write ${this.settings.mountPath}/keys/${keyId} type=aes256-gcm96 derived=true`;
    return new KmsError('kms-key-not-found', `${this.kms} has no key ${keyId}`, { cause: cause.cause, remedy });
  }

  private withRemedy(error: unknown): unknown {
    return withPermissionRemedy(error, () => vaultPolicyRemedy(this.settings));
  }
}

function contextBase64(context: EncryptionContext): string {
  return contextBytes(context).toString('base64');
}

function binding(key: VaultKey, context: string): { context: string } | { associated_data: string } {
  return key.derived ? { context } : { associated_data: context };
}
