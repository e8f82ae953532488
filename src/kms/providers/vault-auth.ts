import { readFile } from 'node:fs/promises';
import { Logger } from '@nestjs/common';
import { KmsError } from '../kms-error';
import { objectOf, type VaultClient } from './vault-client';
import type { VaultCredentials } from './vault-settings';

/** Part of a token's life after which it is renewed. */
const RENEW_AT = 0.6;
/** A renewal that grants less than this part of the first grant has hit the token's maximum age. */
const WORN_OUT = 0.5;
const MAX_TIMER = 2 ** 31 - 1;
const MIN_RETRY = 250;
/** Milliseconds a verdict about a token stands, so that a wave of refusals does not become a wave of look-ups or logins. */
const VERDICT_STANDS = 5_000;

interface Grant {
  readonly token: string;
  readonly renewable: boolean;
  /** Seconds of the first grant; 0 when the token does not expire. */
  readonly firstTtl: number;
  /** Monotonic milliseconds. */
  readonly expiresAt: number;
}

/**
 * Holds a valid token: logs in when one is first needed, renews it in time, logs in again when it has worn out or was
 * revoked. However many calls need a token, one login is under way at a time.
 */
export class VaultAuth {
  private readonly logger = new Logger(VaultAuth.name);
  private grant: Grant | undefined;
  private login: Promise<Grant> | undefined;
  private timer: NodeJS.Timeout | undefined;
  private goodUntil = -Infinity;
  private destroyed = false;

  /**
   * @param timeout milliseconds for a login or renewal
   * @param now monotonic milliseconds
   */
  constructor(
    private readonly client: VaultClient,
    private readonly credentials: VaultCredentials,
    private readonly timeout: number,
    private readonly now: () => number = () => performance.now(),
  ) {}

  /**
   * Returns a token that is valid as far as one can know without asking.
   * @throws KmsError `kms-unauthenticated` when the login is refused
   */
  async token(): Promise<string> {
    if (this.grant && this.now() < this.grant.expiresAt) {
      return this.grant.token;
    }
    return (await this.logIn()).token;
  }

  /**
   * Finds out why Vault answered 403: because of the token, or because of what was asked.
   *
   * @param used the token that was refused
   * @returns `retry` when there is a new token now, `denied` when the token is good and the permission is missing
   * @throws KmsError `kms-unauthenticated` when the token is no good and there is no way to a new one
   */
  async recover(used: string): Promise<'retry' | 'denied'> {
    if (this.grant && this.grant.token !== used) {
      return 'retry';
    }
    if (this.now() < this.goodUntil || (await this.isGood(used))) {
      return 'denied';
    }
    if (this.grant && this.grant.token !== used) {
      return 'retry';
    }
    this.drop();
    if ((await this.logIn()).token === used) {
      this.drop();
      throw this.refused('did not accept the token (revoked, expired or unknown), or the token lacks the permission');
    }
    return 'retry';
  }

  /** Notes that a brand-new token was refused as well, so that it is the permission that is missing. */
  presumeGood(token: string): void {
    if (this.grant?.token === token) {
      this.goodUntil = this.now() + VERDICT_STANDS;
    }
  }

  /** Asks Vault about the current token: its life in seconds (0 for ever), whether it can be renewed, and its policies. */
  async lookUp(signal: AbortSignal): Promise<{ ttl: number; renewable: boolean; policies: string[] }> {
    const data = await this.lookUpSelf(await this.token(), signal);
    const policies = Array.isArray(data['policies']) ? data['policies'].map(String) : [];
    return { ttl: Number(data['ttl'] ?? 0), renewable: data['renewable'] === true, policies };
  }

  destroy(): void {
    this.destroyed = true;
    this.drop();
  }

  private drop(): void {
    clearTimeout(this.timer);
    this.grant = undefined;
    this.goodUntil = -Infinity;
  }

  private logIn(): Promise<Grant> {
    this.login ??= this.obtain().finally(() => (this.login = undefined));
    return this.login;
  }

  private async obtain(): Promise<Grant> {
    const grant =
      this.credentials.type === 'token'
        ? await this.adoptToken(this.credentials)
        : await this.appRoleLogin(this.credentials);
    this.accept(grant);
    return grant;
  }

  private accept(grant: Grant): void {
    if (this.destroyed) {
      return;
    }
    clearTimeout(this.timer);
    this.grant = grant;
    if (grant.expiresAt !== Infinity) {
      this.schedule((grant.expiresAt - this.now()) * RENEW_AT);
    }
  }

  private schedule(milliseconds: number): void {
    this.timer = setTimeout(() => void this.keepAlive(), Math.min(MAX_TIMER, Math.max(MIN_RETRY, milliseconds)));
    this.timer.unref();
  }

  private async keepAlive(): Promise<void> {
    const { grant } = this;
    if (!grant || this.destroyed) {
      return;
    }
    try {
      const renewed = grant.renewable ? await this.renew(grant) : undefined;
      if (this.grant !== grant) {
        return;
      }
      if (renewed) {
        this.accept(renewed);
      } else if (this.canLogInAgain) {
        await this.logIn();
      } else if (this.now() >= grant.expiresAt) {
        this.drop();
      }
    } catch (error) {
      const reason = error instanceof KmsError ? error.message : 'unexpected failure';
      this.logger.warn(`${this.client.kms}: the token could not be renewed: ${reason}`);
      if (this.grant === grant && this.now() < grant.expiresAt) {
        this.schedule((grant.expiresAt - this.now()) * (1 - RENEW_AT));
      }
    }
  }

  /** Undefined when the token is not worth renewing any more. */
  private async renew(grant: Grant): Promise<Grant | undefined> {
    try {
      const signal = AbortSignal.timeout(this.timeout);
      const answer = await this.client.write('auth/token/renew-self', {}, { token: grant.token, signal });
      const auth = objectOf(answer['auth']);
      const ttl = Number(auth['lease_duration'] ?? 0);
      if (this.canLogInAgain && ttl < grant.firstTtl * WORN_OUT) {
        return undefined;
      }
      return { ...grant, renewable: auth['renewable'] === true, expiresAt: this.expiry(ttl) };
    } catch (error) {
      if (this.canLogInAgain && error instanceof KmsError && !error.retryable) {
        return undefined;
      }
      throw error;
    }
  }

  private get canLogInAgain(): boolean {
    return this.credentials.type === 'approle' || this.credentials.tokenFile !== undefined;
  }

  private async adoptToken(credentials: Extract<VaultCredentials, { type: 'token' }>): Promise<Grant> {
    const token = credentials.token?.reveal() ?? (await this.readSecret('token_file', credentials.tokenFile));
    try {
      const data = await this.lookUpSelf(token, AbortSignal.timeout(this.timeout));
      const ttl = Number(data['ttl'] ?? 0);
      return { token, renewable: data['renewable'] === true, firstTtl: ttl, expiresAt: this.expiry(ttl) };
    } catch (error) {
      if (!(error instanceof KmsError) || error.kind !== 'kms-access-denied') {
        throw error;
      }
      if (error.cause instanceof Error && error.cause.message.includes('invalid token')) {
        throw this.refused('did not accept the token', error);
      }
      // A token without the default policy may not look itself up and can be good for everything else.
      return { token, renewable: false, firstTtl: 0, expiresAt: Infinity };
    }
  }

  private async appRoleLogin(credentials: Extract<VaultCredentials, { type: 'approle' }>): Promise<Grant> {
    const secretId =
      credentials.secretId?.reveal() ?? (await this.readSecret('auth_approle_secret_file', credentials.secretIdFile));
    const answer = await this.client
      .write(
        `auth/${credentials.mount}/login`,
        { role_id: credentials.roleId, secret_id: secretId },
        { signal: AbortSignal.timeout(this.timeout) },
      )
      .catch((error: unknown) => {
        throw error instanceof KmsError && !error.retryable ? this.refused('refused the AppRole login', error) : error;
      });
    const auth = objectOf(answer['auth']);
    const token = auth['client_token'];
    if (typeof token !== 'string' || token === '') {
      throw new KmsError('kms-protocol', `${this.client.kms} answered the login without a token`);
    }
    const ttl = Number(auth['lease_duration'] ?? 0);
    return { token, renewable: auth['renewable'] === true, firstTtl: ttl, expiresAt: this.expiry(ttl) };
  }

  private async isGood(token: string): Promise<boolean> {
    try {
      await this.lookUpSelf(token, AbortSignal.timeout(this.timeout));
      this.goodUntil = this.now() + VERDICT_STANDS;
      return true;
    } catch (error) {
      if (error instanceof KmsError && error.kind === 'kms-access-denied') {
        return false;
      }
      throw error;
    }
  }

  private async lookUpSelf(token: string, signal: AbortSignal): Promise<Readonly<Record<string, unknown>>> {
    return objectOf((await this.client.read('auth/token/lookup-self', { token, signal }))['data']);
  }

  private expiry(ttlSeconds: number): number {
    return ttlSeconds > 0 ? this.now() + ttlSeconds * 1_000 : Infinity;
  }

  private async readSecret(field: string, path: string | undefined): Promise<string> {
    try {
      return (await readFile(path ?? '', 'utf8')).trim();
    } catch (cause) {
      throw new KmsError('kms-unauthenticated', `${this.client.kms}: the file of ${field} cannot be read`, {
        cause,
        remedy: `Make the file readable, or correct ${field}.`,
      });
    }
  }

  private refused(text: string, cause?: unknown): KmsError {
    const inner = cause instanceof KmsError && cause.cause !== undefined ? cause.cause : cause;
    const remedy =
      this.credentials.type === 'approle'
        ? 'Check auth_approle_id and auth_approle_secret; issue a new secret id if the old one has expired or is used up.'
        : 'Set a new token.';
    return new KmsError('kms-unauthenticated', `${this.client.kms} ${text}`, { cause: inner, remedy });
  }
}
