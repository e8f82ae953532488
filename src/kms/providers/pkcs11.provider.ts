import { canonicalContextText, type EncryptionContext } from '../../common/encryption-context';
import { KmsError } from '../kms-error';
import type {
  CallOptions,
  ConnectionTestReport,
  KeyDescription,
  KeyPage,
  KmsProvider,
  ProviderDataKey,
} from '../kms-provider';
import { listingPage } from './key-listing';
import { Pkcs11Client, type StartThread } from './pkcs11-client';
import { testPkcs11Connection } from './pkcs11-connection-test';
import type { Pkcs11DataKey, Pkcs11KeyVersion } from './pkcs11-port';
import { PKCS11_KEY_LABEL, type Pkcs11Settings } from './pkcs11-settings';
import { capabilities } from './provider-parts';

/**
 * An HSM behind its PKCS#11 library. Keys are AES-256 key objects found by their label; they wrap by AES-GCM inside the
 * HSM, with the encryption context as associated data.
 */
export class Pkcs11Provider implements KmsProvider {
  readonly type = 'pkcs11';
  readonly capabilities = capabilities(
    'createKey',
    'listKeys',
    'rotateKey',
    'deleteKey',
    'bindsContext',
    'keyVersions',
  );
  readonly defaultKeyId: string;
  private readonly client: Pkcs11Client;

  /** @param kms `pkcs11:<target>`, for messages */
  constructor(
    private readonly kms: string,
    private readonly settings: Pkcs11Settings,
    startThread?: StartThread,
  ) {
    this.defaultKeyId = settings.keyName;
    this.client = new Pkcs11Client(kms, settings, startThread);
  }

  async destroy(): Promise<void> {
    await this.client.close();
  }

  async generateDataKey(keyId: string, context: EncryptionContext, { signal }: CallOptions): Promise<ProviderDataKey> {
    const ask = { label: this.labelOf(keyId), context: canonicalContextText(context) };
    const generate = (): Promise<Pkcs11DataKey> => this.client.call('generate', ask, signal);
    const { plaintext, ciphertext, version } = await generate().catch(async (error: unknown) => {
      if (!isKind(error, 'kms-key-not-found') || keyId !== this.defaultKeyId || !this.settings.createKey) {
        throw error;
      }
      await this.client.call('create', { label: keyId }, signal).catch((failure: unknown) => {
        if (!isKind(failure, 'kms-key-exists')) {
          throw failure;
        }
      });
      return generate();
    });
    return { plaintext: bufferOf(plaintext), ciphertext: bufferOf(ciphertext), keyVersion: version };
  }

  async decryptDataKey(
    keyId: string,
    ciphertext: Buffer,
    context: EncryptionContext,
    _keyVersion: string | undefined,
    { signal }: CallOptions,
  ): Promise<Buffer> {
    const ask = {
      label: this.labelOf(keyId),
      context: canonicalContextText(context),
      ciphertext: new Uint8Array(ciphertext),
    };
    return bufferOf(await this.client.call('decrypt', ask, signal));
  }

  async describeKey(keyId: string, { signal }: CallOptions): Promise<KeyDescription> {
    return describe(keyId, await this.client.call('describe', { label: this.labelOf(keyId) }, signal));
  }

  async probe({ signal }: CallOptions): Promise<void> {
    await this.client.call('probe', {}, signal);
  }

  async testConnection({ signal }: CallOptions): Promise<ConnectionTestReport> {
    const { kms, settings, client } = this;
    return testPkcs11Connection({ kms, settings, client, provider: this, signal });
  }

  async createKey(keyId: string, { signal }: CallOptions): Promise<KeyDescription> {
    if (!PKCS11_KEY_LABEL.test(keyId)) {
      throw new KmsError('kms-invalid-request', 'The label of a key has up to 128 characters, none of them /');
    }
    return describe(keyId, await this.client.call('create', { label: keyId }, signal));
  }

  async listKeys(pattern: string, marker: string | undefined, limit: number, options: CallOptions): Promise<KeyPage> {
    const labels = await this.client.call('list', {}, options.signal);
    const names = labels.filter((label) => PKCS11_KEY_LABEL.test(label));
    return listingPage(names, { pattern, marker, limit }, (name) => this.describeKey(name, options));
  }

  /** Makes a further key object of the same label, which wraps from now on; the older ones still unwrap. */
  async rotateKey(keyId: string, { signal }: CallOptions): Promise<KeyDescription> {
    return describe(keyId, await this.client.call('rotate', { label: this.labelOf(keyId) }, signal));
  }

  /** Destroys all key objects of the label. */
  async deleteKey(keyId: string, { signal }: CallOptions): Promise<void> {
    await this.client.call('destroy', { label: this.labelOf(keyId) }, signal);
  }

  private labelOf(keyId: string): string {
    if (!PKCS11_KEY_LABEL.test(keyId)) {
      throw new KmsError('kms-key-not-found', `${keyId.slice(0, 64)} cannot be the label of a key of ${this.kms}`);
    }
    return keyId;
  }
}

function describe(keyId: string, versions: readonly Pkcs11KeyVersion[]): KeyDescription {
  return {
    keyId,
    state: 'enabled',
    algorithm: 'AES-256-GCM',
    latestVersion: versions.at(-1)?.version,
    versions: versions.map(({ version }) => ({ version })),
  };
}

function isKind(error: unknown, kind: KmsError['kind']): boolean {
  return error instanceof KmsError && error.kind === kind;
}

function bufferOf(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
