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
import { KesClient, type KesObject } from './kes-client';
import { testKesConnection } from './kes-connection-test';
import { kesPolicyRemedy } from './kes-policy';
import { KES_KEY_NAME, type KesSettings } from './kes-settings';
import { literalPrefix, pageOfNames } from './key-pattern';
import {
  assertKeyMaterial,
  capabilities,
  contextBytes,
  describeListed,
  ifThere,
  impossibleKeyName,
  isKind,
  momentOf,
  receivedDataKey,
  withPermissionRemedy,
} from './provider-parts';

const DESCRIBE_AT_ONCE = 8;

/**
 * MinIO KES over its HTTP API. KES makes and wraps the data keys; the encryption context is authenticated with them. Its
 * keys cannot be rotated or disabled.
 */
export class KesProvider implements KmsProvider {
  readonly type = 'kes';
  readonly capabilities = capabilities('createKey', 'importKey', 'listKeys', 'deleteKey', 'bindsContext');
  readonly defaultKeyId: string;
  private readonly client: KesClient;

  /** @param kms `kes:<target>`, for messages */
  constructor(
    private readonly kms: string,
    private readonly settings: KesSettings,
  ) {
    this.defaultKeyId = settings.keyName;
    this.client = new KesClient(kms, settings);
  }

  async destroy(): Promise<void> {
    await this.client.close();
  }

  async generateDataKey(keyId: string, context: EncryptionContext, { signal }: CallOptions): Promise<ProviderDataKey> {
    this.checkName(keyId);
    const body = { context: contextBase64(context) };
    const generate = (): Promise<KesObject> => this.put(`/v1/key/generate/${keyId}`, body, signal);
    const answer = await generate().catch(async (error: unknown) => {
      if (!isKind(error, 'kms-key-not-found') || keyId !== this.defaultKeyId || !this.settings.createKey) {
        throw error;
      }
      await this.put(`/v1/key/create/${keyId}`, undefined, signal).catch((failure: unknown) => {
        if (!isKind(failure, 'kms-key-exists')) {
          throw failure;
        }
      });
      return generate();
    });
    return {
      plaintext: this.readKey(answer['plaintext']),
      ciphertext: this.readBytes(answer['ciphertext'], 'a ciphertext'),
    };
  }

  async decryptDataKey(
    keyId: string,
    ciphertext: Buffer,
    context: EncryptionContext,
    _keyVersion: string | undefined,
    { signal }: CallOptions,
  ): Promise<Buffer> {
    this.checkName(keyId);
    if (ciphertext.length === 0) {
      throw new KmsError('kms-invalid-ciphertext', `The wrapped data key is not one of ${this.kms}`);
    }
    const body = { ciphertext: ciphertext.toString('base64'), context: contextBase64(context) };
    const answer = await this.put(`/v1/key/decrypt/${keyId}`, body, signal);
    return this.readKey(answer['plaintext']);
  }

  async describeKey(keyId: string, { signal }: CallOptions): Promise<KeyDescription> {
    this.checkName(keyId);
    const answer = await this.get(`/v1/key/describe/${keyId}`, signal);
    const { algorithm, created_at: createdAt, created_by: createdBy } = answer;
    return {
      keyId,
      state: 'enabled',
      algorithm: typeof algorithm === 'string' ? algorithm : 'unknown',
      createdAt: typeof createdAt === 'string' ? momentOf(createdAt) : undefined,
      createdBy: typeof createdBy === 'string' && createdBy !== '' ? createdBy : undefined,
    };
  }

  async probe({ signal }: CallOptions): Promise<void> {
    try {
      const status = await this.client.get('/v1/status', signal);
      if (status['keystore_unreachable'] === true) {
        throw new KmsError('kms-unavailable', `${this.kms} cannot reach its own key store`, {
          remedy: 'Look into the log of KES for the failure of its key store.',
        });
      }
    } catch (error) {
      // Many a policy leaves out the status; the version is told to anybody who comes with a certificate.
      if (!isKind(error, 'kms-access-denied')) {
        throw error;
      }
      await this.client.get('/version', signal);
    }
  }

  async testConnection({ signal }: CallOptions): Promise<ConnectionTestReport> {
    return testKesConnection({ kms: this.kms, settings: this.settings, client: this.client, provider: this, signal });
  }

  async createKey(keyId: string, options: CallOptions): Promise<KeyDescription> {
    this.checkName(keyId);
    await this.put(`/v1/key/create/${keyId}`, undefined, options.signal);
    return this.describeCreated(keyId, options);
  }

  async importKey(keyId: string, material: Buffer, options: CallOptions): Promise<KeyDescription> {
    this.checkName(keyId);
    assertKeyMaterial(this.kms, material);
    const body = { key: material.toString('base64'), cipher: 'AES256' };
    await this.put(`/v1/key/import/${keyId}`, body, options.signal);
    return this.describeCreated(keyId, options);
  }

  async listKeys(pattern: string, marker: string | undefined, limit: number, options: CallOptions): Promise<KeyPage> {
    const prefix = /^\w(?:[\w-]*\w)?/.exec(literalPrefix(pattern))?.[0] ?? '*';
    const { names } = await this.get(`/v1/key/list/${prefix}`, options.signal);
    const page = pageOfNames(Array.isArray(names) ? names.map(String) : [], pattern, marker, limit);
    const keys: KeyDescription[] = [];
    for (let at = 0; at < page.names.length; at += DESCRIBE_AT_ONCE) {
      const some = page.names.slice(at, at + DESCRIBE_AT_ONCE);
      keys.push(...(await Promise.all(some.map((name) => describeListed(name, this.describeKey(name, options))))));
    }
    return { keys, nextMarker: page.nextMarker };
  }

  async deleteKey(keyId: string, { signal }: CallOptions): Promise<void> {
    this.checkName(keyId);
    await ifThere(this.client.delete(`/v1/key/delete/${keyId}`, signal)).catch((error: unknown) => {
      throw withPermissionRemedy(error, () => `Allow /v1/key/delete/${keyId} in the policy of the identity.`);
    });
  }

  /** The permission to create does not include the one to describe. */
  private async describeCreated(keyId: string, options: CallOptions): Promise<KeyDescription> {
    return describeListed(keyId, this.describeKey(keyId, options));
  }

  private async get(path: string, signal: AbortSignal): Promise<KesObject> {
    return this.client.get(path, signal).catch((error: unknown) => this.fail(error));
  }

  private async put(path: string, body: KesObject | undefined, signal: AbortSignal): Promise<KesObject> {
    return this.client.put(path, body, signal).catch((error: unknown) => this.fail(error));
  }

  private fail(error: unknown): never {
    throw withPermissionRemedy(error, () => kesPolicyRemedy(this.settings));
  }

  private checkName(keyId: string): void {
    if (!KES_KEY_NAME.test(keyId)) {
      throw impossibleKeyName(this.kms, keyId);
    }
  }

  private readKey(base64: unknown): Buffer {
    return receivedDataKey(this.kms, this.readBytes(base64, 'a data key'));
  }

  private readBytes(base64: unknown, what: string): Buffer {
    const bytes = typeof base64 === 'string' ? Buffer.from(base64, 'base64') : Buffer.alloc(0);
    if (bytes.length === 0) {
      throw new KmsError('kms-protocol', `${this.kms} did not return ${what}`);
    }
    return bytes;
  }
}

function contextBase64(context: EncryptionContext): string {
  return contextBytes(context).toString('base64');
}
