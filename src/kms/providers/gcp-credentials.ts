import { setMaxListeners } from 'node:events';
import { readFile } from 'node:fs/promises';
import { KmsError } from '../kms-error';
import { renewedLife } from './credentials-life';
import { credentialsProblem, parseCredentials, type GcpCredentialsDocument } from './gcp-credentials-file';
import { gcpCredentialsError, GcpReason } from './gcp-errors';
import type { GcpSettings } from './gcp-settings';
import { errorCode, NO_CODE, transportError } from './transport-errors';

const UNIVERSE = 'googleapis.com';

/** The SDK's module, loaded when the first Google Cloud KMS is configured. */
export type GcpSdk = typeof import('@google-cloud/kms');

type GoogleAuth = InstanceType<GcpSdk['KeyManagementServiceClient']>['auth'];

/**
 * The headers that authorize calls, as Google's own library makes them of the configured credentials. A service account's
 * key signs them here, with no request to anybody; other credentials are exchanged for a token, which the library keeps.
 */
export class GcpCredentials {
  private auth: Promise<GoogleAuth> | undefined;

  /** @param kms `<type>:<target>`, for messages */
  constructor(
    private readonly kms: string,
    private readonly settings: GcpSettings,
  ) {}

  /** What the credentials come from, for messages. */
  get source(): string {
    if (this.settings.credentialsJson) {
      return 'credentials_json';
    }
    return this.settings.credentialsFile === undefined ? 'Application Default Credentials' : 'credentials_file';
  }

  /** How long the credentials last, for a connection test. */
  async life(): Promise<string> {
    const client = await (await this.auth)?.getClient();
    if (client !== undefined && 'key' in client && client.key !== undefined) {
      return 'which sign each request and do not expire';
    }
    const end = client?.credentials.expiry_date;
    return renewedLife(typeof end === 'number' ? new Date(end) : undefined);
  }

  /** Starts anew with the next call: the credentials were refused, or getting a token does not end. */
  forget(): void {
    this.auth = undefined;
  }

  /**
   * @param url what is going to be asked
   * @throws KmsError
   */
  async headers(sdk: GcpSdk, url: string, signal: AbortSignal): Promise<Record<string, string>> {
    const auth = (this.auth ??= this.open(sdk));
    try {
      const found = await unlessAborted(
        auth.then(async (each) => (await each.getClient()).getRequestHeaders(url)),
        signal,
      );
      return Object.fromEntries(found);
    } catch (error) {
      this.forget();
      throw this.translate(error, signal);
    }
  }

  private async open(sdk: GcpSdk): Promise<GoogleAuth> {
    const { KeyManagementServiceClient } = sdk;
    // A client that is never asked: it is the SDK's own way to the library behind it.
    const { auth } = new KeyManagementServiceClient({
      fallback: true,
      universeDomain: UNIVERSE,
      scopes: KeyManagementServiceClient.scopes,
      credentials: await this.read(),
      clientOptions: {
        transporterOptions: {
          timeout: this.settings.timeout,
          adapter: (options, next) => {
            // The call policy retries.
            options.retryConfig = { ...options.retryConfig, retry: 0, noResponseRetries: 0 };
            return next(options);
          },
        },
      },
    });
    return auth;
  }

  private async read(): Promise<GcpCredentialsDocument | undefined> {
    const { credentialsFile, credentialsJson } = this.settings;
    if (credentialsFile === undefined && !credentialsJson) {
      return undefined;
    }
    const text = credentialsJson?.reveal() ?? (await this.readFile(credentialsFile ?? ''));
    const problem = credentialsProblem(text);
    if (problem !== undefined) {
      throw new KmsError('kms-unauthenticated', `${this.kms}: what ${this.source} holds ${problem}`, {
        remedy: `Correct ${this.source}.`,
      });
    }
    return parseCredentials(text);
  }

  private async readFile(path: string): Promise<string> {
    try {
      return await readFile(path, 'utf8');
    } catch (cause) {
      throw new KmsError('kms-unauthenticated', `${this.kms}: the file of credentials_file cannot be read`, {
        cause,
        remedy: 'Make the file readable, or correct credentials_file.',
      });
    }
  }

  private translate(error: unknown, signal: AbortSignal): KmsError {
    if (error instanceof KmsError || signal.aborted) {
      return transportError(this.kms, 'its token service', error, signal);
    }
    const status = statusOf(error);
    const reason = new GcpReason(error instanceof Error ? error.message : 'unknown failure');
    if (status === 429 || (status ?? 0) >= 500) {
      const kind = status === 429 ? 'kms-throttled' : 'kms-unavailable';
      return new KmsError(kind, `${this.kms}: the token service failed with HTTP status ${status}`, { cause: reason });
    }
    return status === undefined && /^E[A-Z]+$/.test(networkCode(error))
      ? transportError(this.kms, 'its token service', error, undefined)
      : gcpCredentialsError(this.kms, reason);
  }
}

/** Ends with the signal although the work has no way to be told. */
async function unlessAborted<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  signal.throwIfAborted();
  const stop = new AbortController();
  setMaxListeners(0, signal);
  try {
    return await Promise.race([
      work,
      new Promise<never>((_resolve, reject) => {
        const abort = (): void => reject(signal.reason instanceof Error ? signal.reason : new Error('aborted'));
        signal.addEventListener('abort', abort, { once: true, signal: stop.signal });
      }),
    ]);
  } finally {
    stop.abort();
  }
}

function statusOf(error: unknown): number | undefined {
  const status = (error as { response?: { status?: unknown } } | null)?.response?.status;
  return typeof status === 'number' ? status : undefined;
}

function networkCode(error: unknown): string {
  const code = errorCode(error);
  return code === NO_CODE ? '' : code;
}
