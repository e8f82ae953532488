import { KmsError } from '../kms-error';
import type { VaultAuth } from './vault-auth';
import type { VaultClient, VaultObject } from './vault-client';

/** Requests with the current token; a token that was revoked meanwhile is replaced and the request made once more. */
export class VaultSession {
  constructor(
    private readonly client: VaultClient,
    private readonly auth: VaultAuth,
  ) {}

  /** @throws KmsError */
  async read(path: string, signal: AbortSignal): Promise<VaultObject> {
    return this.authorised((token) => this.client.read(path, { token, signal }));
  }

  /** Asks whether the token is good. @throws KmsError */
  async lookUp(signal: AbortSignal): Promise<void> {
    try {
      await this.read('auth/token/lookup-self', signal);
    } catch (error) {
      // A good token may lack the permission to look itself up.
      if (!isDenied(error)) {
        throw error;
      }
    }
  }

  /** @throws KmsError */
  async list(path: string, signal: AbortSignal): Promise<VaultObject> {
    return this.authorised((token) => this.client.list(path, { token, signal }));
  }

  /** Lists with the HTTP method LIST. @throws KmsError */
  async listByVerb(path: string, signal: AbortSignal): Promise<VaultObject> {
    return this.authorised((token) => this.client.listByVerb(path, { token, signal }));
  }

  /** @throws KmsError */
  async write(path: string, data: VaultObject, signal: AbortSignal): Promise<VaultObject> {
    return this.authorised((token) => this.client.write(path, data, { token, signal }));
  }

  /** @throws KmsError */
  async delete(path: string, signal: AbortSignal): Promise<void> {
    await this.authorised((token) => this.client.delete(path, { token, signal }));
  }

  private async authorised(work: (token: string) => Promise<VaultObject>): Promise<VaultObject> {
    const token = await this.auth.token();
    try {
      return await work(token);
    } catch (error) {
      if (!isDenied(error) || (await this.auth.recover(token)) === 'denied') {
        throw error;
      }
    }
    const fresh = await this.auth.token();
    try {
      return await work(fresh);
    } catch (error) {
      if (isDenied(error)) {
        this.auth.presumeGood(fresh);
      }
      throw error;
    }
  }
}

function isDenied(error: unknown): boolean {
  return error instanceof KmsError && error.kind === 'kms-access-denied';
}
