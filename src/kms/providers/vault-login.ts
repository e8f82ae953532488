import { KmsError } from '../kms-error';
import { SecretFile } from './secret-file';
import { objectOf, type VaultClient, type VaultObject } from './vault-client';
import type { VaultCredentials } from './vault-connection-settings';

/** A token and how long it is good for. */
export interface VaultGrant {
  readonly token: string;
  readonly renewable: boolean;
  /** Seconds of the first grant; 0 when the token does not expire. */
  readonly firstTtl: number;
  /** Monotonic milliseconds. */
  readonly expiresAt: number;
}

/** What to log in with, as it is sent, with files read anew. */
interface LoginRequest {
  readonly mount: string;
  readonly body: VaultObject;
}

const REMEDIES: Readonly<Record<VaultCredentials['type'], string>> = {
  token: 'Set a new token.',
  approle:
    'Check auth_approle_id and auth_approle_secret; issue a new secret id if the old one has expired or is used up.',
  kubernetes:
    'Check auth_kubernetes_role, and that the role is bound to this service account, its namespace and the audience of its token.',
  jwt: 'Check auth_jwt_role, and that the token has not expired and fits the audience, subject and claims of the role.',
  cert: 'Check that the auth method trusts the authority of client_cert_file, and that the certificate fits auth_cert_role.',
};

/** Ways to a token: one that is given, or a login whose secrets are read anew each time. */
export class VaultLogin {
  private readonly file: SecretFile | undefined;

  /**
   * @param timeout milliseconds for a login
   * @param now monotonic milliseconds
   */
  constructor(
    private readonly client: VaultClient,
    private readonly credentials: VaultCredentials,
    private readonly timeout: number,
    private readonly now: () => number,
  ) {
    this.file = secretFile(client.kms, credentials);
  }

  /** Whether doing it again can give another token. */
  get repeatable(): boolean {
    return this.credentials.type !== 'token' || this.credentials.tokenFile !== undefined;
  }

  /** Whether a token file has been replaced since the token was read. */
  async hasNewToken(): Promise<boolean> {
    return this.credentials.type === 'token' && (await this.file?.hasChanged()) === true;
  }

  /** @throws KmsError `kms-unauthenticated` when the credentials are refused */
  async obtain(): Promise<VaultGrant> {
    if (this.credentials.type === 'token') {
      return this.adoptToken(this.credentials.token?.reveal() ?? (await this.readFile()));
    }
    const { mount, body } = await this.request(this.credentials);
    const answer = await this.client
      .write(`auth/${mount}/login`, body, { signal: AbortSignal.timeout(this.timeout) })
      .catch((error: unknown) => {
        const refused = error instanceof KmsError && !error.retryable && error.kind !== 'kms-not-configured';
        throw refused ? this.refused(`refused the ${this.credentials.type} login`, error) : error;
      });
    const auth = objectOf(answer['auth']);
    const token = auth['client_token'];
    if (typeof token !== 'string' || token === '') {
      throw new KmsError('kms-protocol', `${this.client.kms} answered the login without a token`);
    }
    const ttl = Number(auth['lease_duration'] ?? 0);
    return { token, renewable: auth['renewable'] === true, firstTtl: ttl, expiresAt: this.expiry(ttl) };
  }

  /** When a token granted now for some seconds runs out; 0 seconds are for ever. */
  expiry(ttlSeconds: number): number {
    return ttlSeconds > 0 ? this.now() + ttlSeconds * 1_000 : Infinity;
  }

  refused(text: string, cause?: unknown): KmsError {
    const inner = cause instanceof KmsError && cause.cause !== undefined ? cause.cause : cause;
    const remedy = REMEDIES[this.credentials.type];
    return new KmsError('kms-unauthenticated', `${this.client.kms} ${text}`, { cause: inner, remedy });
  }

  private async request(credentials: Exclude<VaultCredentials, { type: 'token' }>): Promise<LoginRequest> {
    const { mount } = credentials;
    switch (credentials.type) {
      case 'approle': {
        const secretId = credentials.secretId?.reveal() ?? (await this.readFile());
        return { mount, body: { role_id: credentials.roleId, secret_id: secretId } };
      }
      case 'kubernetes':
      case 'jwt':
        return { mount, body: { role: credentials.role, jwt: credentials.jwt?.reveal() ?? (await this.readFile()) } };
      case 'cert':
        return { mount, body: credentials.role === undefined ? {} : { name: credentials.role } };
    }
  }

  private async adoptToken(token: string): Promise<VaultGrant> {
    try {
      const signal = AbortSignal.timeout(this.timeout);
      const data = objectOf((await this.client.read('auth/token/lookup-self', { token, signal }))['data']);
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

  private async readFile(): Promise<string> {
    return (await this.file?.read()) ?? '';
  }
}

function secretFile(kms: string, credentials: VaultCredentials): SecretFile | undefined {
  const [field, path] = fileOf(credentials);
  return path === undefined ? undefined : new SecretFile(kms, field, path);
}

function fileOf(credentials: VaultCredentials): readonly [field: string, path: string | undefined] {
  switch (credentials.type) {
    case 'token':
      return ['token_file', credentials.tokenFile];
    case 'approle':
      return ['auth_approle_secret_file', credentials.secretIdFile];
    case 'kubernetes':
      return ['auth_kubernetes_jwt_file', credentials.jwtFile];
    case 'jwt':
      return ['auth_jwt_file', credentials.jwtFile];
    case 'cert':
      return ['', undefined];
  }
}
