import { randomUUID } from 'node:crypto';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { drip } from './drip';
import { createListVerbGateway, LIST_METHOD } from './list-verb';
import { FakeKv } from './vault-kv';
import {
  allow,
  commonNameOf,
  headerOf,
  readJson,
  success,
  UNSUPPORTED,
  type Answer,
  type RecordedRequest,
} from './vault-http';
import { FakeLogins } from './vault-logins';
import { FakeTokens, type FakeToken, type PolicyRules, type TokenOptions } from './vault-tokens';
import { FakeTransit, VaultFault, type TransitKeyOptions } from './vault-transit';

/** How the scripted Vault starts. */
export interface FakeVaultOptions {
  /** 0, the default, lets the operating system choose. */
  readonly port?: number;
  readonly host?: string;
  /** Serves https; with `ca` it demands a client certificate of that authority. */
  readonly tls?: { readonly cert: string; readonly key: string; readonly ca?: string };
  readonly rootToken?: string;
  /** Mount paths of transit engines; `transit` unless given. */
  readonly mounts?: readonly string[];
  /** Mount paths of KV engines and their versions. Lists by the method LIST are understood then, but TLS is not. */
  readonly kv?: Readonly<Record<string, '1' | '2'>>;
  /** Namespace the engines and AppRoles live in; requests must then carry it. */
  readonly namespace?: string;
  readonly version?: string;
}

/** What goes wrong with a request. */
export type FaultAction =
  | { readonly type: 'status'; readonly status: number; readonly errors?: readonly string[] }
  | { readonly type: 'answer'; readonly status: number; readonly text: string }
  | { readonly type: 'redirect'; readonly location: string }
  | { readonly type: 'delay'; readonly milliseconds: number }
  /** Never answers. */
  | { readonly type: 'hang' }
  /** Answers a byte at a time, without end. */
  | { readonly type: 'drip' }
  | { readonly type: 'reset' }
  /** Does what was asked and breaks the connection instead of answering. */
  | { readonly type: 'lose-answer' };

export interface Fault {
  readonly action: FaultAction;
  /** Only requests whose path (without `/v1/`) matches. */
  readonly path?: RegExp;
  /** Only requests of this method. */
  readonly method?: string;
  /** Number of requests it strikes; without end unless given. */
  readonly times?: number;
}

/** The handle tests hold on a running scripted Vault. */
export interface FakeVault {
  readonly url: string;
  readonly rootToken: string;
  /** Every request in order of arrival. */
  readonly requests: readonly RecordedRequest[];
  createKey(name: string, options?: TransitKeyOptions, mount?: string): void;
  rotateKey(name: string, mount?: string): void;
  /** `min_decryption_version`, `min_encryption_version`, `deletion_allowed`. */
  configureKey(name: string, settings: Readonly<Record<string, unknown>>, mount?: string): void;
  deleteKey(name: string, mount?: string): void;
  keyNames(mount?: string): string[];
  putPolicy(name: string, rules: PolicyRules): void;
  createToken(options?: TokenOptions): string;
  revokeToken(token: string): void;
  /** Revokes every token, the root token included. */
  revokeAllTokens(): void;
  /** A role of the AppRole method, with one secret id. */
  createRole(token?: TokenOptions): { roleId: string; secretId: string };
  addSecretId(roleId: string): string;
  /** A role of the Kubernetes or JWT method (mounts `kubernetes` and `jwt`) that accepts one token. */
  createJwtRole(mount: string, role: string, jwt: string, token?: TokenOptions): void;
  /** A role of the TLS certificate method for clients with this common name. */
  createCertRole(role: string, commonName: string, token?: TokenOptions): void;
  /** A KV engine. */
  kv(mount: string): FakeKv;
  seal(): void;
  unseal(): void;
  /** Health answers 429; requests are served all the same, as by a standby that forwards. */
  setStandby(standby: boolean): void;
  inject(fault: Fault): void;
  clearFaults(): void;
  clearRequests(): void;
  /** Lets time pass for tokens. */
  advance(milliseconds: number): void;
  /** Milliseconds by which the `Date` header is wrong. */
  setClockError(milliseconds: number): void;
  close(): Promise<void>;
}

const PERMISSION_DENIED = ['1 error occurred:\n\t* permission denied\n\n'];
const INVALID_TOKEN = ['2 errors occurred:\n\t* permission denied\n\t* invalid token\n\n'];
const ROOT_ONLY = new Set(['sys/health', 'sys/seal-status', 'sys/seal', 'sys/unseal']);

/** Starts a scripted Vault that serves transit, AppRole and the system paths an application sees. */
export async function startVaultServer(options: FakeVaultOptions = {}): Promise<FakeVault> {
  const vault = new VaultServer(options);
  await vault.listen();
  return vault;
}

class VaultServer implements FakeVault {
  url = '';
  readonly rootToken: string;
  readonly requests: RecordedRequest[] = [];
  private readonly server: Server;
  private readonly tokens: FakeTokens;
  private readonly engines: Map<string, FakeTransit>;
  private readonly kvEngines: Map<string, FakeKv>;
  private readonly logins = new FakeLogins();
  private readonly gateway = createListVerbGateway(() => (this.server.address() as AddressInfo).port);
  private faults: { readonly fault: Fault; left: number }[] = [];
  private timeShift = 0;
  private clockError = 0;
  private sealed = false;
  private standby = false;

  constructor(private readonly options: FakeVaultOptions) {
    const now = (): number => Date.now() + this.timeShift;
    this.rootToken = options.rootToken ?? `hvs.root-${randomUUID()}`;
    this.tokens = new FakeTokens(now);
    this.tokens.create({ policies: ['root'] }, this.rootToken);
    this.engines = new Map((options.mounts ?? ['transit']).map((mount) => [mount, new FakeTransit(now)]));
    this.kvEngines = new Map(Object.entries(options.kv ?? {}).map(([mount, version]) => [mount, new FakeKv(version)]));
    const listener = (request: IncomingMessage, response: ServerResponse): void => void this.handle(request, response);
    this.server = options.tls
      ? createTlsServer(
          { ...options.tls, requestCert: options.tls.ca !== undefined, rejectUnauthorized: true },
          listener,
        )
      : createServer(listener);
  }

  async listen(): Promise<void> {
    await new Promise<void>((resolve, reject) => {
      this.server.once('error', reject);
      const port = this.options.kv ? 0 : this.options.port;
      this.server.listen(port ?? 0, this.options.host ?? '127.0.0.1', resolve);
    });
    if (this.options.kv) {
      await new Promise<void>((resolve) => this.gateway.listen(this.options.port ?? 0, '127.0.0.1', resolve));
    }
    const { port } = (this.options.kv ? this.gateway : this.server).address() as AddressInfo;
    this.url = `${this.options.tls ? 'https' : 'http'}://${this.options.host ?? '127.0.0.1'}:${port}`;
  }

  async close(): Promise<void> {
    this.server.closeAllConnections();
    this.gateway.closeAllConnections();
    if (this.gateway.listening) {
      await new Promise<void>((resolve) => this.gateway.close(() => resolve()));
    }
    await new Promise<void>((resolve) => this.server.close(() => resolve()));
  }

  createKey(name: string, options?: TransitKeyOptions, mount?: string): void {
    this.engine(mount).create(name, options);
  }

  rotateKey(name: string, mount?: string): void {
    this.engine(mount).rotate(name);
  }

  configureKey(name: string, settings: Readonly<Record<string, unknown>>, mount?: string): void {
    this.engine(mount).configure(name, settings);
  }

  deleteKey(name: string, mount?: string): void {
    this.engine(mount).delete(name);
  }

  keyNames(mount?: string): string[] {
    return this.engine(mount).list();
  }

  putPolicy(name: string, rules: PolicyRules): void {
    this.tokens.putPolicy(name, rules);
  }

  createToken(options?: TokenOptions): string {
    return this.tokens.create(options).id;
  }

  revokeToken(token: string): void {
    this.tokens.revoke(token);
  }

  revokeAllTokens(): void {
    this.tokens.revokeAll();
  }

  createRole(token: TokenOptions = {}): { roleId: string; secretId: string } {
    const roleId = randomUUID();
    this.tokens.roles.set(roleId, { roleId, secretIds: new Set(), token });
    return { roleId, secretId: this.addSecretId(roleId) };
  }

  addSecretId(roleId: string): string {
    const secretId = randomUUID();
    this.tokens.roles.get(roleId)?.secretIds.add(secretId);
    return secretId;
  }

  createJwtRole(mount: string, role: string, jwt: string, token: TokenOptions = {}): void {
    this.logins.addJwtRole(mount, role, jwt, token);
  }

  createCertRole(role: string, commonName: string, token: TokenOptions = {}): void {
    this.logins.addCertRole(role, commonName, token);
  }

  kv(mount: string): FakeKv {
    const engine = this.kvEngines.get(mount);
    if (!engine) {
      throw new Error(`The scripted Vault has no KV engine at ${mount}`);
    }
    return engine;
  }

  seal(): void {
    this.sealed = true;
  }

  unseal(): void {
    this.sealed = false;
  }

  setStandby(standby: boolean): void {
    this.standby = standby;
  }

  inject(fault: Fault): void {
    this.faults.push({ fault, left: fault.times ?? Infinity });
  }

  clearFaults(): void {
    this.faults = [];
  }

  clearRequests(): void {
    this.requests.length = 0;
  }

  advance(milliseconds: number): void {
    this.timeShift += milliseconds;
  }

  setClockError(milliseconds: number): void {
    this.clockError = milliseconds;
  }

  private engine(mount = [...this.engines.keys()][0] ?? ''): FakeTransit {
    const engine = this.engines.get(mount);
    if (!engine) {
      throw new Error(`The scripted Vault has no mount ${mount}`);
    }
    return engine;
  }

  private async handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const url = new URL(request.url ?? '/', 'http://vault');
    const path = decodeURIComponent(url.pathname.replace(/^\/v1\//, ''));
    try {
      const body = await readJson(request);
      const recorded: RecordedRequest = {
        method: request.method === LIST_METHOD ? 'LIST' : (request.method ?? ''),
        commonName: commonNameOf(request),
        path,
        query: url.searchParams,
        token: headerOf(request, 'x-vault-token') ?? headerOf(request, 'authorization')?.replace(/^Bearer /, ''),
        namespace: headerOf(request, 'x-vault-namespace')?.replace(/\/$/, ''),
        headers: request.headers,
        body,
      };
      this.requests.push(recorded);
      if (await this.strike(path, response, recorded)) {
        return;
      }
      if (!url.pathname.startsWith('/v1/')) {
        throw new VaultFault(404, []);
      }
      this.send(response, this.route(recorded));
    } catch (error) {
      const fault = error instanceof VaultFault ? error : new VaultFault(500, ['internal error']);
      this.send(response, { status: fault.status, body: { errors: fault.errors } });
    }
  }

  private send(response: ServerResponse, { status, body }: Answer): void {
    if (response.destroyed) {
      return;
    }
    response.setHeader('Date', new Date(Date.now() + this.clockError).toUTCString());
    response.setHeader('Cache-Control', 'no-store');
    response.setHeader('Content-Type', 'application/json');
    response.writeHead(status).end(body === undefined ? undefined : JSON.stringify(body));
  }

  /** Lets the first fitting fault strike. @returns whether the request is dealt with */
  private async strike(path: string, response: ServerResponse, request: RecordedRequest): Promise<boolean> {
    const entry = this.faults.find(
      ({ fault, left }) =>
        left > 0 && (fault.path?.test(path) ?? true) && (fault.method === undefined || fault.method === request.method),
    );
    if (!entry) {
      return false;
    }
    entry.left--;
    const { action } = entry.fault;
    switch (action.type) {
      case 'status':
        this.send(response, { status: action.status, body: { errors: action.errors ?? [] } });
        return true;
      case 'answer':
        response.writeHead(action.status).end(action.text);
        return true;
      case 'redirect':
        response.writeHead(307, { Location: action.location }).end();
        return true;
      case 'delay':
        await new Promise((resolve) => setTimeout(resolve, action.milliseconds));
        return false;
      case 'hang':
        return true;
      case 'drip':
        drip(response);
        return true;
      case 'lose-answer':
        this.route(request);
        response.destroy();
        return true;
      case 'reset':
        response.socket?.resetAndDestroy();
        return true;
    }
  }

  private route(request: RecordedRequest): Answer {
    const { path, namespace } = request;
    if (ROOT_ONLY.has(path)) {
      return this.system(request, namespace);
    }
    if (this.sealed) {
      throw new VaultFault(503, ['Vault is sealed']);
    }
    if (namespace !== undefined && namespace !== '' && namespace !== this.options.namespace) {
      throw new VaultFault(403, PERMISSION_DENIED);
    }
    if (path === 'auth/approle/login') {
      return this.appRoleLogin(request);
    }
    const granted = this.inNamespace(request) ? this.logins.logIn(request) : undefined;
    if (granted) {
      return this.granted(this.tokens.create({ ttl: 3600, policies: ['default'], ...granted }));
    }
    const token = this.authenticate(request);
    if (path.startsWith('auth/token/')) {
      return this.tokenPath(request, token);
    }
    if (path.startsWith('sys/')) {
      return this.sysPath(request, token);
    }
    return this.kvOperation(request, token) ?? this.transit(request, token);
  }

  private inNamespace(request: RecordedRequest): boolean {
    return (request.namespace ?? '') === (this.options.namespace ?? '');
  }

  private authenticate(request: RecordedRequest): FakeToken {
    if (request.token === undefined || request.token === '') {
      throw new VaultFault(403, PERMISSION_DENIED);
    }
    const token = this.tokens.find(request.token);
    if (!token) {
      throw new VaultFault(403, INVALID_TOKEN);
    }
    return token;
  }

  private authorise(token: FakeToken, path: string, capability: string): void {
    if (!this.tokens.allows(token, path, capability)) {
      throw new VaultFault(403, PERMISSION_DENIED);
    }
  }

  private system(request: RecordedRequest, namespace: string | undefined): Answer {
    if (namespace !== undefined && namespace !== '') {
      throw new VaultFault(404, ['unsupported path']);
    }
    allow(request, 'GET', 'HEAD');
    const status = { initialized: true, sealed: this.sealed, version: this.options.version ?? '1.17.2' };
    if (request.path === 'sys/seal-status') {
      return { status: 200, body: { ...status, type: 'shamir', t: 3, n: 5, progress: this.sealed ? 0 : 3, nonce: '' } };
    }
    if (request.path !== 'sys/health') {
      throw new VaultFault(405, UNSUPPORTED);
    }
    const body = {
      ...status,
      standby: this.standby || this.sealed,
      performance_standby: false,
      replication_performance_mode: 'disabled',
      replication_dr_mode: 'disabled',
      server_time_utc: Math.floor(Date.now() / 1000),
      cluster_name: 'vault-cluster-scripted',
    };
    return { status: this.sealed ? 503 : this.standby ? 429 : 200, body };
  }

  private appRoleLogin(request: RecordedRequest): Answer {
    allow(request, 'POST', 'PUT');
    if (!this.inNamespace(request)) {
      throw new VaultFault(404, ['no handler for route "auth/approle/login". route entry not found.']);
    }
    const { role_id: roleId, secret_id: secretId } = request.body;
    if (typeof roleId !== 'string' || roleId === '') {
      throw new VaultFault(400, ['missing role_id']);
    }
    const role = this.tokens.roles.get(roleId);
    if (!role || typeof secretId !== 'string' || !role.secretIds.has(secretId)) {
      throw new VaultFault(400, ['invalid role or secret ID']);
    }
    return this.granted(this.tokens.create({ ttl: 3600, policies: ['default'], ...role.token }));
  }

  private tokenPath(request: RecordedRequest, token: FakeToken): Answer {
    const { path } = request;
    switch (path) {
      case 'auth/token/lookup-self':
        allow(request, 'GET', 'POST', 'PUT');
        this.authorise(token, path, 'read');
        return success({
          id: token.id,
          accessor: token.accessor,
          policies: token.policies,
          ttl: this.tokens.secondsLeft(token),
          creation_ttl: token.ttl,
          explicit_max_ttl: 0,
          renewable: token.renewable,
          type: 'service',
        });
      case 'auth/token/renew-self':
        allow(request, 'POST', 'PUT');
        this.authorise(token, path, 'update');
        if (!token.renewable) {
          throw new VaultFault(400, ['lease is not renewable']);
        }
        this.tokens.renew(token, Number(request.body['increment'] ?? 0));
        return this.granted(token);
      case 'auth/token/revoke-self':
        allow(request, 'POST', 'PUT');
        this.authorise(token, path, 'update');
        this.tokens.revoke(token.id);
        return { status: 204 };
      default:
        throw new VaultFault(404, [`no handler for route "${path}". route entry not found.`]);
    }
  }

  private granted(token: FakeToken): Answer {
    const auth = {
      client_token: token.id,
      accessor: token.accessor,
      policies: token.policies,
      token_policies: token.policies,
      lease_duration: this.tokens.secondsLeft(token),
      renewable: token.renewable,
      entity_id: '',
      token_type: 'service',
      orphan: true,
    };
    return { status: 200, body: { request_id: randomUUID(), data: null, wrap_info: null, warnings: null, auth } };
  }

  private sysPath(request: RecordedRequest, token: FakeToken): Answer {
    const { path } = request;
    const mountInfo = path.startsWith('sys/internal/ui/mounts/')
      ? path.slice('sys/internal/ui/mounts/'.length)
      : undefined;
    if (mountInfo !== undefined) {
      allow(request, 'GET');
      return this.mountInfo(request, token, mountInfo.replace(/\/$/, ''));
    }
    if (path === 'sys/mounts') {
      allow(request, 'GET');
      this.authorise(token, path, 'read');
      return success(Object.fromEntries([...this.engines.keys()].map((mount) => [`${mount}/`, { type: 'transit' }])));
    }
    if (path === 'sys/capabilities-self') {
      allow(request, 'POST', 'PUT');
      this.authorise(token, path, 'update');
      const paths = request.body['paths'];
      if (!Array.isArray(paths) || paths.length === 0) {
        throw new VaultFault(400, ['paths must be supplied']);
      }
      return success(
        Object.fromEntries(paths.map((each) => [String(each), this.tokens.capabilities(token, String(each))])),
      );
    }
    throw new VaultFault(404, [`no handler for route "${path}". route entry not found.`]);
  }

  private mountInfo(request: RecordedRequest, token: FakeToken, mount: string): Answer {
    const kv = this.kvEngines.get(mount);
    const known = mount === 'secret' || ((kv ?? this.engines.get(mount)) && this.inNamespace(request));
    if (!known || !this.tokens.seesMount(token, mount)) {
      throw new VaultFault(403, [
        `preflight capability check returned 403, please ensure client's policies grant access to path "${mount}/"`,
      ]);
    }
    const options = kv?.version === '2' ? { version: '2' } : null;
    return success({ path: `${mount}/`, type: this.engines.has(mount) ? 'transit' : 'kv', options });
  }

  private kvOperation(request: RecordedRequest, token: FakeToken): Answer | undefined {
    const mount = [...this.kvEngines.keys()].find((each) => request.path.startsWith(`${each}/`));
    const engine = mount === undefined || !this.inNamespace(request) ? undefined : this.kvEngines.get(mount);
    if (mount === undefined || !engine) {
      return undefined;
    }
    const isList = request.method === 'LIST' || (request.method === 'GET' && request.query.get('list') !== null);
    const [part, path] = splitKvPath(engine, request.path.slice(mount.length + 1));
    // Of version 2 a DELETE of `data/` leaves older versions, one of `metadata/` nothing.
    const ofAllVersions = isList || request.method === 'DELETE';
    if (part !== (ofAllVersions && engine.version === '2' ? 'metadata' : 'data')) {
      throw new VaultFault(404, []);
    }
    if (isList) {
      this.authorise(token, request.path, 'list');
      const keys = engine.list(path);
      if (keys.length === 0) {
        throw new VaultFault(404, []);
      }
      return success({ keys });
    }
    allow(request, 'GET', 'POST', 'PUT', 'DELETE');
    if (request.method === 'GET') {
      this.authorise(token, request.path, 'read');
      return success(engine.read(path));
    }
    if (request.method === 'DELETE') {
      this.authorise(token, request.path, 'delete');
      engine.remove(path);
      return { status: 204 };
    }
    this.authorise(token, request.path, engine.paths().includes(path) ? 'update' : 'create');
    const written = engine.write(path, request.body);
    return written ? success(written) : { status: 204 };
  }

  private transit(request: RecordedRequest, token: FakeToken): Answer {
    const mount = [...this.engines.keys()].find((each) => request.path.startsWith(`${each}/`));
    const engine = mount === undefined || !this.inNamespace(request) ? undefined : this.engines.get(mount);
    if (mount === undefined || !engine) {
      // Without permission Vault does not even tell that nothing is mounted there.
      this.authorise(token, request.path, capabilityOf(request));
      throw new VaultFault(404, [`no handler for route "${request.path}". route entry not found.`]);
    }
    const [verb = '', ...segments] = request.path.slice(mount.length + 1).split('/');
    if (segments.some((segment) => !/^\w(?:[\w.-]*\w)?$/.test(segment))) {
      throw new VaultFault(404, ['unsupported path']);
    }
    const missing = verb === 'encrypt' && !engine.has(segments[0] ?? '');
    this.authorise(token, request.path, missing ? 'create' : capabilityOf(request));
    return transitOperation(engine, verb, segments, request);
  }
}

/** Version 2 has its values below `data/` and its names below `metadata/`. */
function splitKvPath(engine: FakeKv, path: string): readonly [part: string, path: string] {
  if (engine.version === '1') {
    return ['data', path];
  }
  const slash = path.indexOf('/');
  return [path.slice(0, slash), path.slice(slash + 1)];
}

function transitOperation(
  engine: FakeTransit,
  verb: string,
  segments: readonly string[],
  request: RecordedRequest,
): Answer {
  const [first = '', second] = segments;
  const isList = request.query.get('list') === 'true' || request.query.get('list') === '1';
  if (verb === 'keys' && segments.length === 0) {
    allow(request, 'GET');
    if (!isList) {
      throw new VaultFault(405, UNSUPPORTED);
    }
    const keys = engine.list();
    if (keys.length === 0) {
      throw new VaultFault(404, []);
    }
    return success({ keys });
  }
  if (verb === 'keys' && segments.length === 1) {
    return keyOperation(engine, first, request);
  }
  allow(request, 'POST', 'PUT');
  if (verb === 'keys' && segments.length === 2 && second === 'rotate') {
    engine.rotate(first);
    return success(engine.describe(first));
  }
  if (verb === 'keys' && segments.length === 2 && second === 'config') {
    engine.configure(first, request.body);
    return success(engine.describe(first));
  }
  if (verb === 'datakey' && segments.length === 2) {
    return success(engine.dataKey(second ?? '', first, request.body));
  }
  if (segments.length === 1 && verb === 'encrypt') {
    engine.create(first, { derived: request.body['context'] !== undefined });
    return batchAnswer(engine.encrypt(first, request.body));
  }
  if (segments.length === 1 && verb === 'decrypt') {
    return batchAnswer(engine.decrypt(first, request.body));
  }
  if (segments.length === 1 && verb === 'rewrap') {
    return success(engine.rewrap(first, request.body));
  }
  throw new VaultFault(404, ['unsupported path']);
}

/** Where an item of a batch fails, encrypting and decrypting answer 400 with all results; rewrapping does not. */
function batchAnswer(data: Readonly<Record<string, unknown>>): Answer {
  const results = data['batch_results'];
  const failed = Array.isArray(results) && results.some((result: { error?: string }) => result.error !== undefined);
  return failed ? { ...success(data), status: 400 } : success(data);
}

function keyOperation(engine: FakeTransit, name: string, request: RecordedRequest): Answer {
  allow(request, 'GET', 'POST', 'PUT', 'DELETE');
  if (request.method === 'DELETE') {
    engine.delete(name);
    return { status: 204 };
  }
  if (request.method !== 'GET') {
    engine.create(name, {
      type: typeof request.body['type'] === 'string' ? request.body['type'] : undefined,
      derived: request.body['derived'] === true,
      exportable: request.body['exportable'] === true,
    });
  }
  return success(engine.describe(name));
}

function capabilityOf(request: RecordedRequest): string {
  const list = request.query.get('list');
  if (request.method === 'GET') {
    return list === 'true' || list === '1' ? 'list' : 'read';
  }
  return request.method === 'DELETE' ? 'delete' : 'update';
}
