import { Logger } from '@nestjs/common';
import { Secret } from '../../common/secret';
import { KmsError } from '../kms-error';
import { VaultAuth } from './vault-auth';
import type { VaultClient } from './vault-client';
import type { VaultCredentials } from './vault-connection-settings';

Logger.overrideLogger(false);

const APPROLE: VaultCredentials = { type: 'approle', roleId: 'role', secretId: new Secret('secret'), mount: 'approle' };
const TOKEN: VaultCredentials = { type: 'token', token: new Secret('static') };

/** A client whose logins give t1, t2, … of a fixed life. */
class ScriptedClient {
  readonly kms = 'vault:test';
  readonly paths: string[] = [];
  logins = 0;
  ttl = 100;
  renewedTtl = 100;
  renewable = true;
  failure: KmsError | undefined;

  write(path: string): Promise<Record<string, unknown>> {
    this.paths.push(path);
    if (this.failure) {
      return Promise.reject(this.failure);
    }
    const login = path.endsWith('/login');
    const auth = {
      client_token: login ? `t${++this.logins}` : undefined,
      lease_duration: login ? this.ttl : this.renewedTtl,
      renewable: this.renewable,
    };
    return Promise.resolve({ auth });
  }

  read(path: string): Promise<Record<string, unknown>> {
    this.paths.push(path);
    return Promise.resolve({ data: { ttl: this.ttl, renewable: this.renewable, policies: ['default'] } });
  }
}

describe('VaultAuth', () => {
  let client: ScriptedClient;
  let auth: VaultAuth;

  const start = (credentials: VaultCredentials): void => {
    auth = new VaultAuth(client as unknown as VaultClient, credentials, 1_000);
  };

  beforeEach(() => {
    jest.useFakeTimers();
    client = new ScriptedClient();
  });

  afterEach(() => {
    auth.destroy();
    jest.useRealTimers();
  });

  it('renews at a part of the life, again and again, and keeps the token', async () => {
    start(APPROLE);
    expect(await auth.token()).toBe('t1');
    await jest.advanceTimersByTimeAsync(59_000);
    expect(client.paths).toEqual(['auth/approle/login']);
    await jest.advanceTimersByTimeAsync(2_000);
    expect(client.paths).toEqual(['auth/approle/login', 'auth/token/renew-self']);
    await jest.advanceTimersByTimeAsync(60_000);
    expect(client.paths.filter((path) => path.endsWith('renew-self'))).toHaveLength(2);
    expect(await auth.token()).toBe('t1');
  });

  it('logs in anew when renewals grant little, because the token nears its maximum age', async () => {
    start(APPROLE);
    await auth.token();
    client.renewedTtl = 20;
    await jest.advanceTimersByTimeAsync(61_000);
    expect(await auth.token()).toBe('t2');
  });

  it('logs in anew when the token cannot be renewed', async () => {
    client.renewable = false;
    start(APPROLE);
    await auth.token();
    await jest.advanceTimersByTimeAsync(61_000);
    expect(await auth.token()).toBe('t2');
    expect(client.paths).not.toContain('auth/token/renew-self');
  });

  it('keeps trying while Vault is away, and recovers before or after the token has run out', async () => {
    start(APPROLE);
    await auth.token();
    client.failure = new KmsError('kms-unavailable', 'down');
    await jest.advanceTimersByTimeAsync(90_000);
    expect(await auth.token()).toBe('t1');
    expect(client.paths.length).toBeGreaterThan(2);
    await jest.advanceTimersByTimeAsync(20_000);
    await expect(auth.token()).rejects.toMatchObject({ kind: 'kms-unavailable' });
    client.failure = undefined;
    expect(await auth.token()).toBe('t2');
  });

  it('renews a static token as well', async () => {
    start(TOKEN);
    expect(await auth.token()).toBe('static');
    await jest.advanceTimersByTimeAsync(61_000);
    expect(client.paths).toEqual(['auth/token/lookup-self', 'auth/token/renew-self']);
  });

  it('sets no timer for a token that lives for ever', async () => {
    client.ttl = 0;
    start(TOKEN);
    await auth.token();
    expect(jest.getTimerCount()).toBe(0);
  });

  it('stops renewing when it is destroyed', async () => {
    start(APPROLE);
    await auth.token();
    auth.destroy();
    await jest.advanceTimersByTimeAsync(200_000);
    expect(client.paths).toEqual(['auth/approle/login']);
  });
});
