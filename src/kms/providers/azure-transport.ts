import { AsyncLocalStorage } from 'node:async_hooks';
import { Agent } from 'node:https';
import type { HttpClient, PipelineRequest, PipelineResponse } from '@azure/core-rest-pipeline';
import { KmsError } from '../kms-error';
import { passingFailure } from './azure-errors';
import type { TlsMaterial } from './tls-material';
import { transportError } from './transport-errors';

const MAX_CONNECTIONS = 64;

/** Where and how the SDK's requests go. Times are milliseconds. */
export interface AzureTransportOptions {
  /** `<type>:<target>`, for messages */
  readonly kms: string;
  readonly vaultHost: string;
  readonly tls: TlsMaterial;
  readonly timeout: number;
}

/**
 * The HTTP client under the SDK, for the vault and for Entra ID. It turns what fails on the way into KmsErrors where that
 * is still seen as it happened, and bounds requests that no signal reaches: those of signing in.
 */
export class AzureTransport implements HttpClient {
  /** The `Date` header of the vault's last answer. */
  lastDate: Date | undefined;
  private readonly agent: Agent;
  private readonly signIns = new AsyncLocalStorage<{ failure?: KmsError }>();

  constructor(
    private readonly options: AzureTransportOptions,
    private readonly client: HttpClient,
  ) {
    this.agent = new Agent({ keepAlive: true, maxSockets: MAX_CONNECTIONS, ...options.tls });
  }

  async sendRequest(request: PipelineRequest): Promise<PipelineResponse> {
    const { host, protocol } = new URL(request.url);
    request.timeout ||= this.options.timeout;
    if (protocol !== 'https:') {
      // The metadata service of a virtual machine, asked by a managed identity.
      return this.client.sendRequest(request);
    }
    request.agent ??= this.agent;
    try {
      return await this.exchange(request, host);
    } catch (error) {
      const attempt = this.signIns.getStore();
      if (attempt && error instanceof KmsError) {
        attempt.failure = error;
      }
      throw error;
    }
  }

  /**
   * Runs a sign-in. The SDK makes many a thing of a failure on the way; this gives it back as it was.
   * @throws KmsError the failure on the way, else what `work` throws
   */
  async signIn<T>(work: () => Promise<T>): Promise<T> {
    const attempt: { failure?: KmsError } = {};
    try {
      return await this.signIns.run(attempt, work);
    } catch (error) {
      throw attempt.failure ?? error;
    }
  }

  close(): void {
    this.agent.destroy();
  }

  private async exchange(request: PipelineRequest, host: string): Promise<PipelineResponse> {
    const { kms, vaultHost } = this.options;
    const who = host === vaultHost ? kms : `Entra ID at ${host}, needed by ${kms},`;
    let response: PipelineResponse;
    try {
      response = await this.client.sendRequest(request);
    } catch (error) {
      if (request.abortSignal?.aborted) {
        throw error;
      }
      throw error instanceof Error && error.name === 'AbortError'
        ? new KmsError('kms-timeout', `${who} did not answer in time`)
        : transportError(kms, host, error, undefined);
    }
    if (host === vaultHost) {
      const date = response.headers.get('date');
      this.lastDate = date === undefined ? undefined : new Date(date);
    }
    // Not left to the SDK: it cannot read such an answer without a body, and remembers one of Entra ID for a minute.
    const failure = passingFailure(who, response.status, response.bodyAsText ?? '');
    if (failure) {
      throw failure;
    }
    return response;
  }
}
