import { Logger } from '@nestjs/common';
import { KmsError } from '../kms-error';
import { kmsTokenExpiry } from '../kms.metrics';
import { objectOf, type VaultClient } from './vault-client';
import type { VaultCredentials } from './vault-connection-settings';
import { VaultLogin, type VaultGrant } from './vault-login';

/** Part of a token's life after which it is renewed. */
const RENEW_AT = 0.6;
/** A renewal that grants less than this part of the first grant has hit the token's maximum age. */
const WORN_OUT = 0.5;
const MAX_TIMER = 2 ** 31 - 1;
const MIN_RETRY = 250;
/** Milliseconds a verdict about a token stands, so that a wave of refusals does not become a wave of look-ups or logins. */
const VERDICT_STANDS = 5_000;
/** Milliseconds between two looks at a token file. */
const FILE_CHECK = 5_000;

/**
 * Holds a valid token: logs in when one is first needed, renews it in time, logs in again when it has worn out or was
 * revoked. However many calls need a token, one login is under way at a time.
 */
export class VaultAuth {
  private readonly logger = new Logger(VaultAuth.name);
  private grant: VaultGrant | undefined;
  private pending: Promise<VaultGrant> | undefined;
  private timer: NodeJS.Timeout | undefined;
  private goodUntil = -Infinity;
  private fileCheckedAt = -Infinity;
  private readonly login: VaultLogin;
  private destroyed = false;

  /**
   * @param timeout milliseconds for a login or renewal
   * @param now monotonic milliseconds
   */
  constructor(
    private readonly client: VaultClient,
    credentials: VaultCredentials,
    private readonly timeout: number,
    private readonly now: () => number = () => performance.now(),
  ) {
    this.login = new VaultLogin(client, credentials, timeout, now);
  }

  /**
   * Returns a token that is valid as far as one can know without asking.
   * @throws KmsError `kms-unauthenticated` when the login is refused
   */
  async token(): Promise<string> {
    await this.adoptReplacedFile();
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
      throw this.login.refused(
        'did not accept the token (revoked, expired or unknown), or the token lacks the permission',
      );
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

  private logIn(): Promise<VaultGrant> {
    this.pending ??= this.obtain().finally(() => (this.pending = undefined));
    return this.pending;
  }

  private async obtain(): Promise<VaultGrant> {
    const grant = await this.login.obtain();
    this.fileCheckedAt = this.now();
    this.accept(grant);
    return grant;
  }

  private accept(grant: VaultGrant): void {
    if (this.destroyed) {
      return;
    }
    clearTimeout(this.timer);
    this.grant = grant;
    if (grant.expiresAt !== Infinity) {
      this.tellExpiry(grant);
      this.schedule((grant.expiresAt - this.now()) * RENEW_AT);
    }
  }

  private tellExpiry({ expiresAt }: VaultGrant): void {
    const [provider = '', target = ''] = this.client.kms.split(':');
    kmsTokenExpiry.set({ provider, target }, (Date.now() + expiresAt - this.now()) / 1_000);
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
      } else if (this.login.repeatable) {
        await this.logIn();
      } else if (this.now() >= grant.expiresAt) {
        this.drop();
      }
    } catch (error) {
      this.logger.warn(`${this.client.kms}: the token could not be renewed: ${reasonOf(error)}`);
      if (this.grant === grant && this.now() < grant.expiresAt) {
        this.schedule((grant.expiresAt - this.now()) * (1 - RENEW_AT));
      }
    }
  }

  /** Undefined when the token is not worth renewing any more. */
  private async renew(grant: VaultGrant): Promise<VaultGrant | undefined> {
    try {
      const signal = AbortSignal.timeout(this.timeout);
      const answer = await this.client.write('auth/token/renew-self', {}, { token: grant.token, signal });
      const auth = objectOf(answer['auth']);
      const ttl = Number(auth['lease_duration'] ?? 0);
      if (this.login.repeatable && ttl < grant.firstTtl * WORN_OUT) {
        return undefined;
      }
      return { ...grant, renewable: auth['renewable'] === true, expiresAt: this.login.expiry(ttl) };
    } catch (error) {
      if (this.login.repeatable && error instanceof KmsError && !error.retryable) {
        return undefined;
      }
      if (error instanceof KmsError && error.kind === 'kms-unsupported') {
        return { ...grant, renewable: false };
      }
      throw error;
    }
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

  /** A token file is looked at now and then; while its new token does not work, the old one is kept. */
  private async adoptReplacedFile(): Promise<void> {
    if (!this.grant || this.now() - this.fileCheckedAt < FILE_CHECK) {
      return;
    }
    this.fileCheckedAt = this.now();
    if (await this.login.hasNewToken()) {
      await this.logIn().catch((error: unknown) => {
        this.logger.warn(`${this.client.kms}: the new token in token_file cannot be used: ${reasonOf(error)}`);
      });
    }
  }
}

function reasonOf(error: unknown): string {
  return error instanceof KmsError ? error.message : 'unexpected failure';
}
