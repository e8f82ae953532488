import { Agent, request } from 'undici';
import { KmsError } from '../kms-error';
import { EndpointList } from './endpoint-list';
import { loadTlsMaterial, type TlsSettings } from './tls-material';
import { isUnsent, transportError } from './transport-errors';

const MAX_RESPONSE_BYTES = 1024 * 1024;
const MAX_REDIRECTS = 2;
const CONNECT_TIMEOUT = 5_000;
/** With further addresses to try, one that swallows packets may not use up the time of the attempt. */
const CONNECT_TIMEOUT_OF_MANY = 2_000;
const MAX_CONNECTIONS = 64;

/** Where a KMS that speaks JSON over HTTP is, and how to talk to it. */
export interface JsonTransportOptions {
  readonly endpoints: readonly string[];
  readonly tls: TlsSettings;
  /** Status codes that tell of a node that has done nothing and will not; another address is tried. */
  readonly failoverStatuses: ReadonlySet<number>;
}

export interface JsonRequest {
  readonly method: string;
  /** Below the address, with its leading slash. */
  readonly path: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly json?: unknown;
  readonly signal?: AbortSignal;
}

export interface JsonResponse {
  readonly status: number;
  /** Undefined when empty, or when an error answer is no JSON. */
  readonly body: unknown;
}

/**
 * Requests to the nodes of one KMS. It owns certificates, uses no proxy, bounds the answer, ends with the call's signal,
 * moves on to the next address when a node cannot be reached or refuses to serve, and follows redirects to the
 * configured addresses alone, because the credentials go along.
 */
export class JsonTransport {
  private agent: Promise<Agent> | undefined;
  private readonly endpoints: EndpointList;
  /** The `Date` header of the last answer. */
  lastDate: Date | undefined;

  /** @param kms `<type>:<target>`, for messages */
  constructor(
    private readonly kms: string,
    private readonly options: JsonTransportOptions,
  ) {
    this.endpoints = new EndpointList(options.endpoints);
  }

  /** The address in use. */
  get endpoint(): string {
    return this.endpoints.current;
  }

  /**
   * Sends one request and reads the whole answer, whatever its status. Another address is tried where the first has
   * certainly done nothing; a failure in the middle is for the caller to judge.
   * @throws KmsError when there is no answer, or one that is no JSON
   */
  async send(call: JsonRequest): Promise<JsonResponse> {
    for (let tried = 1; ; tried++) {
      const endpoint = this.endpoints.current;
      const last = tried >= this.endpoints.size;
      try {
        const answer = await this.exchange(new URL(endpoint + call.path), call);
        if (!this.options.failoverStatuses.has(answer.status)) {
          return answer;
        }
        this.endpoints.leave(endpoint);
        if (last) {
          return answer;
        }
      } catch (error) {
        if (!(error instanceof KmsError) || call.signal?.aborted === true) {
          this.endpoints.leave(endpoint);
        }
        if (last || !isUnsent(error) || call.signal?.aborted === true) {
          throw transportError(this.kms, new URL(endpoint).host, error, call.signal);
        }
      }
    }
  }

  /** Closes every connection; calls under way fail. */
  async close(): Promise<void> {
    const agent = await this.agent?.catch(() => undefined);
    await agent?.destroy();
  }

  private async exchange(start: URL, call: JsonRequest): Promise<JsonResponse> {
    const dispatcher = await this.dispatcher();
    let url = start;
    for (let hop = 0; ; hop++) {
      const answer = await request(url, {
        dispatcher,
        method: call.method as 'GET',
        headers: { accept: 'application/json', 'content-type': 'application/json', ...call.headers },
        body: call.json === undefined ? null : JSON.stringify(call.json),
        signal: call.signal,
      });
      const { location, date } = answer.headers;
      if (answer.statusCode >= 300 && answer.statusCode < 400 && typeof location === 'string') {
        await answer.body.dump();
        url = this.follow(url, location, hop);
        continue;
      }
      this.lastDate = typeof date === 'string' ? new Date(date) : undefined;
      return { status: answer.statusCode, body: this.parse(answer.statusCode, await answer.body.text()) };
    }
  }

  private follow(from: URL, location: string, hop: number): URL {
    const to = new URL(location, from);
    if (to.origin !== from.origin && !this.endpoints.trusts(to.origin)) {
      throw new KmsError(
        'kms-unavailable',
        `${this.kms} redirects to another address, where the credentials will not be sent`,
        {
          remedy: `Add ${to.origin} to endpoint if it belongs to the same cluster, or let standby nodes forward requests.`,
        },
      );
    }
    if (hop >= MAX_REDIRECTS) {
      throw new KmsError('kms-unavailable', `${this.kms} redirects without end`);
    }
    this.endpoints.prefer(to.origin);
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
          remedy: 'Check that endpoint is the address of the KMS and not of a web page or proxy.',
        });
      }
      return undefined;
    }
  }

  private dispatcher(): Promise<Agent> {
    this.agent ??= loadTlsMaterial(this.kms, this.options.tls).then(
      (material) =>
        new Agent({
          connections: MAX_CONNECTIONS,
          connect: { ...material, timeout: this.endpoints.size > 1 ? CONNECT_TIMEOUT_OF_MANY : CONNECT_TIMEOUT },
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
