import { Agent, request } from 'undici';
import { loadTlsMaterial } from '../kms/providers/tls-material';
import { WEBHOOK_SUBSYSTEM, type WebhookSettings } from './webhook-settings';

const CONNECT_TIMEOUT_MS = 5_000;
const USER_AGENT = 'Strongroom';

/** What came of one delivery. `refused`: the target does not want this very message; others may go well. */
export type Delivery =
  { readonly outcome: 'delivered' } | { readonly outcome: 'unreachable' | 'refused'; readonly error: string };

/** Answers that tell of the target and not of the message. */
const UNREACHABLE_STATUSES: ReadonlySet<number> = new Set([401, 403, 404, 405, 407, 408, 421, 425, 429]);

/** Sends messages to one webhook. */
export class WebhookSender {
  private agent: Promise<Agent> | undefined;

  constructor(
    private readonly target: string,
    readonly settings: WebhookSettings,
  ) {}

  /** Sends one message; never rejects. */
  async send(message: string): Promise<Delivery> {
    const { endpoint, timeout } = this.settings;
    try {
      const { statusCode, body } = await request(endpoint, {
        method: 'POST',
        body: message,
        headers: { 'content-type': 'application/json', 'user-agent': USER_AGENT, ...this.authorization() },
        dispatcher: await this.dispatcher(),
        signal: AbortSignal.timeout(timeout),
      });
      await body.dump();
      if (statusCode >= 200 && statusCode < 300) {
        return { outcome: 'delivered' };
      }
      const refused = statusCode >= 400 && statusCode < 500 && !UNREACHABLE_STATUSES.has(statusCode);
      return { outcome: refused ? 'refused' : 'unreachable', error: `${this.name} answered ${statusCode}` };
    } catch (error) {
      return { outcome: 'unreachable', error: `${this.name} cannot be reached: ${reasonOf(error)}` };
    }
  }

  /** Closes every connection; deliveries under way fail. */
  async close(): Promise<void> {
    const agent = await this.agent?.catch(() => undefined);
    await agent?.destroy();
  }

  private get name(): string {
    return `${WEBHOOK_SUBSYSTEM}:${this.target}`;
  }

  private authorization(): Record<string, string> {
    const token = this.settings.authToken?.reveal().trim();
    if (token === undefined) {
      return {};
    }
    return { authorization: /\s/.test(token) ? token : `Bearer ${token}` };
  }

  private async dispatcher(): Promise<Agent> {
    this.agent ??= loadTlsMaterial(this.name, this.settings.tls).then(
      (tls) => new Agent({ connect: { ...tls, timeout: CONNECT_TIMEOUT_MS }, connections: 4 }),
    );
    try {
      return await this.agent;
    } catch (error) {
      // Files may be mended meanwhile.
      this.agent = undefined;
      throw error;
    }
  }
}

/** A code or message without anything of the request in it. */
function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) {
    return 'unknown';
  }
  if (error.name === 'TimeoutError') {
    return 'it did not answer in time';
  }
  return (error as NodeJS.ErrnoException).code ?? error.message;
}
