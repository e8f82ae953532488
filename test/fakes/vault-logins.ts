import type { TokenOptions } from './vault-tokens';
import { VaultFault } from './vault-transit';

interface LoginRequest {
  readonly method: string;
  readonly path: string;
  readonly body: Readonly<Record<string, unknown>>;
  readonly commonName: string | undefined;
}

interface JwtRole {
  readonly jwt: string;
  readonly token: TokenOptions;
}

interface CertRole {
  readonly commonName: string;
  readonly token: TokenOptions;
}

/** The Kubernetes, JWT and TLS certificate auth methods of the scripted Vault. */
export class FakeLogins {
  private readonly jwtRoles = new Map<string, JwtRole>();
  private readonly certRoles = new Map<string, CertRole>();
  private readonly jwtMounts = new Set<string>();

  addJwtRole(mount: string, role: string, jwt: string, token: TokenOptions): void {
    this.jwtMounts.add(mount);
    this.jwtRoles.set(`${mount}:${role}`, { jwt, token });
  }

  addCertRole(role: string, commonName: string, token: TokenOptions): void {
    this.certRoles.set(role, { commonName, token });
  }

  /** The token that a login grants; undefined when the request is no login of these methods. */
  logIn(request: LoginRequest): TokenOptions | undefined {
    const mount = /^auth\/(.+)\/login$/.exec(request.path)?.[1];
    if (mount === undefined || (request.method !== 'POST' && request.method !== 'PUT')) {
      return undefined;
    }
    if (this.jwtMounts.has(mount)) {
      return this.jwt(mount, request.body);
    }
    return mount === 'cert' && this.certRoles.size > 0 ? this.certificate(request) : undefined;
  }

  private jwt(mount: string, { role, jwt }: LoginRequest['body']): TokenOptions {
    if (typeof role !== 'string' || role === '') {
      throw new VaultFault(400, ['missing role']);
    }
    const known = this.jwtRoles.get(`${mount}:${role}`);
    if (!known) {
      throw new VaultFault(400, [`role "${role}" could not be found`]);
    }
    if (jwt !== known.jwt) {
      throw mount === 'kubernetes'
        ? new VaultFault(403, ['permission denied'])
        : new VaultFault(400, ['error validating token: invalid signature']);
    }
    return known.token;
  }

  private certificate({ body, commonName }: LoginRequest): TokenOptions {
    if (commonName === undefined) {
      throw new VaultFault(400, ['client certificate must be supplied']);
    }
    const named = body['name'];
    const roles = [...this.certRoles].filter(([name]) => named === undefined || name === named);
    const role = roles.find(([, each]) => each.commonName === commonName);
    if (!role) {
      throw new VaultFault(400, ['invalid certificate or no client certificate supplied']);
    }
    return role[1].token;
  }
}
