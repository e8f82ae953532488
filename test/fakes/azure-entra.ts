import { randomBytes, randomUUID, verify } from 'node:crypto';
import type { ScriptedAnswer, ScriptedRequest } from './scripted-server';

/** Why Entra ID refuses to sign in, as its error codes. */
export type SignInFault = 'AADSTS7000215' | 'AADSTS7000222' | 'AADSTS700016';

const DESCRIPTIONS: Readonly<Record<SignInFault, string>> = {
  AADSTS7000215: 'Invalid client secret provided.',
  AADSTS7000222: 'The provided client secret keys are expired.',
  AADSTS700016: 'Application was not found in the directory.',
};

/** The part of Entra ID that gives applications tokens: discovery and the token endpoint of one tenant. */
export class FakeEntra {
  readonly tenantId = randomUUID();
  readonly clientId = randomUUID();
  readonly clientSecret = randomBytes(20).toString('hex');
  /** PEM of the certificate registered with the application. */
  certificate?: string;
  /** What tokens are for. */
  readonly resource = 'https://vault.azure.net';
  /** How many tokens were given. */
  issued = 0;
  private readonly tokens = new Set<string>();
  private fault: SignInFault | undefined;

  /** Answers requests for tokens; undefined for any other. */
  answer({ method, path, body }: ScriptedRequest, url: string): ScriptedAnswer | undefined {
    const base = `${url}/${this.tenantId}`;
    if (method === 'GET' && path.endsWith('/.well-known/openid-configuration')) {
      return {
        status: 200,
        body: {
          token_endpoint: `${base}/oauth2/v2.0/token`,
          authorization_endpoint: `${base}/oauth2/v2.0/authorize`,
          issuer: `${base}/v2.0`,
          jwks_uri: `${base}/discovery/v2.0/keys`,
        },
      };
    }
    return method === 'POST' && path === `/${this.tenantId}/oauth2/v2.0/token`
      ? this.token(new URLSearchParams(body.toString('utf8')))
      : undefined;
  }

  accepts(authorization: string | undefined): boolean {
    return this.tokens.has(authorization?.replace(/^Bearer /, '') ?? '');
  }

  /** Refuses to sign in anybody from now on; undefined signs in again whoever has the right credentials. */
  refuse(fault: SignInFault | undefined): void {
    this.fault = fault;
  }

  revokeTokens(): void {
    this.tokens.clear();
  }

  private token(form: URLSearchParams): ScriptedAnswer {
    const fault = this.fault ?? this.check(form);
    if (fault) {
      const description = `${fault}: ${DESCRIPTIONS[fault]} Trace ID: ${randomUUID()}`;
      const error_codes = [Number(fault.slice('AADSTS'.length))];
      return { status: 401, body: { error: 'invalid_client', error_description: description, error_codes } };
    }
    if (form.get('grant_type') !== 'client_credentials' || !form.get('scope')?.includes(`${this.resource}/.default`)) {
      return { status: 400, body: { error: 'invalid_scope', error_description: 'AADSTS70011: wrong scope' } };
    }
    const token = randomBytes(24).toString('base64url');
    this.tokens.add(token);
    this.issued++;
    return { status: 200, body: { token_type: 'Bearer', expires_in: 3_599, access_token: token } };
  }

  private check(form: URLSearchParams): SignInFault | undefined {
    if (form.get('client_id') !== this.clientId) {
      return 'AADSTS700016';
    }
    const assertion = form.get('client_assertion');
    const good = assertion === null ? form.get('client_secret') === this.clientSecret : this.verifies(assertion);
    return good ? undefined : 'AADSTS7000215';
  }

  private verifies(assertion: string): boolean {
    const [header = '', payload = '', signature = ''] = assertion.split('.');
    const { alg } = JSON.parse(Buffer.from(header, 'base64url').toString('utf8')) as { alg: string };
    const key = { key: this.certificate ?? '', ...(alg === 'PS256' ? { padding: 6, saltLength: 32 } : {}) };
    return verify('sha256', Buffer.from(`${header}.${payload}`), key, Buffer.from(signature, 'base64url'));
  }
}
