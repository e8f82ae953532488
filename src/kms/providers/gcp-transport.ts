import { Agent, request } from 'undici';
import type { GcpSettings } from './gcp-settings';
import { loadTlsMaterial } from './tls-material';
import { transportError } from './transport-errors';

const CONNECT_TIMEOUT = 5_000;
const MAX_CONNECTIONS = 64;
const MAX_RESPONSE_BYTES = 4 * 1024 * 1024;

/** One request as the SDK has it encoded. */
export interface GcpRequest {
  readonly url: string;
  readonly method: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: string;
}

export interface GcpAnswer {
  readonly status: number;
  readonly text: string;
}

/** Connections to Cloud KMS: no proxy, no redirect, no retry, a bounded answer, and an end with the call's signal. */
export class GcpTransport {
  private agent: Promise<Agent> | undefined;
  private readonly host: string;
  /** The `Date` header of the last answer. */
  lastDate: Date | undefined;

  /** @param kms `<type>:<target>`, for messages */
  constructor(
    private readonly kms: string,
    private readonly settings: GcpSettings,
  ) {
    this.host = new URL(settings.endpoint).host;
  }

  /** @throws KmsError when there is no answer */
  async send({ url, method, headers, body }: GcpRequest, signal: AbortSignal): Promise<GcpAnswer> {
    try {
      const dispatcher = await this.open();
      const answer = await request(url, { dispatcher, method: method as 'GET', headers, body: body ?? null, signal });
      const { date } = answer.headers;
      this.lastDate = typeof date === 'string' ? new Date(date) : undefined;
      return { status: answer.statusCode, text: await answer.body.text() };
    } catch (error) {
      throw transportError(this.kms, this.host, error, signal);
    }
  }

  /** Closes every connection; calls under way fail. */
  async close(): Promise<void> {
    const agent = await this.agent?.catch(() => undefined);
    await agent?.destroy();
  }

  private open(): Promise<Agent> {
    this.agent ??= loadTlsMaterial(this.kms, this.settings.tls).then(
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
