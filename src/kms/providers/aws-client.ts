import type { KMSClient } from '@aws-sdk/client-kms';
import { KmsError } from '../kms-error';
import { awsError } from './aws-errors';
import type { AwsSettings } from './aws-settings';
import { loadTlsMaterial } from './tls-material';
import { errorCode, NO_CODE, transportError } from './transport-errors';

const CONNECT_TIMEOUT = 5_000;
const MAX_CONNECTIONS = 64;

/** The SDK's module, loaded when the first AWS KMS is configured. */
export type AwsSdk = typeof import('@aws-sdk/client-kms');

/** The parts of an SDK client that calls go through. */
export interface AwsConnection {
  readonly sdk: AwsSdk;
  readonly client: KMSClient;
}

/**
 * The AWS SDK behind a narrow door: one attempt a call (the call policy retries), every endpoint and mode spelled out so
 * that the environment decides nothing but the default credential chain.
 */
export class AwsClient {
  private connection: Promise<AwsConnection> | undefined;
  private readonly host: string;
  /** The `Date` header of the last answer. */
  lastDate: Date | undefined;

  /** @param kms `<type>:<target>`, for messages */
  constructor(
    readonly kms: string,
    private readonly settings: AwsSettings,
  ) {
    this.host = new URL(settings.endpoint).host;
  }

  /** Loads the SDK; connects to nothing. @throws KmsError */
  async load(): Promise<void> {
    await this.connect();
  }

  /**
   * Makes one call.
   * @throws KmsError
   */
  async send<T>(
    signal: AbortSignal,
    call: (connection: AwsConnection, options: { readonly abortSignal: AbortSignal }) => Promise<T>,
  ): Promise<T> {
    try {
      return await call(await this.connect(), { abortSignal: signal });
    } catch (error) {
      throw awsError(this.kms, this.host, error, signal);
    }
  }

  /** When the credentials in use end; undefined where they do not, or do not tell. @throws KmsError */
  async credentialsEnd(signal: AbortSignal): Promise<Date | undefined> {
    return this.send(signal, async ({ client }) => (await client.config.credentials()).expiration);
  }

  async close(): Promise<void> {
    const connection = await this.connection?.catch(() => undefined);
    connection?.client.destroy();
  }

  private connect(): Promise<AwsConnection> {
    if (!this.connection) {
      const connection = this.open();
      this.connection = connection;
      connection.catch(() => (this.connection = undefined));
    }
    return this.connection;
  }

  private async open(): Promise<AwsConnection> {
    const { settings } = this;
    const [sdk, tls] = await Promise.all([
      import('@aws-sdk/client-kms').catch((cause: unknown) => {
        throw new KmsError('kms-not-configured', `${this.kms} needs the package @aws-sdk/client-kms`, { cause });
      }),
      loadTlsMaterial(this.kms, settings.tls),
    ]);
    const client = new sdk.KMSClient({
      region: settings.region,
      endpoint: settings.endpoint,
      credentials: settings.credentials && {
        accessKeyId: settings.credentials.accessKeyId,
        secretAccessKey: settings.credentials.secretKey.reveal(),
        sessionToken: settings.credentials.sessionToken?.reveal(),
      },
      maxAttempts: 1,
      retryMode: 'standard',
      defaultsMode: 'standard',
      useFipsEndpoint: false,
      useDualstackEndpoint: false,
      requestHandler: {
        connectionTimeout: CONNECT_TIMEOUT,
        // The call policy's signal bounds every call; this would only cut it short.
        requestTimeout: 0,
        httpAgent: { keepAlive: true, maxSockets: MAX_CONNECTIONS },
        httpsAgent: { keepAlive: true, maxSockets: MAX_CONNECTIONS, ...tls },
      },
    });
    client.middlewareStack.add(
      (next) => async (args) => {
        const result = await next(args).catch((error: unknown) => {
          throw errorCode(error) === NO_CODE ? error : transportError(this.kms, this.host, error, undefined);
        });
        this.lastDate = dateOf(result.response);
        return result;
      },
      // Innermost, where a failed connection is still seen as it happened.
      { step: 'deserialize', priority: 'low', name: 'observeTransport' },
    );
    return { sdk, client };
  }
}

function dateOf(response: unknown): Date | undefined {
  const headers = (response as { headers?: Readonly<Record<string, unknown>> } | undefined)?.headers;
  const date = headers?.['date'];
  return typeof date === 'string' ? new Date(date) : undefined;
}
