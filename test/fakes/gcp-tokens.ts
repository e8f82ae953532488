import { createPublicKey, generateKeyPairSync, type KeyPairKeyObjectResult, randomBytes, verify } from 'node:crypto';
import type { ScriptedAnswer, ScriptedRequest } from './scripted-server';

const SCOPES: ReadonlySet<string> = new Set([
  'https://www.googleapis.com/auth/cloud-platform',
  'https://www.googleapis.com/auth/cloudkms',
]);
const CLOCK_TOLERANCE = 60;
const LONGEST_LIFE = 3_600;
const EXCHANGE = 'urn:ietf:params:oauth:grant-type:token-exchange';

type KeyPair = KeyPairKeyObjectResult;
const makeKeyPair = (): KeyPair => generateKeyPairSync('rsa', { modulusLength: 2048 });
let sharedKeyPair: KeyPair | undefined;

/**
 * Google's side of credentials: a service account whose self-signed tokens (AIP-4111) are verified, and a security token
 * service that exchanges the subject token of a workload (RFC 8693).
 */
export class GcpTokens {
  readonly email = 'strongroom@fake-project.iam.gserviceaccount.com';
  readonly subjectToken = randomBytes(16).toString('hex');
  private readonly keyId = randomBytes(20).toString('hex');
  private readonly pair: KeyPair;
  private readonly issued = new Set<string>();
  private revoked = false;

  /** @param ownKey another key for the service account than the one that is made once and shared, as making it takes long */
  constructor(ownKey = false) {
    this.pair = ownKey ? makeKeyPair() : (sharedKeyPair ??= makeKeyPair());
  }

  /** The key file of the service account, as JSON text. */
  get serviceAccount(): string {
    return JSON.stringify({
      type: 'service_account',
      project_id: 'fake-project',
      private_key_id: this.keyId,
      private_key: this.pair.privateKey.export({ type: 'pkcs8', format: 'pem' }),
      client_email: this.email,
    });
  }

  /**
   * Credentials of a workload outside of Google.
   * @param url address of the scripted server
   * @param file where the subject token is
   */
  workload(url: string, file: string): string {
    return JSON.stringify({
      type: 'external_account',
      audience: '//iam.googleapis.com/projects/1/locations/global/workloadIdentityPools/pool/providers/provider',
      subject_token_type: 'urn:ietf:params:oauth:token-type:jwt',
      token_url: `${url}/v1/token`,
      credential_source: { file },
    });
  }

  revoke(revoked = true): void {
    this.revoked = revoked;
    this.issued.clear();
  }

  accepts(authorization: string | undefined): boolean {
    const token = /^Bearer (\S+)$/.exec(authorization ?? '')?.[1] ?? '';
    return !this.revoked && (this.issued.has(token) || this.isSelfSigned(token));
  }

  /** `POST /v1/token` */
  exchange({ body, headers }: ScriptedRequest): ScriptedAnswer {
    const form = new URLSearchParams(body.toString('utf8'));
    if (!String(headers['content-type']).startsWith('application/x-www-form-urlencoded')) {
      return { status: 400, body: { error: 'invalid_request' } };
    }
    if (form.get('grant_type') !== EXCHANGE || form.get('subject_token') !== this.subjectToken || this.revoked) {
      return { status: 400, body: { error: 'invalid_grant', error_description: 'The subject token is not accepted.' } };
    }
    const token = randomBytes(16).toString('hex');
    this.issued.add(token);
    const answer = {
      access_token: token,
      issued_token_type: 'urn:ietf:params:oauth:token-type:access_token',
      token_type: 'Bearer',
      expires_in: LONGEST_LIFE,
    };
    return { status: 200, body: answer };
  }

  private isSelfSigned(token: string): boolean {
    const [head = '', claims = '', signature = ''] = token.split('.');
    const header = decode(head);
    const { iss, sub, scope, iat, exp } = decode(claims);
    const now = Date.now() / 1_000;
    const [from, until] = [Number(iat), Number(exp)];
    return (
      header['alg'] === 'RS256' &&
      header['kid'] === this.keyId &&
      iss === this.email &&
      sub === this.email &&
      String(scope)
        .split(' ')
        .some((each) => SCOPES.has(each)) &&
      from <= now + CLOCK_TOLERANCE &&
      until > now &&
      until - from <= LONGEST_LIFE &&
      verify(
        'RSA-SHA256',
        Buffer.from(`${head}.${claims}`),
        createPublicKey(this.pair.publicKey.export({ type: 'spki', format: 'pem' })),
        Buffer.from(signature, 'base64url'),
      )
    );
  }
}

function decode(part: string): Readonly<Record<string, unknown>> {
  try {
    return JSON.parse(Buffer.from(part, 'base64url').toString('utf8')) as Record<string, unknown>;
  } catch {
    return {};
  }
}
