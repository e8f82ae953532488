import { AsyncLocalStorage } from 'node:async_hooks';
import { KmsError } from '../kms-error';
import type { GcpCalls, GcpListings } from './gcp-calls';
import { GcpCredentials, type GcpSdk } from './gcp-credentials';
import { gcpProtocolError, gcpRefusal } from './gcp-errors';
import type { GcpSettings } from './gcp-settings';
import { GcpTransport } from './gcp-transport';
import { transportError } from './transport-errors';

type KmsApi = InstanceType<GcpSdk['KeyManagementServiceClient']>;

/** Entries, and the request for those that follow. */
type Page<Name extends keyof GcpListings> = readonly [readonly GcpListings[Name][1][], GcpListings[Name][0] | null];

/** One attempt a call: the call policy retries. */
const ONE_ATTEMPT = { retry: null };

/**
 * Google's SDK behind a narrow door. It encodes and decodes; credentials, connections and retries are ours. Its calls are
 * entered below the methods that can log a request, because some requests and answers are data keys.
 */
export class GcpClient {
  readonly credentials: GcpCredentials;
  private readonly transport: GcpTransport;
  private readonly signals = new AsyncLocalStorage<AbortSignal>();
  private api: Promise<KmsApi> | undefined;

  /** @param kms `<type>:<target>`, for messages */
  constructor(
    readonly kms: string,
    private readonly settings: GcpSettings,
  ) {
    this.credentials = new GcpCredentials(kms, settings);
    this.transport = new GcpTransport(kms, settings);
  }

  /** The `Date` header of the last answer. */
  get lastDate(): Date | undefined {
    return this.transport.lastDate;
  }

  /** Loads the SDK; connects to nothing. @throws KmsError */
  async load(): Promise<void> {
    await this.connect();
  }

  /**
   * Makes one call.
   * @throws KmsError
   */
  async call<Name extends keyof GcpCalls>(
    name: Name,
    request: GcpCalls[Name][0],
    signal: AbortSignal,
  ): Promise<GcpCalls[Name][1]> {
    const [answer] = await this.run(signal, (api) => invoke<[GcpCalls[Name][1]]>(api, name, request));
    return answer;
  }

  /**
   * Goes through all pages of a listing.
   * @throws KmsError
   */
  async list<Name extends keyof GcpListings>(
    name: Name,
    request: GcpListings[Name][0],
    signal: AbortSignal,
  ): Promise<GcpListings[Name][1][]> {
    const found: GcpListings[Name][1][] = [];
    let page: GcpListings[Name][0] | null = request;
    while (page) {
      const answer: Page<Name> = await this.page(name, page, signal);
      found.push(...answer[0]);
      page = answer[1];
    }
    return found;
  }

  /**
   * Which of the permissions the credentials have; none for what does not exist.
   * @param resource full resource name
   * @throws KmsError
   */
  async permissions(resource: string, permissions: readonly string[], signal: AbortSignal): Promise<readonly string[]> {
    const [answer] = await this.run(signal, async (api) => {
      const request = { resource, permissions: [...permissions] };
      return await api.iamClient.testIamPermissions(request as never, ONE_ATTEMPT);
    });
    return answer.permissions ?? [];
  }

  async close(): Promise<void> {
    await this.transport.close();
  }

  private page<Name extends keyof GcpListings>(
    name: Name,
    request: GcpListings[Name][0],
    signal: AbortSignal,
  ): Promise<Page<Name>> {
    return this.run(signal, (api) => invoke<Page<Name>>(api, name, request));
  }

  private async run<T>(signal: AbortSignal, work: (api: KmsApi) => Promise<T>): Promise<T> {
    try {
      const api = await this.connect();
      signal.throwIfAborted();
      return await this.signals.run(signal, () => work(api));
    } catch (error) {
      if (error instanceof KmsError || signal.aborted) {
        throw transportError(this.kms, this.settings.endpoint, error, signal);
      }
      throw gcpProtocolError(this.kms, error);
    }
  }

  private connect(): Promise<KmsApi> {
    if (!this.api) {
      const api = this.open();
      this.api = api;
      api.catch(() => (this.api = undefined));
    }
    return this.api;
  }

  private async open(): Promise<KmsApi> {
    const sdk = await import('@google-cloud/kms').catch((cause: unknown) => {
      throw new KmsError('kms-not-configured', `${this.kms} needs the package @google-cloud/kms`, { cause });
    });
    const { hostname, port, protocol } = new URL(this.settings.endpoint);
    const secure = protocol === 'https:';
    const api = new sdk.KeyManagementServiceClient({
      fallback: true,
      universeDomain: 'googleapis.com',
      apiEndpoint: hostname,
      port: port === '' ? (secure ? 443 : 80) : Number(port),
      protocol: secure ? 'https' : 'http',
      // The part of an AuthClient that REST calls use.
      authClient: {
        getRequestHeaders: () => Promise.resolve(new Headers()),
        fetch: (url: string, init: RequestInit) => this.exchange(sdk, String(url), init),
      } as never,
    });
    await api.initialize();
    return api;
  }

  private async exchange(sdk: GcpSdk, url: string, init: RequestInit): Promise<Response> {
    const signal = this.signals.getStore() ?? AbortSignal.timeout(this.settings.timeout);
    const authorization = await this.credentials.headers(sdk, url, signal);
    const { status, text } = await this.transport.send(
      {
        url,
        method: init.method ?? 'GET',
        headers: { ...Object.fromEntries(new Headers(init.headers)), ...authorization },
        // What the SDK writes for a message without any field.
        body: init.body === '""' ? '{}' : (init.body as string | undefined),
      },
      signal,
    );
    if (status >= 200 && status < 300) {
      return new Response(text, { status: 200 });
    }
    if (status === 401) {
      this.credentials.forget();
    }
    throw gcpRefusal(this.kms, status, text);
  }
}

async function invoke<T>(api: KmsApi, name: string, request: object): Promise<T> {
  const method = api.innerApiCalls[name] as (request: object, options: object) => Promise<T>;
  return method(request, { ...ONE_ATTEMPT, autoPaginate: false });
}
