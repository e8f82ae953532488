import { KmsError } from '../kms-error';
import { JsonTransport } from './json-transport';
import { kesError } from './kes-errors';
import type { KesSettings } from './kes-settings';
import { errorCode } from './transport-errors';

/** A server that does not serve; another one of the list may. */
const SERVES_NOTHING: ReadonlySet<number> = new Set([503]);
const CERTIFICATE_ALERT = /ALERT_(CERTIFICATE|BAD_CERTIFICATE|UNKNOWN_CA|ACCESS_DENIED|UNSUPPORTED_CERTIFICATE)/;

/** A JSON object of KES; every member is to be checked before use. */
export type KesObject = Readonly<Record<string, unknown>>;

/** The HTTP API of KES: JSON over mutual TLS. */
export class KesClient {
  readonly transport: JsonTransport;

  /** @param kms `<type>:<target>`, for messages */
  constructor(
    readonly kms: string,
    { endpoints, tls }: Pick<KesSettings, 'endpoints' | 'tls'>,
  ) {
    this.transport = new JsonTransport(kms, { endpoints, tls, failoverStatuses: SERVES_NOTHING });
  }

  /** @throws KmsError */
  async get(path: string, signal: AbortSignal): Promise<KesObject> {
    return this.send('GET', path, undefined, signal);
  }

  /** @throws KmsError */
  async put(path: string, body: KesObject | undefined, signal: AbortSignal): Promise<KesObject> {
    return this.send('PUT', path, body, signal);
  }

  /** @throws KmsError */
  async delete(path: string, signal: AbortSignal): Promise<KesObject> {
    return this.send('DELETE', path, undefined, signal);
  }

  async close(): Promise<void> {
    await this.transport.close();
  }

  private async send(method: string, path: string, json: unknown, signal: AbortSignal): Promise<KesObject> {
    const { status, body } = await this.transport.send({ method, path, json, signal }).catch((error: unknown) => {
      throw this.handshakeRefusal(error) ?? error;
    });
    const answer = typeof body === 'object' && body !== null ? (body as KesObject) : {};
    if (status !== 200) {
      const { message } = answer;
      throw kesError(this.kms, status, typeof message === 'string' ? message : '');
    }
    return answer;
  }

  private handshakeRefusal(error: unknown): KmsError | undefined {
    if (!(error instanceof KmsError) || !CERTIFICATE_ALERT.test(errorCode(error.cause))) {
      return undefined;
    }
    return new KmsError('kms-unauthenticated', `${this.kms} did not accept the client certificate`, {
      cause: error.cause,
      remedy: 'Set api_key, or client_cert_file and client_key_file of a certificate that KES trusts.',
    });
  }
}
