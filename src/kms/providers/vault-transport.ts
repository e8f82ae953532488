import { Agent, request } from 'undici';
import { KmsError } from '../kms-error';
import { loadTlsMaterial, type TlsSettings } from './tls-material';
import { transportError } from './transport-errors';

const MAX_RESPONSE_BYTES = 1024 * 1024;
const MAX_SAME_ORIGIN_REDIRECTS = 2;
const CONNECT_TIMEOUT = 5_000;
const MAX_CONNECTIONS = 64;

/** The options node-vault hands to its transport. */
export interface VaultTransportRequest {
  readonly method: string;
  readonly uri: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly json?: unknown;
  readonly signal?: AbortSignal;
}

/** The shape node-vault expects back. */
export interface VaultTransportResponse {
  readonly statusCode: number;
  readonly body: unknown;
  readonly request: { readonly path: string };
}

/**
 * The sockets under node-vault. It owns what node-vault leaves to chance: certificates, no proxies, a bounded answer, a
 * signal that ends the call, and redirects, which are followed inside the same origin only, because the token goes along.
 */
export class VaultTransport {
  private agent: Promise<Agent> | undefined;
  /** The `Date` header of the last answer. */
  lastDate: Date | undefined;

  constructor(
    private readonly kms: string,
    private readonly tls: TlsSettings,
  ) {}

  /** In the form of node-vault's injectable `request-promise`. */
  readonly requestPromise = {
    defaults:
      () =>
      (options: VaultTransportRequest): Promise<VaultTransportResponse> =>
        this.send(options),
  };

  /**
   * Sends one request and reads the whole answer, whatever its status.
   * @throws KmsError when there is no answer, or one that is no JSON
   */
  async send(options: VaultTransportRequest): Promise<VaultTransportResponse> {
    let url = new URL(options.uri);
    try {
      const dispatcher = await this.dispatcher();
      for (let hop = 0; ; hop++) {
        const answer = await request(url, {
          dispatcher,
          method: options.method as 'GET',
          headers: { accept: 'application/json', 'content-type': 'application/json', ...options.headers },
          body: options.json === undefined ? null : JSON.stringify(options.json),
          signal: options.signal,
        });
        const { location, date } = answer.headers;
        if (answer.statusCode >= 300 && answer.statusCode < 400 && typeof location === 'string') {
          await answer.body.dump();
          url = this.follow(url, location, hop);
          continue;
        }
        this.lastDate = typeof date === 'string' ? new Date(date) : undefined;
        const body = this.parse(answer.statusCode, await answer.body.text());
        return { statusCode: answer.statusCode, body, request: { path: url.pathname } };
      }
    } catch (error) {
      throw transportError(this.kms, url.host, error, options.signal);
    }
  }

  /** Closes every connection; calls under way fail. */
  async close(): Promise<void> {
    const agent = await this.agent?.catch(() => undefined);
    await agent?.destroy();
  }

  private follow(from: URL, location: string, hop: number): URL {
    const to = new URL(location, from);
    if (to.origin !== from.origin) {
      throw new KmsError(
        'kms-unavailable',
        `${this.kms} redirects to another address, where the token will not be sent`,
        {
          remedy: `Set endpoint to ${to.origin}, or let the standby nodes of Vault forward requests.`,
        },
      );
    }
    if (hop >= MAX_SAME_ORIGIN_REDIRECTS) {
      throw new KmsError('kms-unavailable', `${this.kms} redirects without end`);
    }
    return to;
  }

  /** A proxy in between answers errors with HTML; an answer that claims success must be JSON. */
  private parse(status: number, text: string): unknown {
    if (text === '') {
      return undefined;
    }
    try {
      return JSON.parse(text) as unknown;
    } catch (cause) {
      if (status >= 200 && status < 300) {
        throw new KmsError('kms-protocol', `${this.kms} answered with something that is no JSON`, {
          cause,
          remedy: 'Check that endpoint is the address of Vault and not of a web page or proxy.',
        });
      }
      return undefined;
    }
  }

  private dispatcher(): Promise<Agent> {
    this.agent ??= loadTlsMaterial(this.kms, this.tls).then(
      (material) =>
        new Agent({
          connections: MAX_CONNECTIONS,
          connect: { ...material, timeout: CONNECT_TIMEOUT },
          maxResponseSize: MAX_RESPONSE_BYTES,
          // The call policy's signal bounds every call; these would only cut it short.
          headersTimeout: 0,
          bodyTimeout: 0,
        }),
    );
    this.agent.catch(() => (this.agent = undefined));
    return this.agent;
  }
}
