import nodeVault from 'node-vault';
import { KmsError } from '../kms-error';
import type { VaultConnectionSettings } from './vault-connection-settings';
import { vaultError } from './vault-errors';
import { ANY_NODE, VaultTransport } from './vault-transport';

/** How one request is made. */
export interface VaultCall {
  readonly signal: AbortSignal;
  /** Absent for requests that need no authentication. */
  readonly token?: string;
  /** Paths such as `sys/health` exist in the root namespace alone. */
  readonly rootNamespace?: boolean;
}

/** A JSON object of Vault; every member is to be checked before use. */
export type VaultObject = Readonly<Record<string, unknown>>;

const SILENT = (): void => undefined;

/**
 * node-vault behind a narrow door. Paths, verbs and error bodies are its business; it gets no environment variable, no
 * debug channel (which would print data keys), no socket and no token of its own to keep.
 */
export class VaultClient {
  readonly transport: VaultTransport;
  private readonly vault: nodeVault.client;
  private readonly namespace: string | undefined;

  /** @param kms `<type>:<target>`, for messages */
  constructor(
    readonly kms: string,
    settings: Pick<VaultConnectionSettings, 'endpoints' | 'namespace' | 'tls'>,
  ) {
    this.transport = new VaultTransport(kms, settings);
    this.namespace = settings.namespace;
    this.vault = nodeVault({
      endpoint: ANY_NODE,
      'request-promise': this.transport.requestPromise,
      debug: SILENT,
      // Lists with GET and a parameter, which every proxy lets through.
      noCustomHTTPVerbs: true,
      rpDefaults: { strictSSL: true },
    } as nodeVault.VaultOptions);
    // node-vault fills what is missing or empty from VAULT_TOKEN, VAULT_NAMESPACE and VAULT_PREFIX.
    Object.assign(this.vault, { token: '', namespace: '', pathPrefix: '' });
  }

  /** @throws KmsError */
  async read(path: string, call: VaultCall): Promise<VaultObject> {
    return this.answer(this.vault.read(path, this.options(call)));
  }

  /** @throws KmsError */
  async list(path: string, call: VaultCall): Promise<VaultObject> {
    return this.answer(this.vault.list(path, this.options(call)));
  }

  /** Lists with the HTTP method LIST, the only way RustyVault knows; proxies may refuse it. @throws KmsError */
  async listByVerb(path: string, call: VaultCall): Promise<VaultObject> {
    return this.answer(this.vault.request({ ...this.options(call), path: `/${path}`, method: 'LIST' }));
  }

  /** @throws KmsError */
  async write(path: string, data: VaultObject, call: VaultCall): Promise<VaultObject> {
    return this.answer(this.vault.write(path, data, this.options(call)));
  }

  /** @throws KmsError */
  async delete(path: string, call: VaultCall): Promise<VaultObject> {
    return this.answer(this.vault.delete(path, this.options(call)));
  }

  /** The health document; Vault's state is in its members, whatever the HTTP status. @throws KmsError */
  async health(signal: AbortSignal): Promise<VaultObject> {
    const health = await this.read('sys/health', { signal, rootNamespace: true });
    if (typeof health['initialized'] !== 'boolean' || typeof health['sealed'] !== 'boolean') {
      throw new KmsError('kms-unavailable', `${this.kms} does not tell its health`, {
        remedy: 'Check that endpoint is the address of Vault or OpenBao.',
      });
    }
    return health;
  }

  async close(): Promise<void> {
    await this.transport.close();
  }

  private options(call: VaultCall): { headers: Record<string, string>; signal: AbortSignal } {
    const headers: Record<string, string> = { 'X-Vault-Request': 'true' };
    if (call.token !== undefined) {
      headers['X-Vault-Token'] = call.token;
    }
    if (this.namespace !== undefined && call.rootNamespace !== true) {
      headers['X-Vault-Namespace'] = this.namespace;
    }
    return { headers, signal: call.signal };
  }

  private async answer(pending: Promise<unknown>): Promise<VaultObject> {
    try {
      return objectOf(await pending);
    } catch (error) {
      throw this.translate(error);
    }
  }

  private translate(error: unknown): KmsError {
    if (error instanceof KmsError) {
      return error;
    }
    const response = objectOf(objectOf(error)['response']);
    if (typeof response['statusCode'] === 'number') {
      const body = objectOf(response['body']);
      const errors = Array.isArray(body['errors']) ? body['errors'] : [body['error'], ...batchErrors(body)];
      return vaultError(
        this.kms,
        response['statusCode'],
        errors.filter((text) => typeof text === 'string' && text !== ''),
      );
    }
    return new KmsError('kms-protocol', `${this.kms} cannot be talked to`, { cause: error });
  }
}

/** What a batch was refused for: the errors of single items stand in the results, and nowhere else. */
function batchErrors(body: VaultObject): unknown[] {
  const results = objectOf(body['data'])['batch_results'];
  return Array.isArray(results) ? results.map((result) => objectOf(result)['error']) : [];
}

/** The value as an object with unknown members; an empty one when it is none. */
export function objectOf(value: unknown): VaultObject {
  return typeof value === 'object' && value !== null ? (value as VaultObject) : {};
}

/** The value when it is text, else what is given. */
export function textOf(value: unknown, otherwise: string): string {
  return typeof value === 'string' ? value : otherwise;
}
