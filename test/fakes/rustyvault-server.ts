import { randomUUID } from 'node:crypto';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { createListVerbGateway, LIST_METHOD } from './list-verb';
import { FakeKv } from './vault-kv';
import { FakeTokens, type FakeToken } from './vault-tokens';
import { VaultFault } from './vault-transit';

/** The handle tests hold on a running scripted RustyVault. */
export interface FakeRustyVault {
  readonly url: string;
  readonly rootToken: string;
  /** `METHOD path` of every request in order of arrival. */
  readonly requests: readonly string[];
  /** A role of the AppRole method, with one secret id. @param ttl of its tokens, in seconds */
  createRole(ttl: number): { roleId: string; secretId: string };
  revokeAllTokens(): void;
  seal(): void;
  close(): Promise<void>;
}

/**
 * Starts a scripted RustyVault, as its source has it: KV of version 1 at `secret`, lists by the method LIST alone, `{"error"}`
 * instead of `{"errors"}`, mounts without an envelope, HTTP 500 for most failures, an empty answer for what is not there, no sys/health,
 * sys/capabilities-self or auth/token/renew-self.
 */
export async function startRustyVaultServer(): Promise<FakeRustyVault> {
  const vault = new RustyVaultServer();
  await vault.listen();
  return vault;
}

class RustyVaultServer implements FakeRustyVault {
  url = '';
  readonly rootToken: string;
  readonly requests: string[] = [];
  private readonly tokens = new FakeTokens(() => Date.now());
  private readonly kv = new FakeKv('1');
  private readonly server: Server;
  private readonly gateway = createListVerbGateway(() => (this.server.address() as AddressInfo).port);
  private sealed = false;

  constructor() {
    this.rootToken = this.tokens.create({ policies: ['root'] }).id;
    this.server = createServer((request, response) => void this.handle(request, response));
  }

  async listen(): Promise<void> {
    await new Promise<void>((resolve) => this.server.listen(0, '127.0.0.1', resolve));
    await new Promise<void>((resolve) => this.gateway.listen(0, '127.0.0.1', resolve));
    this.url = `http://127.0.0.1:${(this.gateway.address() as AddressInfo).port}`;
  }

  async close(): Promise<void> {
    this.gateway.closeAllConnections();
    this.server.closeAllConnections();
    await new Promise<void>((resolve) => this.gateway.close(() => resolve()));
    await new Promise<void>((resolve) => this.server.close(() => resolve()));
  }

  createRole(ttl: number): { roleId: string; secretId: string } {
    const [roleId, secretId] = ['role-id', 'secret-id'];
    this.tokens.roles.set(roleId, { roleId, secretIds: new Set([secretId]), token: { ttl, policies: ['root'] } });
    return { roleId, secretId };
  }

  revokeAllTokens(): void {
    this.tokens.revokeAll();
  }

  seal(): void {
    this.sealed = true;
  }

  private async handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const method = request.method === LIST_METHOD ? 'LIST' : (request.method ?? '');
    const path = (request.url ?? '').replace(/^\/v1\//, '').replace(/\?.*$/, '');
    this.requests.push(`${method} ${path}`);
    try {
      const chunks: Buffer[] = [];
      for await (const chunk of request) {
        chunks.push(chunk as Buffer);
      }
      const text = Buffer.concat(chunks).toString('utf8');
      const body = (text === '' ? {} : JSON.parse(text)) as Readonly<Record<string, unknown>>;
      const answer = this.route(method, path, body, String(request.headers['x-vault-token'] ?? ''));
      send(response, answer === undefined ? 204 : 200, answer);
    } catch (error) {
      const fault = error instanceof VaultFault ? error : new VaultFault(500, ['Unknown error.']);
      send(response, fault.status, fault.errors.length === 0 ? undefined : { error: fault.errors[0] });
    }
  }

  private route(method: string, path: string, body: Readonly<Record<string, unknown>>, tokenId: string): unknown {
    if (path === 'sys/seal-status') {
      return { sealed: this.sealed, t: 5, n: 3, progress: 0 };
    }
    if (path === 'sys/health' || path === 'sys/capabilities-self') {
      throw new VaultFault(404, []);
    }
    if (this.sealed) {
      throw new VaultFault(503, ['RustyVault is sealed.']);
    }
    if (path === 'auth/approle/login') {
      return this.login(body);
    }
    const token = this.tokens.find(tokenId);
    if (!token) {
      throw new VaultFault(403, ['Permission denied.']);
    }
    if (path.startsWith('auth/token/')) {
      return tokenPath(path, token);
    }
    if (path === 'sys/internal/ui/mounts/secret') {
      return {
        path: 'secret/',
        type: 'kv',
        options: null,
        description: 'key/value secret storage',
        uuid: randomUUID(),
      };
    }
    if (!path.startsWith('secret/')) {
      throw new VaultFault(404, ['Router mount not found.']);
    }
    return this.secret(method, path.slice('secret/'.length), body);
  }

  private login(body: Readonly<Record<string, unknown>>): unknown {
    const role = this.tokens.roles.get(String(body['role_id']));
    if (!role) {
      throw new VaultFault(500, ['invalid role_id']);
    }
    if (!role.secretIds.has(String(body['secret_id']))) {
      throw new VaultFault(500, ['invalid secret id']);
    }
    const token = this.tokens.create(role.token);
    const auth = { client_token: token.id, policies: token.policies, metadata: {}, lease_duration: token.ttl };
    return { ...logical({}), auth: { ...auth, renewable: true } };
  }

  private secret(method: string, path: string, body: Readonly<Record<string, unknown>>): unknown {
    switch (method) {
      case 'GET':
        return logical(this.kv.read(path));
      case 'PUT':
      case 'POST':
        this.kv.write(path, body);
        return undefined;
      case 'DELETE':
        this.kv.remove(path);
        return undefined;
      case 'LIST':
        return logical({ keys: this.kv.list(path) });
      default:
        throw new VaultFault(405, []);
    }
  }
}

function tokenPath(path: string, token: FakeToken): unknown {
  if (path !== 'auth/token/lookup-self') {
    throw new VaultFault(500, ['Logical backend path not supported.']);
  }
  return logical({ id: token.id, policies: token.policies, ttl: token.ttl, renewable: token.renewable });
}

function logical(data: Readonly<Record<string, unknown>>): Readonly<Record<string, unknown>> {
  return { renewable: false, lease_id: '', lease_duration: 0, auth: null, data };
}

function send(response: ServerResponse, status: number, body: unknown): void {
  response.setHeader('Content-Type', 'application/json');
  response.writeHead(status).end(body === undefined ? undefined : JSON.stringify(body));
}
