import type * as keysSdk from '@azure/keyvault-keys' with { 'resolution-mode': 'import' };
import { KmsError } from '../kms-error';
import { azureAccessRemedy } from './azure-access';
import { azureCredential, type AzureCredential, type IdentitySdk } from './azure-credential';
import { azureError } from './azure-errors';
import type { AzureSettings } from './azure-settings';
import { AzureTransport } from './azure-transport';
import { FirstAlone } from './first-alone';
import { loadTlsMaterial } from './tls-material';

const MAX_VERSION_CLIENTS = 256;

/** What every call of the SDK takes. */
export interface AzureCallOptions {
  readonly abortSignal: AbortSignal;
}

/** The SDK's modules, and the way that all requests take. */
interface AzureParts {
  readonly sdk: typeof keysSdk;
  readonly identity: IdentitySdk;
  readonly transport: AzureTransport;
}

interface VersionClient {
  readonly client: keysSdk.CryptographyClient;
  readonly gate: FirstAlone;
}

/** Clients that share a credential, and so a token. */
interface AzureClients {
  readonly credential: AzureCredential;
  readonly keys: keysSdk.KeyClient;
  /** By `name/version`. */
  readonly versions: Map<string, VersionClient>;
}

/**
 * The Azure SDK behind a narrow door: one attempt a call (the call policy retries), every call ends with its signal, and
 * every failure is a KmsError.
 */
export class AzureClient {
  private loaded: Promise<AzureParts> | undefined;
  private clients: AzureClients | undefined;
  private readonly host: string;

  /** @param kms `<type>:<target>`, for messages */
  constructor(
    readonly kms: string,
    private readonly settings: AzureSettings,
  ) {
    this.host = new URL(settings.vaultUrl).host;
  }

  /** Loads the SDK; connects to nothing. @throws KmsError */
  async load(): Promise<void> {
    await this.parts();
  }

  /** When the token in use ends; undefined before the first. */
  get tokenEnd(): Date | undefined {
    return this.clients?.credential.tokenEnd;
  }

  /** The `Date` header of the last answer. */
  async lastDate(): Promise<Date | undefined> {
    return (await this.parts()).transport.lastDate;
  }

  /**
   * Makes one call that administers keys.
   * @throws KmsError
   */
  async onKeys<T>(
    signal: AbortSignal,
    call: (client: keysSdk.KeyClient, options: AzureCallOptions) => Promise<T>,
  ): Promise<T> {
    return this.bounded(signal, async () => call(this.signedIn(await this.parts()).keys, { abortSignal: signal }));
  }

  /**
   * Makes one call that wraps or unwraps with a version of a key.
   * @throws KmsError
   */
  async onVersion<T>(
    name: string,
    version: string,
    signal: AbortSignal,
    call: (client: keysSdk.CryptographyClient, options: AzureCallOptions) => Promise<T>,
  ): Promise<T> {
    return this.bounded(signal, async () => {
      const { client, gate } = this.versionClient(await this.parts(), name, version);
      return gate.run(() => call(client, { abortSignal: signal }));
    });
  }

  async close(): Promise<void> {
    const parts = await this.loaded?.catch(() => undefined);
    parts?.transport.close();
  }

  private async bounded<T>(signal: AbortSignal, work: () => Promise<T>): Promise<T> {
    let stop = (): void => undefined;
    // Signing in takes no signal.
    const aborted = new Promise<never>((_resolve, reject) => {
      stop = () => reject(signal.reason as Error);
    });
    signal.addEventListener('abort', stop, { once: true });
    try {
      signal.throwIfAborted();
      return await Promise.race([work(), aborted]);
    } catch (error) {
      const failure = azureError(this.kms, this.host, error, signal, azureAccessRemedy(this.settings.managedHsm));
      if (failure.kind === 'kms-unauthenticated') {
        // The SDK keeps a token that was refused until it expires.
        this.clients = undefined;
      }
      throw failure;
    } finally {
      signal.removeEventListener('abort', stop);
    }
  }

  private signedIn({ sdk, identity, transport }: AzureParts): AzureClients {
    if (!this.clients) {
      const credential = azureCredential(identity, this.kms, this.settings, transport);
      const keys = new sdk.KeyClient(this.settings.vaultUrl, credential, this.options(transport));
      this.clients = { credential, keys, versions: new Map() };
    }
    return this.clients;
  }

  private versionClient(parts: AzureParts, name: string, version: string): VersionClient {
    const { credential, versions } = this.signedIn(parts);
    let entry = versions.get(`${name}/${version}`);
    if (!entry) {
      const { vaultUrl } = this.settings;
      // With the key's own facts left out the SDK leaves every decision, and all cryptography, to the vault.
      const key = { id: `${vaultUrl}/keys/${name}/${version}`, name, properties: { name, version, vaultUrl } };
      const client = new parts.sdk.CryptographyClient(key, credential, this.options(parts.transport));
      entry = { client, gate: new FirstAlone() };
      if (versions.size >= MAX_VERSION_CLIENTS) {
        versions.clear();
      }
      versions.set(`${name}/${version}`, entry);
    }
    return entry;
  }

  /** Each client changes the options it is given. */
  private options(httpClient: AzureTransport): keysSdk.KeyClientOptions {
    return {
      httpClient,
      // The call policy retries.
      retryOptions: { maxRetries: 0 },
      disableChallengeResourceVerification: !this.settings.verifyChallenge,
    };
  }

  private parts(): Promise<AzureParts> {
    if (!this.loaded) {
      const loaded = this.loadParts();
      this.loaded = loaded;
      loaded.catch(() => (this.loaded = undefined));
    }
    return this.loaded;
  }

  private async loadParts(): Promise<AzureParts> {
    const { kms, host, settings } = this;
    const lacks = (name: string) => (cause: unknown) => {
      throw new KmsError('kms-not-configured', `${kms} needs the package ${name}`, { cause });
    };
    const [sdk, identity, pipeline, tls] = await Promise.all([
      import('@azure/keyvault-keys').catch(lacks('@azure/keyvault-keys')),
      import('@azure/identity').catch(lacks('@azure/identity')),
      import('@azure/core-rest-pipeline').catch(lacks('@azure/core-rest-pipeline')),
      loadTlsMaterial(kms, settings.tls),
    ]);
    const options = { kms, vaultHost: host, tls, timeout: settings.timeout };
    return { sdk, identity, transport: new AzureTransport(options, pipeline.createDefaultHttpClient()) };
  }
}
