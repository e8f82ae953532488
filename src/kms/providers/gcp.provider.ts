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
import { checksumMatches, checksumOf } from './gcp-checksum';
import { GcpClient } from './gcp-client';
import { testGcpConnection } from './gcp-connection-test';
import { gcpDamage } from './gcp-errors';
import { GcpKeyAdministration, type GcpKeyHandle } from './gcp-key-administration';
import { describeGcpKey } from './gcp-key-description';
import { gcpKeyVersion, GcpKeyNames } from './gcp-key-name';
import { gcpRoleRemedy, REQUIRED_PERMISSIONS } from './gcp-roles';
import type { GcpSettings } from './gcp-settings';
import { listingPage } from './key-listing';
import { capabilities, contextBytes, isKind, KEY_BYTES, receivedDataKey, withPermissionRemedy } from './provider-parts';

const MAX_CIPHERTEXT_BYTES = 65_536;
const LIST_PAGE = 1_000;

/**
 * Google Cloud KMS. It makes no data keys; they are made here and wrapped by `encrypt`, with the encryption context as
 * additional authenticated data and CRC32C checksums over everything in both directions.
 */
export class GcpProvider implements KmsProvider {
  readonly type = 'gcp';
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
  private readonly client: GcpClient;
  private readonly names: GcpKeyNames;
  private readonly administration: GcpKeyAdministration;

  /** @param kms `gcp:<target>`, for messages */
  constructor(
    private readonly kms: string,
    private readonly settings: GcpSettings,
  ) {
    this.client = new GcpClient(kms, settings);
    this.names = new GcpKeyNames(kms, settings.ring, settings.keyName);
    this.administration = new GcpKeyAdministration(kms, this.client);
    this.defaultKeyId = this.names.defaultKeyId;
  }

  /** Loads the SDK; the first call connects, so that a Google Cloud that is down delays no start. */
  async init(): Promise<void> {
    await this.client.load();
  }

  async destroy(): Promise<void> {
    await this.client.close();
  }

  async generateDataKey(keyId: string, context: EncryptionContext, options: CallOptions): Promise<ProviderDataKey> {
    const handle = this.handle(keyId);
    const plaintext = randomBytes(KEY_BYTES);
    try {
      return { plaintext, ...(await this.wrap(handle, plaintext, context, options)) };
    } catch (error) {
      plaintext.fill(0);
      throw error;
    }
  }

  async decryptDataKey(
    keyId: string,
    ciphertext: Buffer,
    context: EncryptionContext,
    _keyVersion: string | undefined,
    { signal }: CallOptions,
  ): Promise<Buffer> {
    const { resource } = this.handle(keyId);
    if (ciphertext.length === 0 || ciphertext.length > MAX_CIPHERTEXT_BYTES) {
      throw new KmsError('kms-invalid-ciphertext', `The wrapped data key is not one of ${this.kms}`);
    }
    const associated = contextBytes(context);
    const answer = await this.explained(resource, () =>
      this.client.call(
        'decrypt',
        {
          name: resource,
          ciphertext,
          ciphertextCrc32c: checksumOf(ciphertext),
          additionalAuthenticatedData: associated,
          additionalAuthenticatedDataCrc32c: checksumOf(associated),
        },
        signal,
      ),
    ).catch((error: unknown) => {
      // Cloud KMS says of a ciphertext that does not authenticate that the argument is invalid.
      throw isKind(error, 'kms-invalid-request')
        ? new KmsError(
            'kms-invalid-ciphertext',
            `${this.kms} cannot unwrap the data key with this key and encryption context`,
            { cause: error.cause },
          )
        : error;
    });
    const plaintext = bytesOf(answer.plaintext);
    if (!checksumMatches(plaintext, answer.plaintextCrc32c)) {
      plaintext.fill(0);
      throw gcpDamage(this.kms);
    }
    return receivedDataKey(this.kms, plaintext);
  }

  async describeKey(keyId: string, options: CallOptions): Promise<KeyDescription> {
    return this.administer(keyId, (handle) => this.administration.describe(handle, options));
  }

  /** Needs no permission to look at keys, which the role for encrypting does not include. */
  async probe({ signal }: CallOptions): Promise<void> {
    const { resource } = this.handle(this.defaultKeyId);
    const granted = await this.client.permissions(resource, REQUIRED_PERMISSIONS, signal);
    if (granted.length < REQUIRED_PERMISSIONS.length) {
      throw new KmsError('kms-access-denied', `${this.kms} does not allow the use of its default key`, {
        remedy: gcpRoleRemedy(resource),
      });
    }
  }

  async testConnection({ signal }: CallOptions): Promise<ConnectionTestReport> {
    return testGcpConnection({
      kms: this.kms,
      settings: this.settings,
      client: this.client,
      names: this.names,
      provider: this,
      signal,
    });
  }

  async createKey(keyId: string, options: CallOptions): Promise<KeyDescription> {
    return this.administer(keyId, (handle) =>
      this.administration.create(handle, this.names.split(keyId), this.settings.protectionLevel, options),
    );
  }

  /** Lists the keys of the configured ring that can wrap. */
  async listKeys(
    pattern: string,
    marker: string | undefined,
    limit: number,
    { signal }: CallOptions,
  ): Promise<KeyPage> {
    const { ring } = this.names;
    const request = { parent: ring, pageSize: LIST_PAGE };
    const found = await this.explained(this.names.toGcp(this.defaultKeyId), () =>
      this.client.list('listCryptoKeys', request, signal),
    );
    const keys = new Map(
      found
        .filter(({ purpose }) => purpose === 'ENCRYPT_DECRYPT')
        .map((key) => [this.names.shorten(key.name ?? ''), key] as const),
    );
    return listingPage([...keys.keys()], { pattern, marker, limit }, (name) =>
      Promise.resolve(describeGcpKey(name, keys.get(name) ?? {})),
    );
  }

  async rotateKey(keyId: string, options: CallOptions): Promise<KeyDescription> {
    return this.administer(keyId, (handle) => this.administration.rotate(handle, options));
  }

  async setKeyEnabled(keyId: string, enabled: boolean, options: CallOptions): Promise<KeyDescription> {
    return this.administer(keyId, (handle) => this.administration.setEnabled(handle, enabled, options));
  }

  async scheduleKeyDeletion(keyId: string, days: number, options: CallOptions): Promise<KeyDescription> {
    return this.administer(keyId, (handle) => this.administration.scheduleDeletion(handle, days, options));
  }

  async cancelKeyDeletion(keyId: string, options: CallOptions): Promise<KeyDescription> {
    return this.administer(keyId, (handle) => this.administration.cancelDeletion(handle, options));
  }

  private async wrap(
    handle: GcpKeyHandle,
    plaintext: Buffer,
    context: EncryptionContext,
    options: CallOptions,
  ): Promise<Omit<ProviderDataKey, 'plaintext'>> {
    const { resource, keyId } = handle;
    const associated = contextBytes(context);
    const encrypt = () =>
      this.client.call(
        'encrypt',
        {
          name: resource,
          plaintext,
          plaintextCrc32c: checksumOf(plaintext),
          additionalAuthenticatedData: associated,
          additionalAuthenticatedDataCrc32c: checksumOf(associated),
        },
        options.signal,
      );
    const answer = await this.explained(resource, () =>
      encrypt().catch(async (error: unknown) => {
        if (!isKind(error, 'kms-key-not-found') || keyId !== this.defaultKeyId || !this.settings.createKey) {
          throw error;
        }
        await this.createKey(keyId, options).catch((failure: unknown) => {
          if (!isKind(failure, 'kms-key-exists')) {
            throw failure;
          }
        });
        return encrypt();
      }),
    );
    const ciphertext = bytesOf(answer.ciphertext);
    const keyVersion = gcpKeyVersion(answer.name);
    if (
      answer.verifiedPlaintextCrc32c !== true ||
      answer.verifiedAdditionalAuthenticatedDataCrc32c !== true ||
      !checksumMatches(ciphertext, answer.ciphertextCrc32c)
    ) {
      throw gcpDamage(this.kms);
    }
    if (ciphertext.length === 0 || keyVersion === undefined || !answer.name?.startsWith(`${resource}/`)) {
      throw new KmsError('kms-protocol', `${this.kms} wrapped with another key or returned no wrapped data key`);
    }
    return { ciphertext, keyVersion };
  }

  private handle(keyId: string): GcpKeyHandle {
    return { resource: this.names.toGcp(keyId), keyId: this.names.shorten(keyId) };
  }

  private async administer(
    keyId: string,
    work: (handle: GcpKeyHandle) => Promise<KeyDescription>,
  ): Promise<KeyDescription> {
    const handle = this.handle(keyId);
    return this.explained(handle.resource, () => work(handle));
  }

  /** Says of a denied permission how it is granted. */
  private async explained<T>(resource: string, work: () => Promise<T>): Promise<T> {
    try {
      return await work();
    } catch (error) {
      throw withPermissionRemedy(error, () => gcpRoleRemedy(resource));
    }
  }
}

function bytesOf(value: Uint8Array | string | null | undefined): Buffer {
  if (typeof value === 'string') {
    return Buffer.from(value, 'base64');
  }
  return value ? Buffer.from(value) : Buffer.alloc(0);
}
